"""Contents of files told apart at the price of the data that is there: holes are not read.

In: open files, or pieces of a content. Out: equal or not; a digest. Never: work that grows with the
size that a file only says it has.

SECURITY: a thousand files of gibibytes of nothing are made in a moment, and read for hours.
A block that is all zero counts for nothing in a digest: a hole and written zeros are the same.
"""

import errno
import hashlib
import os
from collections.abc import Iterator
from itertools import zip_longest
from typing import Final

BLOCK: Final = 1 << 16
_ZEROS: Final = bytes(BLOCK)


def same_content(one: int, other: int) -> bool:
    """Whether two open files hold the same bytes."""
    if os.fstat(one).st_size != os.fstat(other).st_size:
        return False
    return all(mine == theirs for mine, theirs in zip_longest(_blocks(one), _blocks(other)))


def content_digest(fd: int) -> str:
    """Return the digest of an open file."""
    digest = Digest()
    for at, data in _blocks(fd):
        digest.block(at, data)
    return digest.end(os.fstat(fd).st_size)


class Digest:
    """The digest of a content that comes in pieces."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._at = 0
        self._rest = b""

    def update(self, data: bytes) -> None:
        """Take the next piece."""
        data = self._rest + data
        whole = len(data) - len(data) % BLOCK
        for begin in range(0, whole, BLOCK):
            self.block(self._at, data[begin : begin + BLOCK])
            self._at += BLOCK
        self._rest = data[whole:]

    def block(self, at: int, data: bytes) -> None:
        """Take one block that is at a multiple of BLOCK."""
        if data != _ZEROS[: len(data)]:
            self._hash.update(b"%d %d\0" % (at, len(data)))
            self._hash.update(data)

    def end(self, size: int) -> str:
        """Return it, once everything was taken; `size`: of the content."""
        self.block(self._at, self._rest)
        self._hash.update(b"%d" % size)
        return self._hash.hexdigest()


def digest_of(content: bytes) -> str:
    """Return the digest of a content."""
    digest = Digest()
    digest.update(content)
    return digest.end(len(content))


def data_from(fd: int, at: int, size: int) -> int:
    """Where the next data begins; `size` if only a hole is left."""
    try:
        return os.lseek(fd, at, os.SEEK_DATA)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return size


def _blocks(fd: int) -> Iterator[tuple[int, bytes]]:
    """Yield the blocks that are not all zero, each with its place."""
    size = os.fstat(fd).st_size
    at = 0
    while (at := data_from(fd, at, size)) < size:
        at -= at % BLOCK
        data = _read(fd, at, min(BLOCK, size - at))
        if data != _ZEROS[: len(data)]:
            yield at, data
        at += BLOCK


def _read(fd: int, at: int, count: int) -> bytes:
    """Read so much; less only where the file was cut meanwhile."""
    data = b""
    while len(data) < count and (more := os.pread(fd, count - len(data), at + len(data))):
        data += more
    return data
