import errno
import hashlib
import os
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cleanroom.cache import store as module
from cleanroom.cache.model import Fields, Key
from cleanroom.cache.store import IntegrityError, Store

_KEY = Key("npm.example", "/ms/-/ms-2.1.3.tgz")
_FIELDS = Fields("application/octet-stream")
_BYTES = b"a package" * 1000
_SHA256 = hashlib.sha256(_BYTES).hexdigest()


class _Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


@pytest.fixture
def store(tmp_path: Path, clock: _Clock) -> Iterator[Store]:
    store = Store.open(tmp_path / "cache", 10**6, clock)
    yield store
    store.close()


def _put(store: Store, data: bytes, key: Key = _KEY, wanted: tuple[str, ...] = ()) -> str:
    spool = store.spool()
    try:
        os.write(spool, data)
        return store.keep(key, spool, _FIELDS, wanted).sha256
    finally:
        os.close(spool)


def _get(store: Store, key: Key = _KEY) -> bytes | None:
    found = store.find(key)
    if found is None:
        return None
    entry, descriptor = found
    with os.fdopen(descriptor, "rb") as file:
        data = file.read()
    assert hashlib.sha256(data).hexdigest() == entry.digests.sha256
    return data


def _blob(tmp_path: Path, sha256: str = _SHA256) -> Path:
    return tmp_path / "cache" / "cas" / "sha256" / sha256[:2] / sha256


def test_what_is_kept_is_found_with_its_digests(store: Store, tmp_path: Path) -> None:
    assert _put(store, _BYTES) == _SHA256
    found = store.find(_KEY)
    assert found
    entry, descriptor = found
    os.close(descriptor)
    assert entry.fields == _FIELDS
    assert entry.digests.size == len(_BYTES)
    assert entry.digests.sha512 == hashlib.sha512(_BYTES).hexdigest()
    assert entry.digests.sha1 == hashlib.sha1(_BYTES).hexdigest()  # noqa: S324 -- npm's old digests
    assert _get(store) == _BYTES
    assert _blob(tmp_path).stat().st_mode & 0o777 == 0o600
    assert list((tmp_path / "cache" / "tmp").iterdir()) == []


def test_a_digest_alone_finds_nothing(store: Store) -> None:
    _put(store, _BYTES, Key("private.example", "/ms", identity="a token"))
    assert _get(store, Key("private.example", "/ms")) is None
    assert _get(store) is None


def test_what_is_not_what_it_must_be_is_not_kept(store: Store, tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="not those"):
        _put(store, _BYTES, wanted=("sha256:" + "0" * 64,))
    assert store.find(_KEY) is None
    assert list((tmp_path / "cache" / "cas" / "sha256").iterdir()) == []
    assert list((tmp_path / "cache" / "tmp").iterdir()) == []
    _put(store, _BYTES, wanted=("sha512:" + "0" * 128, "sha256:" + _SHA256))


def test_a_spool_that_changes_later_changes_nothing(store: Store) -> None:
    spool = store.spool()
    os.write(spool, _BYTES)
    store.keep(_KEY, spool, _FIELDS, ())
    os.pwrite(spool, b"poison", 0)
    os.close(spool)
    assert _get(store) == _BYTES


def test_a_blob_of_another_length_or_without_a_file_is_a_miss(store: Store, tmp_path: Path) -> None:
    _put(store, _BYTES)
    _blob(tmp_path).write_bytes(_BYTES[:-1])
    assert store.find(_KEY) is None
    assert store.info().blobs == 0
    _put(store, _BYTES)
    _blob(tmp_path).unlink()
    assert store.find(_KEY) is None
    assert store.info().entries == 0


def test_a_link_in_place_of_a_blob_is_not_followed(store: Store, tmp_path: Path) -> None:
    _put(store, _BYTES)
    _blob(tmp_path).unlink()
    (tmp_path / "secret").write_bytes(_BYTES)
    _blob(tmp_path).symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="symbolic"):
        store.find(_KEY)
    assert store.verify().damaged == (_SHA256,)


def test_a_scrub_finds_and_removes_what_was_damaged(store: Store, tmp_path: Path) -> None:
    _put(store, _BYTES)
    _put(store, b"other", Key("npm.example", "/other"))
    assert store.verify().right == 2
    _blob(tmp_path).write_bytes(b"b" + _BYTES[1:])
    checked = store.verify()
    assert (checked.right, checked.damaged) == (1, (_SHA256,))
    assert store.find(_KEY) is None
    assert not _blob(tmp_path).exists()


def test_the_longest_unused_go_when_the_limit_is_reached(tmp_path: Path, clock: _Clock) -> None:
    store = Store.open(tmp_path / "cache", 2500, clock)
    for number in range(3):
        clock.now += 1000
        _put(store, bytes([number]) * 1000, Key("npm.example", f"/{number}"))
    assert [_get(store, Key("npm.example", f"/{number}")) is None for number in range(3)] == [
        True,
        False,
        False,
    ]
    assert store.info().bytes == 2000
    assert store.prune(1000) == 1000
    assert _get(store, Key("npm.example", "/2"))
    store.close()


def test_the_index_has_a_limit_of_its_own(
    store: Store, clock: _Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_ENTRIES", 10)
    for number in range(12):
        clock.now += 1000
        _put(store, bytes([number]), Key("npm.example", f"/{number}"))
    assert store.info().entries <= 10
    assert _get(store, Key("npm.example", "/0")) is None
    assert _get(store, Key("npm.example", "/11")) == bytes([11])


def test_room_is_looked_for_now_and_then_only(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0

    def look() -> int:
        nonlocal looks
        looks += 1
        return 0

    monkeypatch.setattr(store._index, "seen", look)
    for number in range(20):
        _put(store, bytes([number]) * 1000, Key("npm.example", f"/{number}"))
    # at once (another daemon may have filled it), then after each 1/256 of 10**6 bytes
    assert looks == 1 + 19 // 4


def test_what_was_seen_first_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SEEN", 20)
    for number in range(25):
        key = Key("npm.example", f"/{number}")
        store.see(key, _put(store, bytes([number]), key))
    assert 18 <= store._index.seen() <= 20
    assert store.first_seen(Key("npm.example", "/24"))


def test_pruning_removes_what_nobody_knows_when_it_is_old(
    store: Store, tmp_path: Path, clock: _Clock
) -> None:
    _put(store, _BYTES)
    left = [_blob(tmp_path).parent / ("f" * 64), tmp_path / "cache" / "tmp" / "left"]
    for path in left:
        path.write_bytes(b"killed")
        os.utime(path, (clock.now, clock.now))
    assert store.prune(10**6) == 0
    assert all(path.exists() for path in left)
    clock.now += 4000
    os.utime(_blob(tmp_path), (0, 0))
    store.prune(10**6)
    assert not any(path.exists() for path in left)
    assert _get(store) == _BYTES


def test_the_first_seen_binds(store: Store) -> None:
    assert store.first_seen(_KEY) == ""
    assert store.see(_KEY, "a" * 64) == "a" * 64
    assert store.see(_KEY, "b" * 64) == "a" * 64
    assert store.first_seen(_KEY) == "a" * 64


def test_a_validation_is_kept(store: Store, clock: _Clock) -> None:
    _put(store, _BYTES)
    clock.now += 700
    store.validated(_KEY)
    found = store.find(_KEY)
    assert found
    os.close(found[1])
    assert found[0].validated_s == clock.now


def test_two_stores_share_a_folder(store: Store, tmp_path: Path, clock: _Clock) -> None:
    other = Store.open(tmp_path / "cache", 10**6, clock)
    _put(store, _BYTES)
    assert _get(other) == _BYTES
    _put(other, _BYTES, Key("npm.example", "/again"))
    other.discard(_SHA256)
    assert _get(store) is None
    other.close()


def test_a_writer_that_is_killed_leaves_no_half_blob(tmp_path: Path, clock: _Clock) -> None:
    # It dies after half of the copy: what a kill or a full disk leaves.
    program = """
        import os, sys
        from pathlib import Path
        from cleanroom.cache.model import Fields, Key
        from cleanroom.cache.store import Store
        store = Store.open(Path(sys.argv[1]), 10**6, lambda: 0.0)
        spool = store.spool()
        os.write(spool, b"x" * 3_000_000)
        write, count = os.write, 0
        def dying(descriptor, data):
            global count
            count += 1
            if count == 2:
                os.kill(os.getpid(), 9)
            return write(descriptor, data)
        os.write = dying
        store.keep(Key("npm.example", "/big"), spool, Fields(), ())
    """
    folder = tmp_path / "cache"
    command = [sys.executable, "-c", textwrap.dedent(program), str(folder)]
    assert subprocess.run(command, check=False).returncode == -9
    left = list((folder / "tmp").iterdir())
    assert len(left) == 1
    clock.now = left[0].stat().st_mtime + 4000
    store = Store.open(folder, 10**6, clock)
    assert list((folder / "cas" / "sha256").iterdir()) == []
    assert list((folder / "tmp").iterdir()) == []
    assert store.find(Key("npm.example", "/big")) is None
    store.close()


def _fill(folder: Path, monkeypatch: pytest.MonkeyPatch, *, room_for: int) -> None:
    """Have a disk that takes nothing more while it has more blobs than that."""
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        if len(list(folder.glob("cas/sha256/*/*"))) > room_for:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", full)


def test_on_a_full_disk_the_oldest_files_go_for_a_new_one(
    store: Store, clock: _Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [Key("npm.example", f"/{number}") for number in range(4)]
    for key in keys[:3]:
        clock.now += 1000
        _put(store, key.path.encode() * 2000, key)
    spool = store.spool()
    os.write(spool, b"3" * 6000)
    with monkeypatch.context() as context:
        _fill(tmp_path / "cache", context, room_for=1)
        store.keep(keys[3], spool, _FIELDS, ())
    os.close(spool)
    assert [_get(store, key) is not None for key in keys] == [False, False, True, True]


def test_what_cannot_be_written_for_another_reason_costs_no_file(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_descriptor: int, _data: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    _put(store, _BYTES)
    spool = store.spool()
    os.write(spool, b"x")
    with monkeypatch.context() as context:
        context.setattr(os, "write", fails)
        with pytest.raises(OSError, match="Input"):
            store.keep(Key("npm.example", "/x"), spool, _FIELDS, ())
    os.close(spool)
    assert _get(store) == _BYTES


def test_an_index_that_has_no_room_is_a_full_disk_too(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    _put(store, _BYTES)
    add, fails = store._index.add, [sqlite3.SQLITE_FULL]

    def full(*words: Any) -> None:  # noqa: ANN401
        if fails:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = fails.pop()
            raise error
        add(*words)

    monkeypatch.setattr(store._index, "add", full)
    key = Key("npm.example", "/x")
    _put(store, b"x", key)
    assert (_get(store, key), _get(store)) == (b"x", None)
    fails.append(sqlite3.SQLITE_BUSY)
    with pytest.raises(sqlite3.OperationalError):
        _put(store, b"y", _KEY)
    assert _get(store, key) == b"x"


def test_a_disk_that_is_really_full_holds_what_came_last(tmp_path: Path) -> None:
    """4 MiB, as any user may have in a namespace of one's own; the spool is on it too."""
    program = """
        import os, sys
        from pathlib import Path
        from cleanroom.cache.model import Fields, Key
        from cleanroom.cache.store import Store
        now = [1e9]
        store = Store.open(Path(sys.argv[1], "cache"), 10**9, lambda: now[0])
        def written(spool, data):
            at = 0
            while at < len(data):
                try:
                    at += os.pwrite(spool, data[at:], at)
                except OSError as error:
                    assert error.errno == 28 and store.make_space(len(data) - at), error
        keys = [Key("npm.example", f"/{number}") for number in range(12)]
        for number, key in enumerate(keys):
            now[0] += 1000
            spool = store.spool()
            written(spool, bytes([number]) * 1_000_000)
            store.keep(key, spool, Fields(), ())
            os.close(spool)
        kept = [key.path for key in keys if store.find(key) is not None]
        checked = store.verify()
        print(kept[-1], 1 <= len(kept) <= 3, checked.right == len(kept), checked.damaged)
        store.close()
    """
    inside = 'mount -t tmpfs -o size=4m tmpfs "$1" && exec "$0" -c "$2" "$1"'
    words = ["unshare", "-Urm", "sh", "-c", inside, sys.executable, str(tmp_path)]
    command = [words[0], *words[1:], textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "/11 True True ()\n", done.stderr


def test_a_full_disk_keeps_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int, _data: object) -> int:
        raise OSError(28, "No space left on device")

    spool = store.spool()
    os.write(spool, _BYTES)
    with monkeypatch.context() as context:
        context.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space"):
            store.keep(_KEY, spool, _FIELDS, ())
    os.close(spool)
    assert store.find(_KEY) is None
    assert _put(store, _BYTES) == _SHA256
