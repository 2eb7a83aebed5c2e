"""A body in a file that may still grow, read by several at once.

In: bytes, in order; that it is complete, or why it never will be. Out: bytes at any place, and
calls when there are more. Never: a file of this process's own making, but in memory.

A small one that was hashed before needs no file: `of`.
"""

import contextlib
import errno
import hashlib
import os
from collections.abc import Callable
from typing import Final, NamedTuple

from cleanroom.decide.model import Deny

MEMORY_LIMIT: Final = 256 * 1024 * 1024  # bytes of a body that the store had no room for


class Stamp(NamedTuple):
    """A file as it is now. `changed_ns` is kept by the kernel: nobody but root can set it back."""

    device: int
    inode: int
    size: int
    changed_ns: int


class LostError(OSError):
    """What was written cannot be read again: its device fails."""


class Body:
    """One body. Whoever uses it retains it; the last to release it closes the file."""

    def __init__(self, descriptor: int, data: bytes | None = None) -> None:
        self.size = 0
        self.is_complete = False
        self.failure: Deny | None = None
        self.is_stored = True  # its file is the store's; False: in memory only
        self._descriptor = descriptor
        self._users = 1
        self._hash = hashlib.sha256()
        self._known_sha256 = ""
        self._data = data  # all of it, where there is no file
        self._watchers: list[Callable[[], None]] = []

    @classmethod
    def kept(cls, descriptor: int, size: int, sha256: str) -> "Body":
        """Return a body that is complete, as the store has it."""
        body = cls(descriptor)
        body.size, body.is_complete, body._known_sha256 = size, True, sha256
        return body

    @classmethod
    def of(cls, data: bytes, sha256: str) -> "Body":
        """Return a body that is complete, without a file. Nothing can be written to it."""
        body = cls(-1, data)
        body.size, body.is_complete, body._known_sha256 = len(data), True, sha256
        return body

    @classmethod
    def in_memory(cls) -> "Body":
        """Return an empty body that no store keeps. Raises OSError when nothing is left for it."""
        body = cls(os.memfd_create("body", os.MFD_CLOEXEC))
        body.is_stored = False
        return body

    @property
    def sha256(self) -> str:
        """The SHA-256 of what was written, or of what the store has, in hexadecimal."""
        return self._known_sha256 or self._hash.hexdigest()

    def retain(self) -> "Body":
        """Count one more user."""
        self._users += 1
        return self

    def release(self) -> None:
        """Count one user less."""
        self._users -= 1
        if not self._users and self._data is None:
            _close(self._descriptor)

    def stamp(self) -> Stamp:
        """Return what tells its file from every other, and from itself once it was changed."""
        status = os.fstat(self._descriptor)
        return Stamp(status.st_dev, status.st_ino, status.st_size, status.st_ctime_ns)

    def write(self, data: bytes) -> None:
        """Add bytes at the end. Raises OSError when there is no room; then nothing was added."""
        view, position = memoryview(data), self.size
        if not self.is_stored and position + len(view) > MEMORY_LIMIT:
            raise OSError(errno.EFBIG, "it is too large to be held without the store")
        while view:
            written = os.pwrite(self._descriptor, view, position)
            view, position = view[written:], position + written
        self._hash.update(data)
        self.size = position
        self._tell()

    def move_to_memory(self) -> None:
        """Go on without the store's file. Raises OSError if it is too large or cannot be read."""
        if self.size > MEMORY_LIMIT:
            raise OSError(errno.EFBIG, "it is too large to be held without the store")
        memory = os.memfd_create("body", os.MFD_CLOEXEC)
        position = 0
        try:
            while position < self.size:
                size = min(1 << 20, self.size - position)
                position += os.write(memory, self.read(position, size))
        except OSError:
            os.close(memory)
            raise
        _close(self._descriptor)
        self._descriptor = memory
        self.is_stored = False

    def read(self, position: int, size: int) -> bytes:
        """Return up to `size` bytes that are there already. Raises LostError."""
        if self._data is not None:
            return self._data[position : position + size]
        try:
            return os.pread(self._descriptor, min(size, self.size - position), position)
        except OSError as error:
            raise LostError(error.errno, error.strerror) from error

    def finish(self) -> None:
        """Take note that this is all of it."""
        self.is_complete = True
        self._tell()

    def fail(self, deny: Deny) -> None:
        """Take note that it will never be complete."""
        self.failure = deny
        self._tell()

    def watch(self, call: Callable[[], None]) -> None:
        """Call whenever there is more, it is complete, or it has failed."""
        self._watchers.append(call)

    def unwatch(self, call: Callable[[], None]) -> None:
        """Call no more. Idempotent."""
        if call in self._watchers:
            self._watchers.remove(call)

    def _tell(self) -> None:
        for call in list(self._watchers):
            call()


def _close(descriptor: int) -> None:
    with contextlib.suppress(OSError):  # closed all the same: a device says late that it failed
        os.close(descriptor)
