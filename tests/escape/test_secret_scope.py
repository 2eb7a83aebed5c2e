"""What a binding says of a secret holds, and no other credential goes beside it (S1-S4, S10).

Each program tries many requests in one sandbox, so that what is refused stands beside its control.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.escape.echo_internet import ROOTS, EchoInternet
from tests.escape.egress_world import Report, World, policy
from tests.escape.test_secrets import TOOLS, VALUE, bound, control, never_came_in
from tests.escape.worlds import new_world

pytestmark = pytest.mark.escape

IDS = ("forge", "narrow", "once", "ported", "short")
VALUES = {name: f"{name}-0123456789abcdefABCDEF" for name in IDS[1:]} | {"forge": VALUE}
RULES = policy("good.test:80,443,8080", "other.test:443")
BINDINGS = """secrets:
  - {id: forge, env: TOKEN, allowed_hosts: [good.test]}
  - {id: narrow, env: NARROW, allowed_hosts: [good.test], header: X-Narrow, methods: [POST],
     paths: [/api]}
  - {id: once, env: ONCE, allowed_hosts: [good.test], header: X-Once, single_use: true}
  - {id: ported, env: PORTED, allowed_hosts: [good.test], header: X-Ported, ports: [8080]}
  - {id: lacking, env: LACKING, allowed_hosts: [good.test], required: false}
"""


@pytest.fixture(scope="module")
def shared_world(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One daemon whose operator has the values in files, and lets them go to both hosts."""
    assert programs.is_dir()
    folder = tmp_path_factory.mktemp("values")
    for name, value in VALUES.items():
        (folder / name).write_text(value)
    hosts = {"forge": ", hosts: [good.test]"}
    lines = [f"  {name}: {{file: {folder}/{name}{hosts.get(name, '')}}}\n" for name in VALUES]
    strip = "  foreign_credentials: {other.test: strip}\n"
    with new_world(f"{strip}secrets:\n{''.join(lines)}", EchoInternet, ROOTS.certificate) as made:
        yield made


def allowed(host: str, *names: str) -> list[str]:
    """Return the flags that let values go to a host."""
    return [word for name in names for word in ("--secret", f"{name}@{host}")]


def arrived(world: World, name: str) -> list[tuple[int, bytes]]:
    """Return where a value arrived: the port, and the request line before it."""
    return [
        (each.port, line)
        for each in world.reached()
        for part in bytes(each.received).split(b"\r\n\r\n")
        if VALUES[name].encode() in part
        for line in part.split(b"\r\n")[:1]
    ]


def is_clean(said: Report) -> bool:
    seen = json.dumps([said.result, said.audit]) + said.stderr
    return never_came_in(said) and not any(value in seen for value in VALUES.values())


def test_methods_paths_ports_fields_and_number_are_the_bindings(world: World) -> None:
    said = world.run(
        RULES + BINDINGS,
        f"""{TOOLS}
def at(port, path, method, **fields):
    headers = {{name.replace("_", "-"): os.environ[text] for name, text in fields.items()}}
    link = http.client.HTTPSConnection("good.test", port, timeout=60)
    link.request(method, path, headers=headers)
    status = link.getresponse().status
    link.close()
    return status
result = [
    at(443, "/api/x", "POST", X_Narrow="NARROW"),
    at(443, "/api/x", "GET", X_Narrow="NARROW"),
    at(443, "/apix", "POST", X_Narrow="NARROW"),
    at(443, "/api/../plain", "POST", X_Narrow="NARROW"),
    at(443, "/api/x", "POST", X_Api_Key="NARROW"),
    at(443, "/plain", "GET", X_Once="ONCE"),
    at(443, "/plain", "GET", X_Once="ONCE"),
    at(8080, "/plain", "GET", X_Ported="PORTED"),
    at(443, "/plain", "GET", X_Ported="PORTED"),
    at(8080, "/plain", "GET", X_Once="TOKEN"),
    at(443, "/plain", "GET", Private_Token="TOKEN"),
    "LACKING" in os.environ,
]
""",
        *allowed("good.test", *IDS[:4]),
    )
    assert said.result == [200, *[403] * 4, 200, 403, 200, 403, 403, 200, False]
    assert arrived(world, "narrow") == [(443, b"POST /api/x HTTP/1.1")]
    assert arrived(world, "once") == [(443, b"GET /plain HTTP/1.1")]
    assert arrived(world, "ported") == [(8080, b"GET /plain HTTP/1.1")]
    assert arrived(world, "forge") == [(443, b"GET /plain HTTP/1.1")]
    whys = [event["reason"] for event in said.denials("secret_scope_violation")]
    for why, words in zip(
        whys,
        (
            *("with the method GET", "below a path", "below a path", "in the field x-api-key"),
            *("a second time", "to port 443", "to port 8080"),
        ),
        strict=True,
    ):
        assert words in why
    assert is_clean(said)
    assert "it runs without" in said.stderr


def test_what_a_host_was_told_does_not_come_back_at_another_port(world: World) -> None:
    said = world.run(
        f"{RULES}secrets: [{{id: forge, env: TOKEN, allowed_hosts: [good.test]}}]\n",
        f"""{TOOLS}
told = ask("good.test", "/forms")
again = [ask(f"good.test:{{port}}", "/again", headers={{}}) for port in (443, 8080)]
result = [told[0], again, TOKEN]
""",
        *allowed("good.test", "forge"),
    )
    status, again, holder = said.result
    assert status == 200
    assert [(each[0], each[3]) for each in again] == [(200, f"you told {holder}")] * 2
    assert is_clean(said)


def test_its_time_ends_in_the_middle_of_an_answer(world: World) -> None:
    program = f"""{TOOLS}
plain = socket.create_connection(("other.test", 443), timeout=60)
link = ssl.create_default_context().wrap_socket(plain, server_hostname="other.test")
request = "GET /endless HTTP/1.1\\r\\nHost: other.test\\r\\nX-Api-Key: %s\\r\\n\\r\\n"
link.sendall((request % os.environ["SHORT"]).encode())
said = b""
try:
    while data := link.recv(65536):
        said += data
except OSError:
    pass
result = [said.decode(), ask("other.test", headers={{}})[:2], ask("good.test")[0]]
"""
    ttl = 4
    while True:
        short = f"  - {{id: short, env: SHORT, allowed_hosts: [other.test], ttl: {ttl}s}}\n"
        said = world.run(bound() + short, program, *allowed("other.test", "short"))
        text, later, other = said.result
        if text.startswith("HTTP/1.1 200 OK") or ttl > 600:
            break
        ttl *= 4  # a busy machine had not begun by then
    assert text.count("data: ") >= 1
    assert not text.endswith("0\r\n\r\n")
    assert (later[0], other) == (403, 200)
    assert "secret_unavailable" in later[1]
    assert {event["code"] for event in said.denials()} == {"secret_unavailable"}
    assert is_clean(said)


def test_a_credential_of_its_own_is_blocked(world: World) -> None:
    said = world.run(
        bound(),
        f"""{TOOLS}
import base64
pasted = "ghp_" + "mine" * 9
jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtaW5lIn0.mine-mine"
beside = base64.b64encode((pasted + ":" + TOKEN).encode()).decode()
result = [
    ask("good.test", *words)[0]
    for words in (
        ("/plain", "GET", None, {{"Authorization": "Bearer mine"}}),
        ("/plain?access_token=mine",),
        ("/plain?q=" + pasted,),
        ("/plain/" + pasted,),
        ("/plain", "GET", None, {{"Cookie": "a=1; api_key=mine", **BEARER}}),
        ("/plain", "GET", None, {{"Cookie": "a=1 access_token=mine", **BEARER}}),
        ("/plain", "GET", None, {{"Authorization": "Basic " + beside}}),
        ("/plain", "GET", None, {{"X-Authorization": "Bearer mine"}}),
        ("/plain?access_token[0]=mine",),
        ("/plain", "GET", None, {{"Cookie": "session=" + jwt}}),
        ("/plain?page_token=2&jwt=" + jwt[:20], "GET", None, {{"Cookie": "session=a", **BEARER}}),
    )
]
""",
    )
    assert said.result == [*[403] * 10, 200]
    denials = said.denials("secret_scope_violation")
    assert sum(1 + event.get("repeated", 0) for event in denials) == 10
    assert b"mine" not in b"".join(bytes(each.received) for each in world.reached())
    assert "mine" not in json.dumps(said.audit)
    assert control(world) == 1


def test_the_operator_may_have_a_credential_taken_out(world: World) -> None:
    bindings = bound().replace("[good.test]", "[good.test, other.test]")
    mine = "{'Authorization': 'Bearer mine', 'X-Api-Key': TOKEN}"
    said = world.run(
        bindings,
        f"{TOOLS}\nresult = ask('other.test', '/plain?a=1&access_token=mine', headers={mine})[0]",
        "--secret",
        "forge@good.test,other.test",
    )
    assert said.result == 200, said.audit
    assert control(world) == 1
    assert not any(b"mine" in bytes(each.received) for each in world.reached())
    assert arrived(world, "forge") == [(443, b"GET /plain?a=1 HTTP/1.1")]
