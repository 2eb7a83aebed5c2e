"""Views of pages: each is made once, few in a turn, and a sandbox has only so much of them."""

import dataclasses
import gc
import json
import threading
import time
from collections.abc import Callable, Iterator
from threading import Event

import pytest

from cleanroom.decide.artifact import Grant
from cleanroom.decide.commits import Commit, Commits, name_commits
from cleanroom.decide.cooldown import UnreadableError
from cleanroom.decide.mirror import Mirror
from cleanroom.decide.packets import FLUSH, encode_packet
from cleanroom.gateway import views as module
from cleanroom.gateway.refining import refining
from cleanroom.gateway.source import Want
from cleanroom.gateway.spool import Body
from cleanroom.gateway.views import GOOD_S, View, Views
from tests.decide.git_policies import A, B, C
from tests.gateway.shelves import Clock, Turned
from tests.gateway.upstreams import HOST, artifact, page, want

MIRRORS = {HOST: Mirror(HOST, "https://corp.test/npm")}


def _document(name: str, size: int = 0) -> bytes:
    times = {"1.0.0": "1970-01-01T00:00:10Z"}
    versions = {"1.0.0": {"readme": "x" * size}}
    return json.dumps({"name": name, "versions": versions, "time": times}).encode()


@dataclasses.dataclass
class World:
    """Views in a loop that a test turns."""

    clock: Clock
    reactor: Turned
    views: Views
    made: list[str] = dataclasses.field(default_factory=list)
    again: list[str] = dataclasses.field(default_factory=list)
    calls: dict[str, Callable[[], None]] = dataclasses.field(default_factory=dict)

    def take(self, asked: Want, document: bytes, name: str = "") -> View | None:
        """Ask for a view; `name` says who is called again."""
        call = self.calls.setdefault(name, lambda: self.again.append(name))
        body = Body.of(document, str(hash(document)))
        return self.views.take(asked, body, call)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    clock = Clock()
    reactor = Turned(clock)
    found = World(clock, reactor, Views(reactor))

    def counted(asked: Want, now_s: float) -> Callable[[bytes], bytes] | None:
        refine = refining(asked, now_s)
        if now_s:
            found.made.append(asked.sandbox_id)
        return refine

    monkeypatch.setattr(module, "refining", counted)
    yield found
    reactor.close()


def test_what_is_shown_as_it_is_needs_no_view(world: World) -> None:
    assert world.views.sight(want(page())) is None
    assert world.views.sight(want(artifact(b"", cooldown_s=60))) is None
    assert world.views.sight(want(page(cooldown_s=60))) is not None


def test_each_lock_file_has_a_view_of_its_own(world: World) -> None:
    page = f"003d{C} refs/heads/main\n0000".encode()
    seen = []
    for commit in (A, B, A):
        commits = Commits(name_commits([Commit(commit, "lockfile")]), None, "x")
        grant = Grant("git", "metadata", "/lib/git-upload-pack", body=b"0000", commits=commits)
        view = world.take(want(grant), page)
        assert view is not None
        assert commit.encode() in view.data
        seen.append(view)
    assert seen[0] is seen[2]
    assert C.encode() not in seen[0].data + seen[1].data


def test_equal_policies_share_a_view_until_versions_come_of_age(world: World) -> None:
    asked, document = want(page(cooldown_s=60)), _document("ms")
    first = world.take(asked, document)
    assert first is not None
    assert first is world.take(dataclasses.replace(asked, sandbox_id="sbx-b"), document)
    assert world.made == ["sbx-a"]
    world.clock.now += GOOD_S
    again = world.take(asked, document)
    assert again is not None
    assert again is not first
    assert (again.data, again.etag) == (first.data, first.etag)


@pytest.mark.parametrize(
    "other",
    [
        want(page(cooldown_s=61)),
        want(page(cooldown_s=60, excepted=("1.0.0",))),
        want(page(cooldown_s=60), mirrors=MIRRORS),
        dataclasses.replace(want(page(cooldown_s=60)), host="other.example"),
    ],
)
def test_another_policy_has_another_view(world: World, other: Want) -> None:
    document = _document("ms")
    views = [world.take(each, document) for each in (want(page(cooldown_s=60)), other)]
    assert views[0] is not views[1]
    assert len(world.made) == 2


def test_html_is_another_view_than_json(world: World) -> None:
    index = dataclasses.replace(page(cooldown_s=60), manager="pypi")
    document = b'{"name": "x", "files": []}'
    plain = world.take(want(index, accept="application/vnd.pypi.simple.v1+json"), document)
    html = world.take(want(index, accept="text/html"), document)
    assert plain is not None
    assert html is not None
    assert plain.data.startswith(b"{")
    assert html.data.startswith(b"<!DOCTYPE")


def test_a_page_that_cannot_be_judged_has_no_view(world: World) -> None:
    with pytest.raises(UnreadableError):
        world.take(want(page(cooldown_s=60)), b"<html>")


def test_others_have_their_turn_between_large_pages(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TURN", 1)
    asked = want(page(cooldown_s=60))
    names = [f"p{number}" for number in range(5)]
    for name in names:
        world.take(asked, _document(name), name)
    for count in range(1, 5):
        assert len(world.made) == count, "one in a turn"
        world.again.clear()
        world.reactor.turn(0.0)
        assert world.again == names[count:]
        for name in world.again:
            world.take(asked, _document(name), name)
    assert len(world.made) == 5


def test_a_sandbox_that_reads_nothing_of_much_waits_and_others_do_not(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_LIVE", 5000)
    monkeypatch.setattr(module, "MOST_KEPT", 1)
    asked = want(page(cooldown_s=60))
    held = world.take(asked, _document("a", 5000))
    assert held is not None
    small = world.take(dataclasses.replace(asked, sandbox_id="sbx-b"), _document("c"))
    assert small is not None, "of another sandbox"
    assert world.take(asked, _document("b"), "b") is None
    assert world.take(asked, _document("b"), "gone") is None
    world.views.forget(world.calls["gone"])
    world.views.forget(world.calls["gone"])
    world.reactor.turn(0.0)
    assert world.again == ["b"], "what is over waits no more"
    assert world.take(asked, _document("b"), "b") is None
    del held
    gc.collect()
    world.reactor.turn(0.0)
    assert world.again == ["b", "b"]
    assert world.take(asked, _document("b"), "b") is not None


def test_what_nobody_reads_is_kept_within_bounds(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_KEPT", 5000)
    asked = want(page(cooldown_s=60))
    for name in "abcabc":
        world.take(asked, _document(name, 2000))
    assert len(world.made) == 6, "the third one took the first one's place"
    world.take(asked, _document("c", 2000))
    assert len(world.made) == 6
    world.clock.now += GOOD_S
    world.take(asked, _document("c", 2000))
    gc.collect()
    assert 0 < world.views._bytes["sbx-a"] <= 5000


def test_a_sight_asks_for_its_own_want(world: World) -> None:
    sight = world.views.sight(want(page(cooldown_s=60)))
    assert sight is not None
    view = sight.of(Body.of(_document("ms"), "x"), lambda: None)
    assert view is not None
    assert b'"ms"' in view.data
    sight.forget(lambda: None)


def made(world: World, asked: Want, document: bytes) -> View:
    """Take a view as those do who are told to try again."""
    deadline = time.monotonic() + 60
    while (view := world.take(asked, document, "it")) is None:
        world.again.clear()
        while "it" not in world.again:
            assert time.monotonic() < deadline
            world.reactor.turn(0.01)
    return view


@pytest.fixture
def slow(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Event, Event]]:
    """What a page begins with, and waits for, where it is made in a thread."""
    begun, go_on = Event(), Event()
    counted: Callable[[Want, float], Callable[[bytes], bytes] | None] = vars(module)["refining"]

    def slowly(asked: Want, now_s: float) -> Callable[[bytes], bytes] | None:
        refine = counted(asked, now_s)
        assert refine is not None

        def wait(page: bytes) -> bytes:
            if threading.current_thread() is not threading.main_thread():
                begun.set()
                assert go_on.wait(60)
            return refine(page)

        return wait

    monkeypatch.setattr(module, "LONG", 5000)
    monkeypatch.setattr(module, "refining", slowly)
    yield begun, go_on
    go_on.set()


def test_a_long_page_is_made_while_others_go_on_and_one_at_a_time(
    world: World, slow: tuple[Event, Event]
) -> None:
    begun, go_on = slow
    asked = want(page(cooldown_s=60))
    assert world.take(asked, _document("a", 6000), "a") is None
    assert begun.wait(60)
    assert world.take(asked, _document("b", 6000), "b") is None
    assert world.take(asked, _document("c", 6000), "gone") is None
    world.views.forget(world.calls["gone"])
    assert world.take(asked, _document("small")) is not None
    world.reactor.turn(0.0)
    assert world.again == ["a", "b"], "after the turn with the small one they try, and wait again"
    assert world.take(asked, _document("b", 6000), "b") is None
    go_on.set()
    first = made(world, asked, _document("a", 6000))
    assert b'"a"' in first.data
    assert "b" in world.again
    assert b'"b"' in made(world, asked, _document("b", 6000)).data
    assert world.take(asked, _document("a", 6000)) is first


def test_a_long_page_that_cannot_be_judged_is_refused_and_not_tried_anew(
    world: World, slow: tuple[Event, Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    slow[1].set()
    monkeypatch.setattr(module, "_MOST_FAILED", 1)
    asked = want(page(cooldown_s=60))
    for bad in (b"<a>" * 2000, b"<b>" * 2000):
        for _ in range(2):
            with pytest.raises(UnreadableError):
                made(world, asked, bad)
    assert len(world.made) == 2
    assert len(world.views._failed) == 1
    world.clock.now += GOOD_S
    with pytest.raises(UnreadableError):
        made(world, asked, bad)
    assert len(world.made) == 3


def test_a_mistake_in_the_thread_ends_the_loop(
    world: World, slow: tuple[Event, Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    slow[1].set()

    def broken(_want: Want, _now_s: float) -> Callable[[bytes], bytes]:
        return lambda page: page[:1] + 1  # type: ignore[operator]

    monkeypatch.setattr(module, "refining", broken)
    with pytest.raises(TypeError):
        made(world, want(page(cooldown_s=60)), _document("a", 6000))


def test_a_short_list_of_branches_is_long_where_many_commits_are_pinned(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONG", 5000)
    names = [f"{number:03x}{0:037x}" for number in range(100)]
    pinned = name_commits(Commit(name, "lockfile") for name in names)
    commits = Commits(pinned, None, "l")
    grant = Grant("git", "metadata", "/a", name="a", commits=commits, body=b"x")
    page_of_git = b"".join(
        encode_packet(each) for each in (f"{names[0]} refs/heads/main".encode(), FLUSH)
    )
    assert world.take(want(grant), page_of_git) is None
    view = made(world, want(grant), page_of_git)
    assert view.data.count(b"refs/heads/locked-") == 99
