"""Who makes space in the store while somebody else does."""

import contextlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cleanroom.cache.index import Index
from cleanroom.cache.model import Fields, Key
from cleanroom.cache.store import Store


def test_two_who_need_space_at_once_make_it_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.open(tmp_path / "cache", 10**6, lambda: 1_800_000_000.0)
    for number in range(3):
        spool = store.spool()
        os.write(spool, bytes([number]) * 10_000)
        store.keep(Key("npm.example", f"/{number}"), spool, Fields(), ())
        os.close(spool)
    both, oldest = threading.Barrier(2), Index.oldest

    def together(index: Index, size: int) -> list[str]:
        found = oldest(index, size)
        with contextlib.suppress(threading.BrokenBarrierError):  # where they take turns
            both.wait(0.3)
        return found

    monkeypatch.setattr(Index, "oldest", together)
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(store.make_space, (1, 1))) == [True, True]
    assert store.info().blobs == 1
    store.close()
