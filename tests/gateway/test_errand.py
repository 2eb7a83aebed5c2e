import dataclasses
from pathlib import Path

import pytest

from cleanroom.decide.artifact import Grant
from cleanroom.decide.upload_pack import PACK, TALK
from cleanroom.errors import Code
from cleanroom.gateway.cached import CachedSource
from tests.decide.test_pack import NEW
from tests.decide.test_upload_pack import pkt
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


GIT = Grant(
    "git", "artifact", "/lib/git-upload-pack", "lib", digests=(PACK, TALK), body=b"0000",
    form="git 0", strength="unlocked",
)  # fmt: skip


@pytest.mark.parametrize(
    ("grant", "answer", "asked"),
    [
        (GIT, NEW, 1),
        (dataclasses.replace(GIT, is_lasting=False), NEW, 2),
        (GIT, pkt("ERR upload-pack: not our ref"), 2),
        (GIT, pkt("acknowledgments", "NAK", 0), 2),
    ],
)
def test_of_git_only_whole_packs_are_kept(
    tmp_path: Path, grant: Grant, answer: bytes, asked: int
) -> None:
    with room(tmp_path / "cache") as made:
        upstream = Upstream(made.reactor)
        cache = CachedSource(made.reactor, made.shelf, upstream)
        upstream.answers(grant.path, Reply(answer))
        both = Taken(), Taken()
        for taken in both:
            cache.fetch(want(grant, method="POST"), taken)
            made.turn_until(lambda: not cache._flights and both[0].is_over)
        made.turn_until(lambda: both[1].is_over and not cache._flights)
        assert [each.body for each in both] == [answer, answer]
        assert len(upstream.asked) == asked


def test_half_a_pack_releases_nothing(tmp_path: Path) -> None:
    with room(tmp_path / "cache") as made:
        upstream = Upstream(made.reactor)
        cache = CachedSource(made.reactor, made.shelf, upstream)
        upstream.answers(GIT.path, Reply(NEW[: len(NEW) // 2]))
        taken = Taken()
        cache.fetch(want(GIT, method="POST"), taken)
        made.turn_until(lambda: taken.is_over)
        assert taken.answer is None
        assert taken.deny is not None
        assert taken.deny.code is Code.UPSTREAM_UNREACHABLE
        assert "sent an answer that is cut, or is none of git's for lib" in taken.deny.reason
        assert made.store.info().blobs == 0
