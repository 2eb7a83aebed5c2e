"""Numbers of packs, and what deltas make.

In: bytes of a pack, a base and its delta. Out: numbers with where they end, the object. Never: more
bytes than the caller allows.
"""

from collections.abc import Generator
from typing import Final

_STEP: Final = 0x10000  # what a copy of length 0 means
_TURN: Final = 4096  # bytes of a delta


def number_at(data: bytes, at: int, first_bits: int = 7) -> tuple[int, int] | None:
    """Read a number, its least bits first; return it and where it ends."""
    value, shift, bits = 0, 0, first_bits
    for end in range(at, min(at + 5, len(data))):
        value |= (data[end] & (1 << bits) - 1) << shift
        shift += bits
        bits = 7
        if data[end] < 0x80:
            return value, end + 1
    return None


def offset_at(data: bytes, at: int) -> tuple[int, int] | None:
    """Read how far before its object another one begins."""
    value = -1
    for end in range(at, min(at + 5, len(data))):
        value = (value + 1 << 7) | (data[end] & 0x7F)
        if data[end] < 0x80:
            return value, end + 1
    return None


def size_made(delta: bytes) -> int:
    """Return how long what a delta makes is to be; -1 if it does not say so."""
    base = number_at(delta, 0)
    made = number_at(delta, base[1]) if base is not None else None
    return made[0] if made is not None else -1


def patched(base: bytes, delta: bytes, most: int) -> bytes | None:
    """Return what a delta makes of its base; None if it is none of this base."""
    turns = patching(base, delta, most)
    while True:
        try:
            next(turns)
        except StopIteration as end:
            made: bytes | None = end.value
            return made


def patching(base: bytes, delta: bytes, most: int) -> Generator[None, None, bytes | None]:
    """Do as `patched` does, a turn at a time: a step may be two bytes of many millions."""
    old = number_at(delta, 0)
    new = number_at(delta, old[1]) if old is not None else None
    if old is None or new is None or not base or old[0] != len(base) or new[0] > most:
        return None
    try:
        made = yield from _made(base, delta, new[1], new[0])
    except IndexError:  # it ends within a step
        return None
    return made if len(made) == new[0] else None


def _copy(steps: bytes, at: int, code: int) -> tuple[int, int, int]:
    """Return from where and how much is copied, and where the step ends. Raises IndexError."""
    start = length = 0
    for bit, shift in ((0x01, 0), (0x02, 8), (0x04, 16), (0x08, 24)):
        if code & bit:
            start |= steps[at] << shift
            at += 1
    for bit, shift in ((0x10, 0), (0x20, 8), (0x40, 16)):
        if code & bit:
            length |= steps[at] << shift
            at += 1
    return start, length or _STEP, at


def _made(base: bytes, steps: bytes, at: int, size: int) -> Generator[None, None, bytes]:
    """Return what single steps make, up to one that nobody writes. Raises IndexError."""
    made = bytearray()
    end, pause = len(steps), at + _TURN
    while at < end and len(made) <= size:
        if at > pause:
            pause = at + _TURN
            yield
        code = steps[at]
        at += 1
        if code & 0x80:
            start, length, at = _copy(steps, at, code)
            if start + length > len(base):
                break
            made += base[start : start + length]
        elif 0 < code <= end - at:
            made += steps[at : at + code]
            at += code
        else:
            break
    return bytes(made)
