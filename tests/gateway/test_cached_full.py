"""The content cache on a full disk: old files make room for what is fetched."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.caches import World
from tests.gateway.shelves import room
from tests.gateway.upstreams import HOST, Reply, artifact, want

_PATH = "/ms/-/ms-2.1.3.tgz"
_BYTES = b"a package " * 1000


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with room(tmp_path / "cache") as made:
        yield World(made)


def test_on_a_full_disk_old_files_go_and_what_came_is_kept(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is so when the gateway has written half of it, so that it waits for the other half."""
    write = os.pwrite

    def full(descriptor: int, data: bytes, position: int) -> int:
        if position and list((tmp_path / "cache").glob("cas/sha256/*/*")):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data, position)

    world.room.put(HOST, "/old", b"old")
    monkeypatch.setattr(os, "pwrite", full)
    world.upstream.answers(_PATH, Reply(_BYTES))
    assert world.get(want(artifact(_BYTES))).body == _BYTES
    world.settle()
    assert world.room.store.info().blobs == 1
    assert world.get(want(artifact(_BYTES), offline=True)).body == _BYTES
