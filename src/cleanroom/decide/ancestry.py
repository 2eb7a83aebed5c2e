"""Whether a commit follows another one, proven by commits that a pack begins with.

In: the beginning of a pack, pairs of ids. Out: the pairs that are proven. Never: an object's word
for its name: it is the digest of what it is, computed here; more work than the bounds below allow,
since other sandboxes wait meanwhile.

Packs begin with their commits, the youngest first. What stands behind a first object of another
kind, is based on something that was not seen, or is cut, proves nothing.
"""

import hashlib
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

from cleanroom.decide.deltas import number_at, offset_at, patched

MAX_PACK: Final = 1024 * 1024  # bytes of a pack that are looked at
MAX_INFLATED: Final = 4 * 1024 * 1024  # bytes of commits
MAX_DELTAS: Final = 64 * 1024  # bytes of what makes a commit of another one
MAX_COMMITS: Final = 1024
MAX_PARENTS: Final = 4096  # of all of them
_MAX_COMMIT: Final = 64 * 1024
_HEAD: Final = re.compile(rb"PACK\0\0\0[\2\3].{4}", re.DOTALL)
_COMMIT, _OFS_DELTA = 1, 6  # kinds of objects
_TREE: Final = re.compile(rb"tree [0-9a-f]+\n")
_PARENT: Final = re.compile(rb"parent ([0-9a-f]+)\n")


@dataclass(frozen=True, slots=True)
class _Entry:
    """An object that is whole: where it begins, what it is based on (0: nothing), its bytes."""

    start: int
    base: int
    text: bytes
    end: int


def parents_in(pack: bytes, oid_length: int) -> Mapping[str, tuple[str, ...]]:
    """Return the commits that a pack begins with, by their ids, with their parents."""
    digest = hashlib.sha1 if oid_length == 40 else hashlib.sha256
    found: dict[str, tuple[str, ...]] = {}
    left = MAX_PARENTS
    for text in islice(_commits(pack), MAX_COMMITS):
        name = digest(b"commit %d\0%b" % (len(text), text)).hexdigest()
        parents = tuple(islice(_parents(text), left))
        left -= len(parents)
        found[name] = parents
    return found


def follows(new: str, old: str, parents: Mapping[str, tuple[str, ...]]) -> bool:
    """Tell whether `old` is proven to be an ancestor of `new`."""
    waiting, seen = [new], {new}
    while waiting:
        for parent in parents.get(waiting.pop(), ()):
            if parent == old:
                return True
            if parent not in seen:
                seen.add(parent)
                waiting.append(parent)
    return False


def _commits(pack: bytes) -> Iterator[bytes]:
    if not _HEAD.match(pack):
        return
    texts: dict[int, bytes] = {}
    at, left, deltas = 12, MAX_INFLATED, MAX_DELTAS
    while (entry := _entry(pack, at)) is not None:
        text: bytes | None = entry.text
        if entry.base:
            deltas -= len(entry.text)
            if deltas < 0:
                return
            text = patched(texts.get(entry.start - entry.base, b""), entry.text, _MAX_COMMIT)
        left -= len(entry.text) + len(text or b"")
        if text is None or left < 0:
            return
        texts[entry.start] = text
        yield text
        at = entry.end


def _entry(pack: bytes, start: int) -> _Entry | None:
    """Read a commit, or what makes one of another one."""
    head = number_at(pack, start, first_bits=4)
    if head is None:
        return None
    size, at = head
    kind, base = pack[start] >> 4 & 7, 0
    if kind == _OFS_DELTA:
        offset = offset_at(pack, at)
        if offset is None:
            return None
        base, at = offset
    elif kind != _COMMIT:
        return None
    found = _inflated(pack, at, size)
    return None if found is None else _Entry(start, base, *found)


def _inflated(pack: bytes, at: int, size: int) -> tuple[bytes, int] | None:
    """Return an object's bytes and where they end in the pack."""
    inflating = zlib.decompressobj()
    piece = pack[at : at + size + 1024]  # no more than is needed: what is left over is copied
    try:
        text = inflating.decompress(piece, size + 1) if size <= _MAX_COMMIT else b""
    except zlib.error:
        return None
    if len(text) != size or not inflating.eof:
        return None
    return text, at + len(piece) - len(inflating.unused_data)


def _parents(text: bytes) -> Iterator[str]:
    tree = _TREE.match(text)
    at = tree.end() if tree else len(text)
    while found := _PARENT.match(text, at):
        yield found[1].decode("ascii")
        at = found.end()
