"""Did a whole pack come? What git-upload-pack answered, followed to its end.

In: an answer's bytes, read at any place. Out: PACK, TALK, or why it is neither, as part of a
sentence. Never: of one that is held to lock files, an object or a word that nobody asked for.
"""

import hashlib
import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Final

from cleanroom.decide.objects import MOST_WORK, Asked, fault_of
from cleanroom.decide.packets import read_length
from cleanroom.decide.upload_pack import PACK, TALK

_DATA: Final = b"\x01"  # of a pack
_FATAL: Final = b"\x03"  # the other side gave up, and says why
# Packets are 1000 bytes at least where a pack is long; what reports progress is short, and rare.
_SHORT: Final = 20_000
_LONG: Final = 512  # bytes
_SIZES: Final = {"sha1": 20, "sha256": 32}
_MOST_TEXT: Final = 64 * 1024  # bytes beside a pack: sections, notes for people
_MOST_CUT: Final = 64 * 1024  # commits whose parents were not asked for
_CUT: Final = re.compile(rb"shallow ([0-9a-f]+)\n?")

BAD: Final = "a pack which "  # how it is said that objects are not what was asked for
LARGE: Final = "a pack too large to be held to lock files: it "

Read = Callable[[int, int], bytes]


class _Heard:
    """What the lines said so far: whether a pack has begun, its digest, whether it was given up."""

    def __init__(self, algorithm: str, *, is_held: bool) -> None:
        self._is_held = is_held
        self.is_pack = False
        self.is_error = False
        self.is_odd = False  # bytes of a pack came where none had begun
        self.is_ended = False  # by the mark that ends a message
        self._hash = hashlib.new(algorithm, usedforsecurity=False)
        self._size = _SIZES[algorithm]
        self._tail = b""  # the last bytes of a pack say what the digest of all others must be
        self._begin = b""
        self.text = 0  # bytes that are none of the pack's, nor a line of `cut`
        self.cut: set[bytes] = set()
        self.pieces = Pieces()

    def hear(self, line: bytes, place: int) -> None:
        """Take the next line, which begins at `place` of the answer."""
        self.is_error = self.is_error or line.startswith((b"ERR ", _FATAL))
        if not self.is_pack:
            is_old = line.startswith(_DATA + b"PACK")
            self.is_pack = is_old or line.removeprefix(_DATA) == b"packfile\n"
            if not is_old:
                # An empty one says only that the host still works on it.
                is_data = line.startswith(_DATA) and line != _DATA
                self.is_odd = self.is_odd or (is_data and not self.is_pack)
                self._hear_text(line)
                return
        if not line.startswith(_DATA):
            self._hear_text(line)
        elif len(line) > 1:
            data = line[1:]
            if self._is_held and self.pieces.size <= MOST_WORK:
                self.pieces.add(place + 1, len(data))
            self._begin = (self._begin + data[:4])[:4]
            whole = self._tail + data
            self._hash.update(whole[: -self._size])
            self._tail = whole[-self._size :]

    def _hear_text(self, line: bytes) -> None:
        cut = _CUT.fullmatch(line)
        is_cut = cut is not None and len(cut[1]) == 2 * self._size
        if cut is not None and is_cut and self._is_held and len(self.cut) < _MOST_CUT:
            self.cut.add(bytes.fromhex(cut[1].decode()))
        else:
            self.text += len(line)

    @property
    def is_right(self) -> bool:
        """Whether what came is a pack, and whole."""
        return self._begin == b"PACK" and self._hash.digest() == self._tail


class Pieces:
    """Where in an answer the bytes of its pack are."""

    def __init__(self) -> None:
        self._places = array("Q")
        self._starts = array("Q")
        self.size = 0

    def add(self, place: int, size: int) -> None:
        """Take note of the next bytes."""
        self._places.append(place)
        self._starts.append(self.size)
        self.size += size

    def read(self, read: Read, at: int, size: int) -> bytes:
        """Return bytes of the pack from a place of its own."""
        found = []
        number = bisect_right(self._starts, at) - 1
        end = min(at + size, self.size)
        while at < end:
            last = self._starts[number + 1] if number + 1 < len(self._starts) else self.size
            length = min(end, last) - at
            found.append(read(self._places[number] + at - self._starts[number], length))
            number, at = number + 1, at + length
        return b"".join(found)


def what_came(
    read: Read, size: int, algorithm: str, held: Asked | None = None
) -> Generator[None, None, str]:
    """Return what the answer is, a packet at a time; `held`: it is to be that, and no more."""
    heard = _Heard(algorithm, is_held=held is not None)
    fault = yield from _listen(read, size, heard)
    if fault:
        return fault
    is_none = heard.is_error or not heard.is_pack
    # SECURITY: clients keep what of a pack has come, also before another one, and read some words
    # less strictly.
    if held is not None and (heard.is_odd or (is_none and heard.pieces.size)):
        return "a pack that was given up, or is told of as git does not"
    if is_none:
        return TALK if size else "an empty answer"
    if not heard.is_ended or not heard.is_right:
        return "a pack whose checksum is wrong" if heard.is_ended else "a pack that is cut"
    return PACK if held is None else (yield from _judge(read, heard, algorithm, held))


def _listen(read: Read, size: int, heard: _Heard) -> Generator[None, None, str]:
    """Follow an answer to its end; return what is wrong with its packets, "" if nothing is."""
    at, length, left = 0, -1, _SHORT + size // _LONG
    while at < size and left:
        left -= 1
        length = read_length(read(at, 4))
        at += max(length, 4)
        if length in (2, 3, -1) or at > size:
            return "an answer that is cut, or is none of git's"
        place = at - length + 4
        heard.hear(read(place, length - 4) if length > 4 else b"", place)
        yield
    heard.is_ended = length == 0
    return "an answer in too many pieces" if at < size else ""


def _judge(read: Read, heard: _Heard, algorithm: str, held: Asked) -> Generator[None, None, str]:
    """Judge a pack of which each object must have been asked for."""
    if heard.text > _MOST_TEXT:
        return "a pack with too much beside it"
    if heard.pieces.size > MOST_WORK:
        return f"{LARGE}has more bytes than are checked"
    # SECURITY: else a part would be kept as the answer to a question for all of it.
    cut = frozenset(heard.cut) if held.is_part else frozenset[bytes]()
    asked, pieces = replace(held, cut=cut), heard.pieces
    fault = yield from fault_of(
        lambda at, size: pieces.read(read, at, size), pieces.size, asked, algorithm
    )
    if fault is not None:
        return f"{LARGE if fault.is_large else BAD}{fault.why}"
    # What a client has beside it is not known here, so it is not known to be enough for others.
    return TALK if asked.has_some else PACK
