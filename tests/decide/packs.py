"""Packs written by hand, and read turn by turn.

In: objects as bytes. Out: packs with a right checksum, what is found wrong with them. Never: git.
"""

import hashlib
import zlib
from typing import Final

from cleanroom.decide.objects import Asked, Fault, fault_of

COMMIT, TREE, BLOB, TAG, OFS, REF = 1, 2, 3, 4, 6, 7
_WORDS: Final = {COMMIT: b"commit", TREE: b"tree", BLOB: b"blob", TAG: b"tag"}


def name(kind: int, data: bytes, algorithm: str = "sha1") -> bytes:
    """Return what git calls an object."""
    head = b"%b %d\0" % (_WORDS[kind], len(data))
    return hashlib.new(algorithm, head + data, usedforsecurity=False).digest()


def number(value: int) -> bytes:
    """Return a number, its least bits first."""
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*made, value])


def entry(kind: int, data: bytes, base: bytes = b"", size: int | None = None) -> bytes:
    """Return an object as it is written in a pack; `base` stands before a delta."""
    size = len(data) if size is None else size
    head = bytes([kind << 4 | size & 15 | (0x80 if size > 15 else 0)])
    return head + (number(size >> 4) if size > 15 else b"") + base + zlib.compress(data)


def copied(base: bytes, more: bytes) -> bytes:
    """Return a delta that puts bytes behind its base."""
    sizes = number(len(base)) + number(len(base) + len(more))
    copy = b"\xb0" + len(base).to_bytes(2, "little")
    return sizes + copy + bytes([len(more)]) + more


def pack(*entries: bytes, count: int | None = None, algorithm: str = "sha1") -> bytes:
    """Return a pack of them."""
    number_of = len(entries) if count is None else count
    made = b"PACK\0\0\0\2" + number_of.to_bytes(4, "big") + b"".join(entries)
    return made + hashlib.new(algorithm, made, usedforsecurity=False).digest()


def tree(*entries: tuple[str, bytes]) -> bytes:
    """Return a tree's bytes: mode and name, what it names."""
    return b"".join(text.encode() + b"\0" + each for text, each in entries)


def commit(of: bytes, *parents: bytes) -> bytes:
    """Return a commit's bytes."""
    lines = [f"tree {of.hex()}", *(f"parent {each.hex()}" for each in parents), "author x", "", ""]
    return "\n".join(lines).encode()


def fault(made: bytes, asked: Asked, algorithm: str = "sha1") -> str:
    """Return what is wrong with a pack."""
    turns = fault_of(lambda at, size: made[at : at + size], len(made), asked, algorithm)
    while True:
        try:
            next(turns)
        except StopIteration as end:
            found: Fault | None = end.value
            return found.why if found is not None else ""
