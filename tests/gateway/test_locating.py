"""A file of a mirror whose layout is its own: looked for on the mirror's page of the project."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from cleanroom.decide.artifact import Grant, Refusal
from cleanroom.decide.mirror import Mirror
from cleanroom.decide.storage import Stored
from cleanroom.gateway.locating import Locating, may_be_elsewhere
from cleanroom.gateway.reactor import Reactor
from cleanroom.gateway.source import Want
from tests.gateway.test_upstream import scene
from tests.gateway.upstream_scene import OK, Doors, Scene
from tests.gateway.upstreams import Reply, Upstream
from tests.gateway.world import turn_until

__all__ = ["scene"]

FILE = "six-1.0-py3-none-any.whl"
GRANT = Grant(
    "pypi", "artifact", f"/packages/aa/{FILE}", "six", "1.0", FILE, sites=("files.test", "npm.test")
)
INDEX = Mirror("npm.test", "https://files.test/root/pypi", simple="+simple")
FILES = Mirror("files.test", "https://files.test/root/pypi")
WANT = Want("sbx_1", "files.test", GRANT, mirrors={"npm.test": INDEX, "files.test": FILES})
PLACE = f"/root/pypi/+f/1/{FILE}"
PAGE = f'<a href="../../+f/1/{FILE}#sha256=0">'.encode()
NO = Reply(b"none", 404)


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    made = Reactor()
    yield made
    made.close()


def located(reactor: Reactor, want: Want = WANT, **pages: Reply) -> tuple[list[str], Upstream]:
    source = Upstream(reactor)
    told: list[str] = []
    for path, reply in pages.items():
        source.answers(f"/{path}/six/", reply)
    Locating(source, want, told.append)
    turn_until(reactor, lambda: told)
    for _ in range(5):
        reactor.turn(0)
    return told, source


def test_the_index_is_asked_before_the_host_of_the_files(reactor: Reactor) -> None:
    told, source = located(reactor, simple=Reply(PAGE))
    assert told == [f"https://files.test{PLACE}"]
    (asked,) = source.asked
    assert (asked.want.host, asked.want.accept) == ("npm.test", "text/html")
    assert asked.want.mirrors == WANT.mirrors


@pytest.mark.parametrize("page", [NO, Reply(b"nothing"), Reply(down=True), Reply(PAGE, cut=True)])
def test_a_page_that_does_not_have_it_is_none(reactor: Reactor, page: Reply) -> None:
    told, source = located(reactor, simple=replace(page, body=page.body.replace(b"six-", b"x-")))
    assert told == [""]
    assert [each.want.host for each in source.asked] == ["npm.test", "files.test"]


def test_each_place_is_asked_once_and_few_are(reactor: Reactor) -> None:
    again = replace(FILES, host="other.test")
    hosts = ("other.test", "none.test", *(f"h{n}.test" for n in range(5)), "files.test")
    every = {f"h{n}.test": Mirror(f"h{n}.test", f"https://h{n}.test") for n in range(5)}
    mirrors = {"other.test": again, "files.test": FILES, **every}
    want = replace(WANT, grant=replace(GRANT, sites=hosts), mirrors=mirrors)
    _, source = located(reactor, want)
    assert [each.want.host for each in source.asked] == ["other.test", "h0.test", "h1.test"]
    own = replace(want, grant=replace(GRANT, sites=("other.test", "files.test")))
    _, source = located(reactor, own)
    assert [each.want.host for each in source.asked] == ["other.test"]


def test_below_the_site_of_a_policy_its_page_is_asked(reactor: Reactor) -> None:
    grant = replace(GRANT, sites=("files.test/x",), prefix="/x")
    told, source = located(reactor, replace(WANT, grant=grant), **{"x/simple": Reply(PAGE)})
    assert told == [f"https://files.test/root/pypi/x/+f/1/{FILE}"]
    assert source.asked[0].want.grant.prefix == "/x"


def test_without_a_page_to_ask_there_is_no_place(reactor: Reactor) -> None:
    told, _ = located(reactor, replace(WANT, grant=replace(GRANT, sites=())))
    assert told == [""]


def test_an_address_that_is_none_is_no_place(reactor: Reactor) -> None:
    told, _ = located(reactor, simple=Reply(f'<a href="https://[/{FILE}">'.encode()))
    assert told == [""]


def test_what_comes_with_the_last_piece_is_of_no_other_page(reactor: Reactor) -> None:
    source = Upstream(reactor)
    told: list[str] = []
    locating = Locating(source, WANT, told.append)
    turn_until(reactor, lambda: source.asked[0].is_begun)
    locating._is_page = True  # as after a head of 200
    locating.more(PAGE)
    locating.more(PAGE)
    assert told == [f"https://files.test{PLACE}"]
    assert source.asked[0].is_cancelled
    locating.cancel()


def test_an_endless_page_is_left(reactor: Reactor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cleanroom.gateway.locating._MOST_BYTES", 10)
    told, source = located(reactor, simple=Reply(b"x" * 1000 + PAGE))
    assert told == [""]
    assert [each.is_cancelled for each in source.asked] == [True, True]


def test_only_files_of_python_at_a_mirror_are_looked_for() -> None:
    assert may_be_elsewhere(WANT, 404)
    for want in (
        replace(WANT, mirrors={}),
        replace(WANT, stored=Stored("s.test", 443, "/")),
        replace(WANT, grant=replace(GRANT, manager="npm")),
        replace(WANT, grant=replace(GRANT, kind="metadata")),
    ):
        assert not may_be_elsewhere(want, 404)
    assert not may_be_elsewhere(WANT, 403)


class SamePackage(Doors):
    """Judges by the file's name."""

    def judge_redirect(self, want: Want, host: str, target: str) -> Grant | Refusal:
        assert target.endswith(FILE)
        return replace(want.grant, path=target)


def answer(body: bytes, status: int = 200) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


NONE = answer(b"none", 404)


def heads(requests: list[bytes]) -> list[str]:
    return [each.decode().partition(" HTTP")[0] for each in requests]


def test_a_file_is_had_where_the_mirrors_page_has_it(scene: Scene) -> None:
    scene.upstream.doors = scene.doors = SamePackage(scene.reactor)
    registry = scene.serve((NONE,), (answer(PAGE),), (OK,), name="files.test")
    taken = scene.fetch(WANT)
    assert taken.body == b"hello"
    assert heads(registry.requests) == [
        f"GET /root/pypi/packages/aa/{FILE}", "GET /root/pypi/+simple/six/", f"GET {PLACE}",
    ]  # fmt: skip


def test_what_no_page_has_is_not_there(scene: Scene) -> None:
    registry = scene.serve((NONE,), (NONE, NONE, NONE), name="files.test")
    taken = scene.fetch(WANT)
    assert taken.answer
    assert (taken.answer.status, taken.body) == (404, b"none")
    assert len(registry.requests) == 4


def test_a_page_that_leads_to_nobody_is_refused(scene: Scene) -> None:
    page = answer(f'<a href="https://evil.test/{FILE}">'.encode())
    scene.serve((NONE,), (page,), name="files.test")
    deny = scene.fetch(WANT).deny
    assert deny is not None
    assert "redirects six 1.0 to evil.test, no place of it" in deny.reason


def test_who_no_longer_wants_it_ends_the_look_at_the_page(scene: Scene) -> None:
    scene.serve((NONE,), name="files.test")
    told: list[object] = []

    class Nobody:
        begun = more = ended = failed = told.append

    asking = scene.upstream.fetch(WANT, Nobody())
    turn_until(scene.reactor, lambda: asking._is_located)
    asking.cancel()
    scene.reactor.turn(0.01)
    assert told == []
