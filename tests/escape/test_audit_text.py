"""What a hostile program writes into names cannot speak to a person's terminal or forge a line.

Names in DNS, TLS and HTTP are the workload's own bytes; they come back in the audit and on stderr.
"""

import json
import re

import pytest

from tests.escape.egress_world import World, policy

pytestmark = pytest.mark.escape

CONTROL = re.compile(r"[^\x20-\x7e\n]")


def test_no_control_character_comes_back(world: World) -> None:
    """Escape sequences, line ends, bidirectional marks, quotes that would end a JSON text."""
    said = world.run(
        policy("good.test:80,443"),
        r"""
hostile = [b"\x1b]0;owned\x07.test", b"a\r\nb.test", b"x\x00y.test", b"\xe2\x80\xaeevil.test",
           b'x","allowed":true,"y":"z.test', b"\x9b31m.test", b"\\u001b.test"]
result = [ask(name)[0] for name in hostile]
for name in hostile:
    text = name.decode("latin-1")
    dial("good.test", 443, hello(text))
    dial("good.test", 80, b"GET / HTTP/1.1\r\nHost: " + name + b"\r\n\r\n")
    dial("good.test", 80, b"GET /" + name + b" HTTP/1.1\r\nHost: evil.test\r\n\r\n")
result.append(get("good.test"))
""",
    )
    *asked, control = said.result
    assert control == "HTTP/1.1 200 OK"
    assert 0 not in asked
    assert CONTROL.search(said.stderr) is None, said.stderr
    log = world.read_audit()
    assert CONTROL.search(log) is None
    assert all(json.loads(line)["seq"] for line in log.splitlines())
    assert len(said.allowed("http")) == 1
    verify = world.command("audit", "verify")
    out, err = verify.communicate(timeout=15)
    assert verify.returncode == 0, (out, err)
    shown = world.command("audit", "--denied")
    out, err = shown.communicate(timeout=15)
    assert b"evil" in out
    assert CONTROL.search((out + err).decode("latin-1")) is None
