"""What is served from the gateway's own memory is judged, named and confirmed as what is read."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cleanroom.errors import Code
from cleanroom.gateway import flight
from cleanroom.gateway.errand import FRESH_S
from cleanroom.gateway.memory import HOLD_S
from tests.gateway.caches import World
from tests.gateway.shelves import room
from tests.gateway.upstreams import Reply, artifact, page, sha256, want

_PATH = "/ms/-/ms-2.1.3.tgz"
_BYTES = b"a package " * 1000
_LARGE = bytes(range(256)) * 2000  # too large for the memory


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(flight, "_PAUSES_S", (0.01, 0.01, 0.01))
    with room(tmp_path / "cache") as made:
        yield World(made)


def _warm(world: World, data: bytes) -> None:
    world.upstream.answers(_PATH, Reply(data, fields=(("etag", '"1"'),)))
    world.get(want(artifact(data)))
    world.settle()
    world.room.clock.now += 10
    world.get(want(artifact(data)))


def _empty(world: World) -> None:
    for blob in list(world.room.store._index.blobs()):
        world.room.store.discard(blob)


def test_a_small_file_that_was_read_is_served_without_the_store(world: World) -> None:
    _warm(world, _BYTES)
    _empty(world)
    taken = world.get(want(artifact(_BYTES), "sbx-b", offline=True))
    assert taken.body == _BYTES
    assert taken.served
    assert (taken.served.cache, taken.served.digest) == ("hit", sha256(_BYTES))
    assert taken.answer
    assert taken.answer.field("etag") == '"1"'
    part = world.get(want(artifact(_BYTES), offline=True, range="bytes=2-5"))
    assert part.answer
    assert (part.answer.status, part.body) == (206, _BYTES[2:6])
    same = world.get(want(artifact(_BYTES), offline=True, if_none_match='"1"'))
    assert same.answer
    assert same.answer.status == 304
    world.room.clock.now += HOLD_S
    deny = world.get(want(artifact(_BYTES), offline=True)).deny
    assert deny
    assert deny.code is Code.OFFLINE_MISS


def test_what_was_removed_by_hand_is_not_in_memory_either(world: World) -> None:
    _warm(world, _BYTES)
    _empty(world)
    place = ("npm.example", _PATH, "", "")
    assert world.cache.memory.find(place)
    world.room.link.tell_removed()
    world.room.turn_until(lambda: world.cache.memory.find(place) is None)
    deny = world.get(want(artifact(_BYTES), offline=True)).deny
    assert deny
    assert deny.code is Code.OFFLINE_MISS


def test_another_pin_is_not_served_what_this_one_fits(world: World) -> None:
    _warm(world, _BYTES)
    world.upstream.answers(_PATH, Reply(_BYTES))
    deny = world.get(want(artifact(b"other bytes"), "sbx-b")).deny
    assert deny
    assert deny.code is Code.INTEGRITY_MISMATCH
    assert world.get(want(artifact(_BYTES))).body == _BYTES


def test_a_page_is_no_fresher_in_memory_than_in_the_store(world: World) -> None:
    world.upstream.answers("/ms", Reply(b"{}"), Reply(b"{1}"))
    world.get(want(page()))
    world.settle()
    world.room.clock.now += FRESH_S - 20
    assert world.get(want(page())).body == b"{}"
    world.room.clock.now += 10
    assert world.get(want(page())).body == b"{}"
    assert len(world.upstream.asked) == 1
    world.room.clock.now += 11
    assert world.get(want(page())).body == b"{1}"
    world.settle()
    assert world.get(want(page())).body == b"{1}"
    assert len(world.upstream.asked) == 2


def test_go_digests_are_not_taken_from_memory(world: World) -> None:
    grant = replace(artifact(_BYTES), manager="go", digests=("h1:no",), path=_PATH)
    _warm(world, _BYTES)
    deny = world.get(want(grant)).deny
    assert deny
    assert deny.code is Code.INTEGRITY_MISMATCH


def test_a_large_file_is_hashed_again_only_when_it_was_changed(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _warm(world, _LARGE)
    reads: list[int] = []
    pread = os.pread

    def counts(descriptor: int, size: int, position: int) -> bytes:
        reads.append(position)
        return pread(descriptor, size, position)

    with monkeypatch.context() as patch:
        patch.setattr("cleanroom.gateway.spool.os.pread", counts)
        assert world.get(want(artifact(_LARGE), "sbx-b")).body == _LARGE
    assert sorted(reads) == sorted(set(reads))  # each piece once: to be sent
    [blob] = (tmp_path / "cache" / "cas" / "sha256").glob("*/*")
    blob.write_bytes(b"A" + _LARGE[1:])
    taken = world.get(want(artifact(_LARGE)))
    assert taken.body == _LARGE
    assert taken.served
    assert taken.served.cache == "miss"
