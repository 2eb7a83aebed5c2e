"""TLS that a rule asks to inspect: real clients trust the sandbox's authority, for that host only.

Promises E18-E25 and E34 inside TLS, and E40. Where a machine lacks a client, its line is skipped.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.escape.egress_world import PUBLIC, World, policy
from tests.escape.tls_internet import NAMES, ROOTS, TlsInternet
from tests.escape.worlds import new_world

pytestmark = pytest.mark.escape

INSPECTED = policy(
    *(f"{{host: {name}, ports: [443], inspect: true}}" for name in NAMES if name[0] != "r"),
    "relayed.test:443",
)
CLIENTS = {
    "curl": "['curl', '-sS', 'https://HOST/x']",
    "python3": "['python3', '-c', 'import urllib.request as u;"
    'print(u.urlopen("https://HOST/x").read())\']',
    "node": "['node', '-e', 'fetch(\"https://HOST/x\").then(r => r.text()).then(console.log)']",
    "git": "['git', 'ls-remote', 'https://HOST/repo']",
    "npm": "['npm', 'view', '--registry', 'https://HOST/', 'pkg', 'name']",
    "pip3": "['pip3', 'download', '--no-cache-dir', '-i', 'https://HOST/simple', 'pkg']",
}
JAVA = """
public class Get {
  public static void main(String[] hosts) throws Exception {
    for (String host : hosts)
      try (var page = new java.net.URL("https://" + host + "/x").openStream()) {
        System.out.println(new String(page.readAllBytes()));
      }
  }
}
"""
PROGRAM = """
import subprocess
def run(words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=20, cwd="/tmp")
    return [done.returncode, done.stdout, done.stderr]
"""


@pytest.fixture(scope="module")
def shared_world(programs: Path) -> Iterator[World]:
    """One daemon that trusts the test's authority."""
    assert programs.is_dir()
    with new_world(internet=TlsInternet, roots=ROOTS.certificate) as made:
        yield made


@pytest.mark.parametrize("client", CLIENTS)
def test_a_real_client_reaches_an_inspected_host_and_a_relayed_one(
    world: World, client: str
) -> None:
    if not Path("/usr/bin", client).exists():
        pytest.skip(f"this machine lacks {client}")
    words = CLIENTS[client]
    said = world.run(
        INSPECTED,
        f"{PROGRAM}\nresult = [run({words.replace('HOST', 'good.test')}),"
        f" run({words.replace('HOST', 'relayed.test')})]",
    )
    assert {event["name"] for event in said.allowed("https")} == {"good.test"}, said.result
    assert not said.denials(), said.result
    text = b"".join(arrival.received for arrival in world.reached()).lower()
    assert b"host: good.test\r\n" in text, said.result
    assert b"host: relayed.test\r\n" in text, said.result


@pytest.mark.skipif(not Path("/usr/bin/javac").exists(), reason="this machine lacks a JDK")
def test_java_reaches_an_inspected_host_and_a_relayed_one(world: World) -> None:
    said = world.run(
        INSPECTED,
        f"""{PROGRAM}
open("/tmp/Get.java", "w").write({JAVA!r})
result = run(["java", "/tmp/Get.java", "good.test", "relayed.test"])
""",
    )
    assert said.result[:2] == [0, "ok\nok\n"], said.result
    assert [event["name"] for event in said.allowed("https")] == ["good.test"]


def test_the_authority_is_the_sandboxs_own_and_speaks_for_its_hosts_only(world: World) -> None:
    program = f"""{PROGRAM}
words = ["curl", "-sSv", "https://%s/x"]
result = [run([words[0], words[1], words[2] % name])[2] for name in ("good.test", "relayed.test")]
result.append(open("/etc/ssl/certs/ca-certificates.crt").read())
"""
    first, second = world.run(INSPECTED, program), world.run(INSPECTED, program)
    assert "cleanroom sandbox authority" in first.result[0]
    assert first.result[1].count("cleanroom gateway") == 1  # the test's own leaf, relayed
    assert ROOTS.certificate.strip() in first.result[2]
    assert first.result[2] != second.result[2]
    plain = world.run(policy("relayed.test:443"), program)
    assert plain.result[2].count("BEGIN") == first.result[2].count("BEGIN") - 1


def test_another_host_inside_is_refused_and_never_arrives(world: World) -> None:
    said = world.run(
        INSPECTED,
        f"""{PROGRAM}
base = ["curl", "-sS", "-i", "https://good.test/x"]
result = [run([*base, "-H", header])[1].partition("\\n")[0] for header in
          ("Host: other.test", "Host: evil.test", "X-Forwarded-Host: evil.test",
           "Upgrade: websocket")]
""",
    )
    assert [line.split()[1] for line in said.result] == ["403", "403", "400", "403"]
    assert {e["code"] for e in said.denials()} == {"host_header_mismatch", "protocol_not_allowed"}
    assert not any(b"evil" in arrival.received for arrival in world.reached())


def test_the_second_version_of_http_is_not_spoken(world: World) -> None:
    """E21: so no second authority rides in a connection: not agreed upon, not begun unasked."""
    said = world.run(
        INSPECTED,
        """
import socket, ssl
def begin(*offered, data=b"PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n"):
    trust = ssl.create_default_context()
    trust.set_alpn_protocols(offered)
    try:
        with connect("good.test", 443, 20) as plain, \\
                trust.wrap_socket(plain, server_hostname="good.test") as stream:
            stream.sendall(data)
            return [stream.selected_alpn_protocol(), stream.recv(64).decode().partition(":")[0]]
    except OSError as error:
        return [type(error).__name__, ""]
asked = b"GET /x HTTP/1.1\\r\\nHost: good.test\\r\\n\\r\\n"
result = [begin("h2", "http/1.1", data=asked), begin("h2", "http/1.1"), begin("h2")]
""",
    )
    refused = "HTTP/1.1 400 protocol_not_allowed"
    assert said.result[0][0] == "http/1.1"
    assert said.result[0][1].startswith("HTTP/1.1 200 OK")
    assert said.result[1:] == [["http/1.1", refused], [None, refused]]
    assert not any(b"PRI" in arrival.received for arrival in world.reached())


@pytest.mark.parametrize(
    "place", ["https://denied.test/x", f"http://{PUBLIC}/x", "http://127.0.0.1:5000/x"]
)
def test_a_redirect_is_a_request_like_any_other(world: World, place: str) -> None:
    """E34: each hop is judged; the control is one to a host that is allowed."""
    said = world.run(
        INSPECTED,
        f"""{PROGRAM}
result = [run(["curl", "-sSL", "https://good.test/go?" + place])[:2]
          for place in ("https://relayed.test/x", {place!r})]
""",
    )
    control, refused = said.result
    assert control == [0, "ok"]
    assert refused[0] != 0
    assert refused[1] == ""
    assert {arrival.port for arrival in world.reached()} == {443}
    assert len(world.reached()) == 3


@pytest.mark.parametrize(
    ("name", "why"), [("stale.test", "has expired"), ("other.test", "Hostname mismatch")]
)
def test_an_upstream_that_cannot_be_verified_gets_nothing(
    world: World, name: str, why: str
) -> None:
    said = world.run(
        INSPECTED,
        f"{PROGRAM}\nresult = run(['curl', '-sS', '-i', '-H', 'X-Token: s3', 'https://{name}/'])",
    )
    assert said.result[1].startswith("HTTP/1.1 502 upstream_certificate_invalid: ")
    (denied,) = said.denials()
    assert why in denied["reason"]
    assert all(not arrival.received for arrival in world.reached())
