"""The content cache on disk: blobs by their digest, put in place by rename when they are whole.

In: bytes in a descriptor, what they must be. Out: descriptors to read. Never: half a blob under its
name, whatever is killed or full; bytes under another digest than their own; a link followed.

`cas/sha256/ab/<hex>` are the blobs, `tmp/` what is being written, `index.db` says what is where,
`identity.key` is what identities are hashed with: the index is no list of digests of tokens.
Several daemons may share the folder: a blob is the same file for all, and SQLite keeps the index.
"""

import contextlib
import errno
import hashlib
import hmac
import os
import secrets
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final, Self, TypeVar

from cleanroom.cache.identity import key_of
from cleanroom.cache.index import Index
from cleanroom.cache.model import Checked, Digests, Entry, Fields, Info, Key

_INDEX: Final = "index.db"
_CHUNK: Final = 1024 * 1024
_ABANDONED_S: Final = 3600  # a file in tmp/ older than this is a killed daemon's
_ROOM: Final = 0.9  # of the limit is left when blobs had to go
MOST_ENTRIES: Final = 500_000
MOST_SEEN: Final = 100_000  # of what was seen first; ADR 33
_LOOKS: Final = 256  # while the cache fills once: each counts all that is there

Clock = Callable[[], float]
Result = TypeVar("Result")


class IntegrityError(Exception):
    """The bytes are not what they must be."""


class Store:
    """One folder. Its methods block: they belong into a thread."""

    def __init__(self, folder: Path, secret: bytes, index: Index, limit: int, clock: Clock) -> None:
        self._folder = folder
        self._secret = secret
        self._index = index
        self._limit = limit
        self._clock = clock
        # What was kept since the last look for room; at first, enough for one.
        self._new_bytes, self._new_rows = limit + 1, 0
        self._file = _file_of(folder)
        self._making_space = threading.Lock()

    @classmethod
    def open(cls, folder: Path, limit: int, clock: Clock) -> Self:
        """Open or make it. Raises OSError, sqlite3.Error."""
        for each in (folder, folder / "cas" / "sha256", folder / "tmp"):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
        secret = key_of(folder)
        store = cls(folder, secret, Index.open(folder / _INDEX), limit, clock)
        store._remove_abandoned()
        return store

    def close(self) -> None:
        """Release the index."""
        self._index.close()

    def is_in_place(self) -> bool:
        """Tell whether the folder is still the one that was opened: people remove caches."""
        return self._file is not None and self._file == _file_of(self._folder)

    # --- serving --------------------------------------------------------------------------

    def find(self, key: Key) -> tuple[Entry, int] | None:
        """Return what is kept under `key` and a descriptor to read it, which is the caller's."""
        entry = self._index.find(self._keyed(key), self._now())
        if entry is None:
            return None
        try:
            descriptor = self._open_blob(entry.digests.sha256)
        except FileNotFoundError:
            self._index.forget(entry.digests.sha256)  # removed by hand, or by another daemon
            return None
        if os.fstat(descriptor).st_size != entry.digests.size:
            os.close(descriptor)
            self.discard(entry.digests.sha256)
            return None
        return entry, descriptor

    def age_s(self, entry: Entry) -> float:
        """Return how long ago the upstream last confirmed an entry."""
        return max(0.0, self._clock() - entry.validated_s)

    def first_seen(self, key: Key) -> str:
        """Return the SHA-256 that was seen first under `key`, "" if nothing was."""
        return self._index.first_seen(self._keyed(key))

    def spool(self) -> int:
        """Return a descriptor of a new file that has no name. Raises OSError, sqlite3.Error."""
        return self._with_space(0, self._open_spool)

    def _open_spool(self) -> int:
        path = self._folder / "tmp" / secrets.token_hex(16)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o600)
        path.unlink()
        return descriptor

    # --- keeping --------------------------------------------------------------------------

    def keep(self, key: Key, source: int, fields: Fields, wanted: tuple[str, ...]) -> Digests:
        """Copy what `source` holds into the store, if it is what it must be.

        It is copied, so that nobody who can still write to `source` can change what is kept.
        `wanted`: digests, one of which it must have; empty: any will do.
        Where the disk is full, the longest unused files go for it, once.
        Raises IntegrityError, OSError, sqlite3.Error; then nothing of it is kept.
        """
        size = os.fstat(source).st_size
        return self._with_space(size, lambda: self._keep(key, source, fields, wanted))

    def _keep(self, key: Key, source: int, fields: Fields, wanted: tuple[str, ...]) -> Digests:
        with self._temporary() as (path, descriptor):
            digests = _copy(source, descriptor)
            if wanted and not digests.has_any(wanted):
                message = f"the bytes of {key.host}{key.path} are not those that were asked for"
                raise IntegrityError(message)
            os.fsync(descriptor)
            self._put_in_place(path, digests.sha256)
        self._index.add(self._keyed(key), digests, fields, self._now())
        self._new_bytes += digests.size
        self._new_rows += 1
        self._make_room()
        return digests

    def see(self, key: Key, sha256: str) -> str:
        """Return what binds under `key` from now on: `sha256`, unless something was seen before."""
        return self._index.first_seen(self._keyed(key), sha256)

    def validated(self, key: Key) -> None:
        """Take note that the upstream's answer is still the one that is kept."""
        self._index.validated(self._keyed(key), self._now())

    def discard(self, sha256: str) -> None:
        """Remove a blob and all that leads to it."""
        self._index.forget(sha256)
        with contextlib.suppress(FileNotFoundError):
            self._path(sha256).unlink()

    # --- upkeep ---------------------------------------------------------------------------

    def info(self) -> Info:
        """Return what is kept."""
        return self._index.info(self._limit)

    def bytes_of_git(self) -> int:
        """Return how much of it came from git hosts."""
        return self._index.bytes_of_git()

    def make_space(self, size: int) -> bool:
        """Have the longest unused files go for so many bytes; False: there were none."""
        with self._making_space:  # two at once would count the same files
            gone = self._index.oldest(max(size, self._limit // _LOOKS))
            for sha256 in gone:  # before the index, which needs room itself to forget
                self._path(sha256).unlink(missing_ok=True)
            for sha256 in gone:
                self._index.forget(sha256)
        return bool(gone)

    def verify(self) -> Checked:
        """Read every blob; remove those that are not what their name says."""
        right, damaged = 0, []
        for sha256, size in self._index.blobs().items():
            if self._is_right(sha256, size):
                right += 1
            else:
                self.discard(sha256)
                damaged.append(sha256)
        return Checked(right, tuple(damaged))

    def prune(self, limit: int) -> int:
        """Remove the longest unused blobs until `limit` bytes are left, and files nobody knows.

        Returns how many bytes of known blobs were removed.
        """
        before = self._index.info(0).bytes
        for sha256 in self._index.oldest(before - limit):
            self.discard(sha256)
        self._remove_unknown()
        self._remove_abandoned()
        return before - self._index.info(0).bytes

    # --- inside ---------------------------------------------------------------------------

    def _with_space(self, size: int, work: Callable[[], Result]) -> Result:
        """Do it; on a full disk once more, when old files have gone."""
        try:
            return work()
        except (OSError, sqlite3.OperationalError) as error:
            if not _is_full(error) or not self.make_space(size):
                raise
        return work()

    def _keyed(self, key: Key) -> Key:
        if not key.identity:
            return key
        keyed = hmac.digest(self._secret, key.identity.encode(), "sha256")
        return replace(key, identity=keyed.hex())

    def _now(self) -> int:
        return int(self._clock())

    def _path(self, sha256: str) -> Path:
        return self._folder / "cas" / "sha256" / sha256[:2] / sha256

    def _open_blob(self, sha256: str) -> int:
        return os.open(self._path(sha256), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)

    @contextlib.contextmanager
    def _temporary(self) -> Iterator[tuple[Path, int]]:
        path = self._folder / "tmp" / secrets.token_hex(16)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
        try:
            yield path, descriptor
        finally:
            os.close(descriptor)
            path.unlink(missing_ok=True)

    def _put_in_place(self, path: Path, sha256: str) -> None:
        final = self._path(sha256)
        final.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.rename(final)
        folder = os.open(final.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _make_room(self) -> None:
        most_rows = min(MOST_ENTRIES, MOST_SEEN) // _LOOKS
        if self._new_bytes <= self._limit // _LOOKS and self._new_rows <= most_rows:
            return
        self._new_bytes = self._new_rows = 0
        info = self._index.info(self._limit)
        if info.bytes > self._limit:
            self._discard_all(self._index.oldest(info.bytes - int(self._limit * _ROOM)))
        if info.entries > MOST_ENTRIES:
            # SECURITY: many tiny answers must not make an index that is larger than what it finds.
            self._discard_all(self._index.oldest_entries(info.entries - int(MOST_ENTRIES * _ROOM)))
        seen = self._index.seen()
        if seen > MOST_SEEN:
            self._index.forget_seen(seen - int(MOST_SEEN * _ROOM))

    def _discard_all(self, blobs: list[str]) -> None:
        for sha256 in blobs:
            self.discard(sha256)

    def _is_right(self, sha256: str, size: int) -> bool:
        try:
            descriptor = self._open_blob(sha256)
        except OSError:
            return False
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size != size:
                return False
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256

    def _remove_unknown(self) -> None:
        known = self._index.blobs()
        for path in (self._folder / "cas" / "sha256").glob("*/*"):
            # One that was put in place just now has its row in a moment.
            if path.name not in known and self._is_abandoned(path):
                path.unlink(missing_ok=True)

    def _remove_abandoned(self) -> None:
        for path in (self._folder / "tmp").iterdir():
            if self._is_abandoned(path):
                path.unlink(missing_ok=True)

    def _is_abandoned(self, path: Path) -> bool:
        try:
            return self._clock() - path.lstat().st_mtime > _ABANDONED_S
        except FileNotFoundError:
            return False


def _file_of(folder: Path) -> tuple[int, int] | None:
    try:
        found = (folder / _INDEX).stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _is_full(error: OSError | sqlite3.OperationalError) -> bool:
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return error.sqlite_errorcode == sqlite3.SQLITE_FULL


def _copy(source: int, target: int) -> Digests:
    """Copy a whole file from its begin; return what was copied."""
    sha256, sha512, sha1 = hashlib.sha256(), hashlib.sha512(), hashlib.sha1(usedforsecurity=False)
    position = 0
    while chunk := os.pread(source, _CHUNK, position):
        position += len(chunk)
        for each in (sha256, sha512, sha1):
            each.update(chunk)
        view = memoryview(chunk)
        while view:
            view = view[os.write(target, view) :]
    return Digests(sha256.hexdigest(), sha512.hexdigest(), sha1.hexdigest(), position)
