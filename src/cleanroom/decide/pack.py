"""Did a whole pack come? What git-upload-pack answered, followed to its end.

In: an answer's bytes, read at any place. Out: PACK, TALK, or why it is neither, as part of a
sentence. Never: a look at the objects: git itself computes what each one is called.
"""

import hashlib
from collections.abc import Callable, Generator
from typing import Final

from cleanroom.decide.packets import read_length
from cleanroom.decide.upload_pack import PACK, TALK

_DATA: Final = b"\x01"  # of a pack
_FATAL: Final = b"\x03"  # the other side gave up, and says why
# Packets are 1000 bytes at least where a pack is long; what reports progress is short, and rare.
_SHORT: Final = 20_000
_LONG: Final = 512  # bytes
_SIZES: Final = {"sha1": 20, "sha256": 32}


class _Heard:
    """What the lines said so far: whether a pack has begun, its digest, whether it was given up."""

    def __init__(self, algorithm: str) -> None:
        self.is_pack = False
        self.is_error = False
        self._hash = hashlib.new(algorithm, usedforsecurity=False)
        self._size = _SIZES[algorithm]
        self._tail = b""  # the last bytes of a pack say what the digest of all others must be
        self._begin = b""

    def hear(self, line: bytes) -> None:
        """Take the next line."""
        self.is_error = self.is_error or line.startswith((b"ERR ", _FATAL))
        if not self.is_pack:
            is_old = line.startswith(_DATA + b"PACK")
            self.is_pack = is_old or line.removeprefix(_DATA) == b"packfile\n"
            line = line if is_old else b""
        if self.is_pack and line.startswith(_DATA):
            data = line[1:]
            self._begin = (self._begin + data[:4])[:4]
            whole = self._tail + data
            self._hash.update(whole[: -self._size])
            self._tail = whole[-self._size :]

    @property
    def is_right(self) -> bool:
        """Whether what came is a pack, and whole."""
        return self._begin == b"PACK" and self._hash.digest() == self._tail


def what_came(
    read: Callable[[int, int], bytes], size: int, algorithm: str
) -> Generator[None, None, str]:
    """Return what the answer is, a packet at a time."""
    heard = _Heard(algorithm)
    at, length, left = 0, -1, _SHORT + size // _LONG
    while at < size and left:
        left -= 1
        length = read_length(read(at, 4))
        at += max(length, 4)
        if length in (2, 3, -1) or at > size:
            return "an answer that is cut, or is none of git's"
        heard.hear(read(at - length + 4, length - 4) if length > 4 else b"")
        yield
    if at < size:
        return "an answer in too many pieces"
    if heard.is_error:
        return TALK
    if not heard.is_pack:
        return TALK if size else "an empty answer"
    if length != 0:
        return "a pack that is cut"
    return PACK if heard.is_right else "a pack whose checksum is wrong"
