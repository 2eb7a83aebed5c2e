"""Secrets whose value is not what is sent: minted tokens, Basic credentials (S1, S2, S5).

The value that mints is told to the token endpoint alone, a token to the binding's hosts alone, and
neither comes in.
"""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.escape.echo_internet import MINTED, NAMES, ROOTS, ROTATED, EchoInternet
from tests.escape.egress_world import PUBLIC, Report, World
from tests.escape.test_secrets import RULES, TOOLS
from tests.escape.traces import Searched
from tests.escape.worlds import new_world

pytestmark = pytest.mark.escape

REFRESH = "refresh-0123456789abcdefABCDEF"
PASSWORD = "password-0123456789abcdefABCD"  # noqa: S105 -- a test's
LOGIN = {"login": {"refresh_token": REFRESH, "client_id": "app"}}


def bound(secret_id: str, rest: str) -> str:
    """Return the policy with one secret for good.test."""
    first = f"id: {secret_id}, env: TOKEN, allowed_hosts: [good.test]"
    return f"{RULES}secrets: [{{{first}, {rest}}}]\n"


def minted_at(path: str) -> str:
    return bound("login", f"kind: oauth2, oauth2: {{token_url: 'https://other.test{path}'}}")


def never_came_in(said: Report) -> bool:
    seen = json.dumps([said.result, said.audit]) + said.stderr
    return not any(value in seen for value in (REFRESH, MINTED, ROTATED, PASSWORD))


def told(world: World, path: bytes) -> bytes:
    """Return all that arrived in connections whose first request was for a path."""
    arrivals = [bytes(each.received) for each in world.reached()]
    return b"".join(each for each in arrivals if each.split(b" ", 2)[1:2] == [path])


@pytest.fixture(scope="module")
def shared_world(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One daemon whose operator has a login file and a pair, approved for good.test."""
    assert programs.is_dir()
    folder = tmp_path_factory.mktemp("values")
    (folder / "login.json").write_text(json.dumps(LOGIN, indent=2))
    (folder / "pair").write_text(f"someone:{PASSWORD}\n")
    login = f"login: {{file: {folder}/login.json, pointer: /login, hosts: [good.test, other.test]}}"
    pair = f"pair: {{file: {folder}/pair, hosts: [good.test]}}"
    with new_world(f"secrets:\n  {login}\n  {pair}\n", EchoInternet, ROOTS.certificate) as made:
        yield made


@pytest.fixture
def world(shared_world: World) -> World:
    """The world of this file, in which nothing has arrived yet."""
    shared_world.internet.forget()
    for name in NAMES:
        shared_world.internet.zone[name] = [PUBLIC]
    return shared_world


def test_a_token_is_minted_outside_and_swapped_in(world: World) -> None:
    said = world.run(
        minted_at("/oauth/token"),
        f"{TOOLS}\nresult = [TOKEN, ask('good.test'), ask('good.test', '/forms')]",
        "--secret",
        "login@good.test,other.test",
    )
    holder, plain, forms = said.result
    assert plain[0] == forms[0] == 200, said.audit
    assert f"Bearer {holder}" in plain[3]
    assert forms[3].count(holder) >= 5
    assert never_came_in(said)
    asked = told(world, b"/oauth/token")
    assert f"refresh_token={REFRESH}".encode() in asked
    assert b"client_id=app" in asked
    served = told(world, b"/plain") + told(world, b"/forms")
    assert served.count(MINTED.encode()) == 2
    assert REFRESH.encode() not in served
    assert MINTED.encode() not in asked
    (verdict,) = [event for event in said.audit if event.get("rule") == "secret login"]
    assert (verdict["name"], verdict["method"], verdict["path"]) == (
        "other.test",
        "POST",
        "/oauth/token",
    )


def test_without_a_token_nothing_starts(world: World) -> None:
    running = world.start(
        minted_at("/oauth/none"),
        f"{TOOLS}\nresult = 1",
        "--secret",
        "login@good.test,other.test",
    )
    _, err = running.process.communicate(timeout=120)
    assert running.process.returncode == 125
    assert b"secret_unavailable" in err
    assert b"other.test minted no token: it answers 400 (invalid_grant)" in err
    assert REFRESH.encode() not in err


def test_where_tokens_are_minted_is_approved_like_any_other_host(world: World) -> None:
    running = world.start(minted_at("/oauth/token"), f"{TOOLS}\nresult = 1")
    _, err = running.process.communicate(timeout=120)
    assert running.process.returncode == 125
    assert b"approval_required" in err
    assert b"other.test" in err
    assert world.reached() == []


def test_basic_credentials_are_put_in_whole(world: World) -> None:
    said = world.run(
        bound("pair", "kind: basic"),
        f"""{TOOLS}
import base64
def basic(pair):
    return {{"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}}
result = [ask("good.test", headers=basic("whoever:" + TOKEN)), ask("good.test")[0], TOKEN]
""",
    )
    answer, as_bearer, holder = said.result
    assert answer[0] == 200, said.audit
    assert as_bearer == 403
    whole = base64.b64encode(f"someone:{PASSWORD}".encode())
    assert told(world, b"/plain").count(b"Basic " + whole) == 1
    assert holder not in answer[3]  # it came back as base64, in which no placeholder stands
    assert PASSWORD.encode() not in base64.b64decode(
        answer[3].partition("Basic ")[2].split()[0] + "==="
    )
    assert never_came_in(said)
    assert said.denials("secret_scope_violation")


def test_nothing_that_a_run_leaves_holds_what_mints_or_what_was_minted(world: World) -> None:
    pair = base64.b64encode(f"someone:{PASSWORD}".encode())
    both = minted_at("/oauth/token") + (
        "  - {id: pair, kind: basic, env: PAIR, allowed_hosts: [good.test]}\n"
    )
    running = world.start(
        both.replace("secrets: [", "secrets:\n  - ").replace("}}]", "}}"),
        f"""{TOOLS}
import base64
basic = base64.b64encode(("me:" + os.environ["PAIR"]).encode()).decode()
result = [ask("good.test")[0], ask("good.test", headers={{"Authorization": "Basic " + basic}})[0]]
with open("written.txt", "w") as file:
    file.write(repr(dict(os.environ)))
await_word()
""",
        "--keep",
        "-v",
        *("--secret", "login@good.test,other.test"),
    )
    running.await_ready()
    needles = [REFRESH.encode(), MINTED.encode(), ROTATED.encode(), PASSWORD.encode(), pair]
    search = Searched(world, b"")
    assert [search.found(needle) for needle in needles] == [[]] * 5
    said = world.finish(running, b"\n")
    assert said.result == [200, 200], said.audit
    assert [search.found(needle) for needle in needles] == [[]] * 5
    served = told(world, b"/plain")
    assert MINTED.encode() in served
    assert pair in served
    assert never_came_in(said)
