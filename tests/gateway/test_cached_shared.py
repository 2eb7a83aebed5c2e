"""Sandboxes that wait for one fetch: what ends the first one ends no other."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cleanroom.decide.model import Deny
from cleanroom.errors import Code
from cleanroom.gateway.cached import CachedSource
from cleanroom.gateway.shelf import Shelf
from cleanroom.gateway.source import Fetching, Taker, Want
from tests.gateway.caches import World
from tests.gateway.shelves import room
from tests.gateway.upstreams import Reply, Taken, artifact, page, want

_PATH = "/ms/-/ms-2.1.3.tgz"
_BYTES = b"a package " * 1000


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with room(tmp_path / "cache") as made:
        yield World(made)


@pytest.mark.parametrize("body", [_BYTES, b""], ids=["bytes came", "none yet"])
def test_others_go_on_when_the_sandbox_that_came_first_ends(world: World, body: bytes) -> None:
    ended = Deny(Code.CANCELED, "the sandbox has ended")
    world.upstream.answers(_PATH, Reply(body, length=len(_BYTES), is_held=True), Reply(_BYTES))
    first, others = Taken(), [Taken(), Taken(), Taken()]
    world.cache.fetch(want(artifact(_BYTES)), first)
    world.room.turn_until(lambda: world.upstream.asked)
    for number, other in enumerate(others):
        world.cache.fetch(want(artifact(_BYTES), f"sbx-{number // 2}"), other)
    [shared] = world.cache._flights.values()
    world.room.turn_until(lambda: len(shared._errands) == 4)
    world.upstream.asked[0].taker.failed(ended)
    world.room.turn_until(lambda: all(each.is_over for each in (first, *others)))
    assert first.deny == ended
    assert [other.body for other in others] == [_BYTES] * 3
    assert len(world.upstream.asked) == 3, "once for each sandbox that goes on"
    world.settle()
    assert not world.cache._spooled


def test_others_go_on_when_the_sandbox_that_came_first_has_fetched_too_much(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cleanroom.gateway.cached.MOST_SPOOLED", len(_BYTES) + 1)
    world.upstream.answers("/ms", Reply(b"xx", is_held=True))
    world.upstream.answers(_PATH, Reply(_BYTES))
    busy, first, other = Taken(), Taken(), Taken()
    fetching = world.cache.fetch(want(page()), busy)
    world.room.turn_until(lambda: world.cache._spooled["sbx-a"] == 2)
    world.cache.fetch(want(artifact(_BYTES)), first)
    world.cache.fetch(want(artifact(_BYTES), "sbx-b"), other)
    world.room.turn_until(lambda: first.is_over and other.is_over)
    assert first.deny
    assert first.deny.code is Code.RESOURCE_LIMIT
    assert other.body == _BYTES
    fetching.cancel()
    world.settle()


def test_without_a_store_one_sandbox_has_only_so_much_in_memory(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of all that it fetches at once, not of each."""
    monkeypatch.setattr("cleanroom.gateway.cached.MEMORY_LIMIT", len(_BYTES) + 1)
    world.cache = CachedSource(world.room.reactor, Shelf(world.room.reactor, None), world.upstream)
    world.upstream.answers("/ms", Reply(b"xx", is_held=True))
    world.upstream.answers(_PATH, Reply(_BYTES))
    grant, taken = artifact(_BYTES, fallback="direct"), Taken()
    fetching = world.cache.fetch(want(page(fallback="direct")), taken)
    world.room.turn_until(lambda: world.cache._spooled["sbx-a"] == 2)
    refused = world.get(want(grant)).deny
    assert refused is not None
    assert refused.code is Code.RESOURCE_LIMIT
    assert world.get(want(grant, "sbx-b")).body == _BYTES
    fetching.cancel()


def test_who_is_offline_waits_for_no_fetch_of_others(world: World) -> None:
    """It would go on for the offline one alone when the others have left."""
    world.upstream.answers("/ms", Reply(b"part", length=9, is_held=True))
    fetching = world.cache.fetch(want(page()), Taken())
    world.room.turn_until(lambda: world.upstream.asked and world.upstream.asked[0].is_begun)
    refused = world.get(want(page(), "sbx-b", offline=True)).deny
    assert refused is not None
    assert refused.code is Code.OFFLINE_MISS
    fetching.cancel()
    world.settle()
    assert world.upstream.asked[0].is_cancelled


def test_what_was_begun_is_cut_when_the_sandbox_that_came_first_ends(world: World) -> None:
    world.upstream.answers("/ms", Reply(b"part", length=9, is_held=True))
    first, other = Taken(), Taken()
    world.cache.fetch(want(page()), first)
    world.cache.fetch(want(page(), "sbx-b"), other)
    world.room.turn_until(lambda: other.body)
    world.upstream.asked[0].taker.failed(Deny(Code.CANCELED, "the sandbox has ended"))
    world.room.turn_until(lambda: first.is_over and other.is_over)
    assert other.deny
    assert other.body == b"part"


@pytest.mark.parametrize("is_late", [False, True])
def test_a_page_from_elsewhere_is_for_the_sandbox_whose_policy_allowed_the_redirect(
    world: World,
    is_late: bool,  # noqa: FBT001
) -> None:
    world.upstream.answers(
        "/ms",
        Reply(b"from elsewhere", is_held=True, sender="elsewhere.example"),
        Reply(b"own", is_held=True),
    )
    first, same, other = Taken(), Taken(), Taken()
    world.cache.fetch(want(page()), first)
    world.cache.fetch(want(page()), same)
    if is_late:
        world.room.turn_until(lambda: first.answer)
    world.cache.fetch(want(page(), "sbx-b"), other)
    asked = world.upstream.asked
    world.room.turn_until(lambda: len(asked) == 2 and all(each.is_begun for each in asked))
    for each in asked:
        each.finish()
    world.room.turn_until(lambda: first.is_over and same.is_over and other.is_over)
    assert (first.body, same.body) == (b"from elsewhere", b"from elsewhere")
    assert other.body == b"own"


def test_a_pinned_artifact_from_elsewhere_is_shared(world: World) -> None:
    world.upstream.answers(_PATH, Reply(_BYTES, sender="elsewhere.example"))
    first, other = Taken(), Taken()
    world.cache.fetch(want(artifact(_BYTES)), first)
    world.cache.fetch(want(artifact(_BYTES), "sbx-b"), other)
    world.room.turn_until(lambda: first.is_over and other.is_over)
    assert other.body == _BYTES
    assert len(world.upstream.asked) == 1


def test_what_is_kept_from_elsewhere_is_for_policies_that_name_where_it_came_from(
    world: World,
) -> None:
    """Whether the store has it, or the gateway's memory."""
    world.upstream.answers("/ms", Reply(b"brought", sender="elsewhere.example"), Reply(b"own"))
    both = page()
    both = replace(both, sites=(*both.sites, "elsewhere.example"))
    assert world.get(want(both)).body == b"brought"
    world.settle()
    assert world.get(want(both, "sbx-b", offline=True)).body == b"brought"
    assert world.get(want(page(), "sbx-b", offline=True)).deny is not None
    assert world.get(want(page(), "sbx-b")).body == b"own"
    world.settle()
    assert world.get(want(both, offline=True)).body == b"own"


def test_of_one_host_it_is_for_policies_whose_registry_has_the_path_that_it_came_from(
    world: World,
) -> None:
    """Another policy may divide the host otherwise."""
    host = page().sites[0]
    world.upstream.answers("/ms", Reply(b"brought", sender=f"{host}/npm/ms"), Reply(b"own"))
    assert world.get(want(page())).body == b"brought"
    world.settle()
    assert world.get(want(page(), "sbx-b", offline=True)).body == b"brought"
    divided = replace(page(), beside=(f"{host}/npm",))
    assert world.get(want(divided, "sbx-b", offline=True)).deny is not None
    assert world.get(want(divided, "sbx-b")).body == b"own"


def test_an_artifact_without_a_digest_is_so_too_and_a_pinned_one_is_for_all(world: World) -> None:
    world.upstream.answers(_PATH, Reply(_BYTES, sender="elsewhere.example"))
    loose, pinned = artifact(None), artifact(_BYTES)
    both = replace(loose, sites=(*loose.sites, "elsewhere.example"))
    assert world.get(want(both)).body == _BYTES
    world.settle()
    assert world.get(want(loose, "sbx-b", offline=True)).deny is not None
    assert world.get(want(pinned, "sbx-b", offline=True)).body == _BYTES


@pytest.mark.parametrize("is_down", [False, True])
def test_what_is_still_so_elsewhere_is_for_policies_that_name_where_it_came_from(
    world: World,
    is_down: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also for those who only wait until the upstream has confirmed it, or is found down."""
    monkeypatch.setattr("cleanroom.gateway.flight._PAUSES_S", (0.01,) * 3)
    later = [Reply(down=True)] * 4 if is_down else [Reply(b"", 304)]
    brought = Reply(b"brought", fields=(("etag", '"1"'),), sender="elsewhere.example")
    world.upstream.answers("/ms", brought, *later, Reply(b"own"))
    both = page()
    both = replace(both, sites=(*both.sites, "elsewhere.example"))
    assert world.get(want(both)).body == b"brought"
    world.settle()
    world.room.clock.now += 120
    first, other, fetch = Taken(), Taken(), world.upstream.fetch

    def fetch_while_another_comes(asked: Want, taker: Taker) -> Fetching:
        if len(world.upstream.asked) == 1:
            world.cache.fetch(want(page(), "sbx-b"), other)
        return fetch(asked, taker)

    monkeypatch.setattr(world.upstream, "fetch", fetch_while_another_comes)
    world.cache.fetch(want(both), first)
    world.room.turn_until(lambda: first.is_over and other.is_over)
    assert (first.body, other.body) == (b"brought", b"own")
