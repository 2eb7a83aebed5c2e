import dataclasses
from pathlib import Path

from cleanroom.errors import Code
from cleanroom.gateway.cached import CachedSource
from tests.gateway.shelves import room
from tests.gateway.upstreams import Reply, Taken, Upstream, artifact, want


def test_one_that_is_cancelled_hears_nothing_and_leaves_no_flight(tmp_path: Path) -> None:
    with room(tmp_path / "cache") as made:
        upstream = Upstream(made.reactor)
        cache = CachedSource(made.reactor, made.shelf, upstream)
        upstream.answers("/ms/-/ms-2.1.3.tgz", Reply(b"x", is_held=True))
        at_once, later = Taken(), Taken()
        cache.fetch(want(artifact(b"x")), at_once).cancel()
        fetching = cache.fetch(want(artifact(b"x")), later)
        made.turn_until(lambda: cache._flights)
        fetching.cancel()
        fetching.cancel()
        assert not cache._flights
        assert upstream.asked[0].is_cancelled
        assert not at_once.is_over
        assert not later.is_over


def test_one_that_is_held_to_the_first_seen_does_not_share_with_a_pinned_one(
    tmp_path: Path,
) -> None:
    with room(tmp_path / "cache") as made:
        upstream = Upstream(made.reactor)
        cache = CachedSource(made.reactor, made.shelf, upstream)
        grant = artifact(b"x")
        unpinned = dataclasses.replace(artifact(None), path=grant.path)
        upstream.answers(grant.path, Reply(b"x"), Reply(b"y"))
        pinned, seen = Taken(), Taken()
        cache.fetch(want(grant), pinned)
        cache.fetch(want(unpinned, "sbx-b"), seen)
        made.turn_until(lambda: pinned.is_over and seen.is_over)
        assert len(upstream.asked) == 2
        assert pinned.deny is None or pinned.deny.code is Code.INTEGRITY_MISMATCH
        assert seen.body in (b"x", b"y")
