"""Whether a pack is what was wanted, and nothing beside: each of its objects is read and named.

In: a pack's bytes at any place, what was asked. Out: what is wrong with it, or that it is more than
is read, a turn at a time. Never: an object's word for its name; more work or memory than the
bounds below allow, since a host may send what it likes.

Git's objects name each other by digest, so they form no circle. If all that no other object of the
pack names was wanted, all is reached from what was wanted; and if all that is named is there,
nothing is missing.
"""

import hashlib
import re
import zlib
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Final, NamedTuple, NoReturn

from cleanroom.decide.deltas import number_at, offset_at, patching, size_made
from cleanroom.decide.named import BLOB, COMMIT, TAG, OddError, names_in

MOST_OBJECTS: Final = 200_000
MOST_WORK: Final = 1024 * 1024 * 1024  # bytes that are inflated, or made by deltas
MOST_HELD: Final = 16 * 1024 * 1024  # bytes of a file that is a difference, or has some
MOST_LISTED: Final = 4 * 1024 * 1024  # bytes of what names others
_KEPT: Final = 4 * 1024 * 1024  # bytes of bases that are not made twice
_CHUNK: Final = 64 * 1024
_TURN: Final = 16 * 1024  # bytes of work before others have their turn
_LOOK: Final = 1024  # names that an object has, likewise
_COSTS: Final = 512  # an object costs at least as much as so many bytes
_STEP_COSTS: Final = 16  # and a byte of a delta
_HEAD: Final = re.compile(rb"PACK\0\0\0[\2\3](.{4})", re.DOTALL)
_HEAD_SIZE: Final = 12
_MOST_HEADER: Final = 48  # bytes before what is compressed
_KINDS: Final = (b"", b"commit", b"tree", b"blob", b"tag")
_OFS, _REF = 6, 7
_LARGE_OBJECT: Final = "has an object that is too large to be checked"
_NAMED, _HERE = 1, 2  # what is known of an object

Read = Callable[[int, int], bytes]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a pack is for. `has_some`: the client said what it has, so not all need be there; `had`
    is what of the wanted it said so, which it asks for again when it asks for a part of history.

    `is_part`: it did not ask for all of the history; then the host says where it ends, in `cut`.
    """

    wanted: frozenset[bytes]
    has_some: bool = False
    is_part: bool = False
    cut: frozenset[bytes] = frozenset()  # commits whose parents were not asked for
    had: frozenset[bytes] = frozenset()

    @property
    def needed(self) -> frozenset[bytes]:
        """What must be there, and first."""
        return self.wanted - self.had if self.has_some else self.wanted | self.cut


class Fault(NamedTuple):
    """Why a pack does not come in, as the end of a sentence. `is_large`: it may be all right."""

    why: str
    is_large: bool


class _FaultError(Exception):
    """Carries a Fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.why)
        self.fault = fault


class _Entry(NamedTuple):
    """An object as it is written: its kind, its base if it is a delta, and its bytes."""

    kind: int
    base: bytes | int  # its name, or its number in the pack
    data: bytes


def fault_of(
    read: Read, size: int, asked: Asked, algorithm: str
) -> Generator[None, None, Fault | None]:
    """Return what is wrong with a pack whose checksum is right; None if nothing is."""
    head = _HEAD.fullmatch(read(0, _HEAD_SIZE))
    count = int.from_bytes(head[1], "big") if head is not None else 0
    if count > MOST_OBJECTS:
        why = f"has {count} objects, more than the {MOST_OBJECTS} that are checked"
        return Fault(why, is_large=True)
    try:
        yield from _Objects(read, size, asked, algorithm).check(count)
    except _FaultError as error:
        return error.fault
    return None


class _Objects:
    """The objects of one pack, one after the other."""

    def __init__(self, read: Read, size: int, asked: Asked, algorithm: str) -> None:
        self._read = read
        self._hash = algorithm
        self._digest_size = hashlib.new(algorithm, usedforsecurity=False).digest_size
        self._end = size - self._digest_size
        self._asked = asked
        self._starts = array("Q")
        self._names: list[bytes] = []  # by number; b"" while its base is not known
        self._known: dict[bytes, int] = {}  # _NAMED, _HERE; from the third bit on its number
        self._waiting: dict[bytes | int, list[int]] = {}  # by base
        self._bases: OrderedDict[int, tuple[int, bytes]] = OrderedDict()
        self._base_bytes = 0
        self._work = 0
        self._window, self._window_at, self._ahead = b"", 0, _CHUNK

    def check(self, count: int) -> Generator[None, None, None]:
        """Read all of them. Raises _FaultError."""
        at, since = _HEAD_SIZE, 0
        for number in range(count):
            at = yield from self._next(number, at)
            if self._work - since >= _TURN:
                since = self._work
                yield
        if at != self._end:
            _wrong("does not end behind its last object")
        if self._waiting:
            _wrong("has differences to what is not in it")
        yield from self._judge()

    def _judge(self) -> Generator[None, None, None]:
        wanted = self._asked.wanted
        for name in self._asked.needed:
            if not self._known.get(name, 0) & _HERE:
                _wrong(f"has no {name.hex()[:12]}")
        for count, (name, flags) in enumerate(self._known.items()):
            if not flags & _HERE and not self._asked.has_some:
                _wrong(f"lacks {name.hex()[:12]}, which an object of it names")
            if not flags & _NAMED and name not in wanted:
                _wrong(f"has {name.hex()[:12]} in it, for which nobody asked")
            if count % 4096 == 0:
                yield

    # --- reading --------------------------------------------------------------------------

    def _next(self, number: int, at: int) -> Generator[None, None, int]:
        """Read the object at a place; return where it ends."""
        self._starts.append(at)
        self._names.append(b"")
        kind, size, base, begin = self._header(at)
        if kind == BLOB and size > _CHUNK:
            hashed = hashlib.new(self._hash, b"blob %d\0" % size, usedforsecurity=False)
            end = yield from self._stream(begin, size, hashed.update)
            self._here(number, hashed.digest())
            yield from self._make(self._those_after(number, hashed.digest()))
            return end
        data, end = yield from self._inflated(begin, size)
        if kind in (_OFS, _REF):
            yield from self._delta(number, base, data)
        else:
            yield from self._take(number, kind, data)
        return end

    def _header(self, at: int) -> tuple[int, int, bytes | int, int]:
        """Return kind, size, base, and where the compressed bytes begin."""
        head = self._look(at, _MOST_HEADER)
        read = number_at(head, 0, first_bits=4)
        if read is None:
            _wrong("is cut, or is none of git's")
        size, begin = read
        kind = head[0] >> 4 & 7
        base: bytes | int = 0
        if kind == _OFS:
            offset = offset_at(head, begin)
            base = self._number_of(at - offset[0]) if offset is not None else -1
            begin = offset[1] if offset is not None else begin
        elif kind == _REF:
            base = head[begin : begin + self._digest_size]
            begin += self._digest_size
        if base == -1 or not (COMMIT <= kind <= TAG or kind in (_OFS, _REF)):
            _wrong("is cut, or is none of git's")
        return kind, size, base, at + begin

    def _number_of(self, start: int) -> int:
        """Return which object begins there, -1 for none."""
        number = bisect_left(self._starts, max(start, 0))
        is_one = number < len(self._starts) and self._starts[number] == start
        return number if is_one else -1

    def _look(self, at: int, size: int) -> bytes:
        """Return bytes before the pack's digest. What is read in order is read in large pieces."""
        size = max(0, min(size, self._end - at))
        begin = at - self._window_at
        if begin < 0 or begin + size > len(self._window):
            self._window_at, begin = at, 0
            self._window = self._read(at, max(0, min(max(size, self._ahead), self._end - at)))
        return self._window[begin : begin + size]

    def _inflated(self, begin: int, size: int) -> Generator[None, None, tuple[bytes, int]]:
        """Return an object's bytes, and where they end."""
        if size > MOST_HELD:
            _too_large(_LARGE_OBJECT)
        if size > 4 * _CHUNK:
            pieces: list[bytes] = []
            end = yield from self._stream(begin, size, pieces.append)
            return b"".join(pieces), end
        self._spend(size)
        data = self._look(begin, size + size // 512 + 64)  # zlib's own bound, and some
        inflating = zlib.decompressobj()
        try:
            text = inflating.decompress(data, size + 1)
        except zlib.error:
            text = b""
        if len(text) != size or not inflating.eof:
            _wrong("has an object that is cut")
        return text, begin + len(data) - len(inflating.unused_data)

    def _stream(
        self, begin: int, size: int, take: Callable[[bytes], None]
    ) -> Generator[None, None, int]:
        """Read what is large piece by piece; return where it ends."""
        inflating = zlib.decompressobj()
        left = size
        while not inflating.eof:
            data = inflating.unconsumed_tail
            if not data:
                data = self._look(begin, _CHUNK)
                begin += len(data)
            try:
                text = inflating.decompress(data, _CHUNK)
            except zlib.error:
                data, text = b"", b""
            left -= len(text)
            if left < 0 or not data:
                _wrong("has an object that is cut")
            self._spend(len(text))
            take(text)
            yield
        if left:
            _wrong("has an object that is cut")
        return begin - len(inflating.unused_data)

    # --- objects --------------------------------------------------------------------------

    def _delta(self, number: int, base: bytes | int, delta: bytes) -> Generator[None, None, None]:
        """Make an object of its base, or have it wait for that."""
        at = self._base_number(base)
        if at < 0 or not self._names[at]:
            # One name for what waits: by its number, if that is known.
            self._waiting.setdefault(base if at < 0 else at, []).append(number)
            return
        kind, data = yield from self._content(at)
        yield from self._take(number, kind, (yield from self._made(data, delta)))

    def _base_number(self, base: bytes | int) -> int:
        if isinstance(base, int):
            return base
        known = self._known.get(base, 0)
        return known >> 2 if known & _HERE else -1

    def _made(self, base: bytes, delta: bytes) -> Generator[None, None, bytes]:
        self._spend(max(0, size_made(delta)) + len(delta) * _STEP_COSTS)
        made = yield from patching(base, delta, MOST_HELD)
        if made is None:
            _wrong("has a difference to another object than its base")
        return made

    def _take(self, number: int, kind: int, data: bytes) -> Generator[None, None, None]:
        """Name an object, and those that wait for it."""
        yield from self._make((yield from self._named(number, kind, data)))

    def _make(self, todo: list[tuple[int, int]]) -> Generator[None, None, None]:
        """Make and name those that waited, each of its base, and those that wait for them."""
        while todo:
            base, child = todo.pop()
            kind, data = yield from self._content(base)
            made = yield from self._made(data, (yield from self._written(child)).data)
            todo += yield from self._named(child, kind, made)
            yield

    def _named(
        self, number: int, kind: int, data: bytes
    ) -> Generator[None, None, list[tuple[int, int]]]:
        """Name an object; return it with each one that waited for it."""
        if kind != BLOB and len(data) > MOST_LISTED:
            _too_large(_LARGE_OBJECT)
        head = b"%b %d\0" % (_KINDS[kind], len(data))
        name = hashlib.new(self._hash, head + data, usedforsecurity=False).digest()
        self._here(number, name)
        yield from self._follow(kind, name, data)
        self._keep(number, kind, data)
        return self._those_after(number, name)

    def _those_after(self, number: int, name: bytes) -> list[tuple[int, int]]:
        """Return an object with each one that waited for it."""
        waiting = self._waiting.pop(number, []) + self._waiting.pop(name, [])
        return [(number, child) for child in waiting]

    def _here(self, number: int, name: bytes) -> None:
        self._names[number] = name
        flags = self._known.get(name, 0)
        if flags & _HERE:
            _wrong("has an object twice")
        self._known[name] = flags | _HERE | number << 2

    def _follow(self, kind: int, name: bytes, data: bytes) -> Generator[None, None, None]:
        """Note what an object names."""
        is_cut = name in self._asked.cut
        try:
            for count, each in enumerate(names_in(kind, data, self._digest_size, is_cut=is_cut), 1):
                if each:
                    self._name(each)
                if count % _LOOK == 0:
                    yield
        except OddError:
            _wrong("has an object that is none of git's")

    def _name(self, name: bytes) -> None:
        self._known[name] = self._known.get(name, 0) | _NAMED
        if len(self._known) > 2 * MOST_OBJECTS:
            _too_large("names more than is in it")

    # --- bases ----------------------------------------------------------------------------

    def _keep(self, number: int, kind: int, data: bytes) -> None:
        """Have it at hand, if only for a while."""
        if len(data) > _KEPT:
            return
        _, gone = self._bases.pop(number, (kind, b""))
        self._bases[number] = (kind, data)
        self._base_bytes += len(data) - len(gone)
        while self._base_bytes > _KEPT:
            _, (_, gone) = self._bases.popitem(last=False)
            self._base_bytes -= len(gone)

    def _content(self, number: int) -> Generator[None, None, tuple[int, bytes]]:
        """Return kind and bytes of an object that was named before."""
        chain: list[bytes] = []
        wanted, found, held = number, self._bases.get(number), 0
        while found is None:
            entry = yield from self._written(number)
            if entry.kind in (_OFS, _REF):
                chain.append(entry.data)
                held += len(entry.data) + _COSTS
                if held > MOST_HELD:
                    _too_large(_LARGE_OBJECT)
                yield
                number = self._base_number(entry.base)
                found = self._bases.get(number)
            else:
                found = entry.kind, entry.data
        kind, data = found
        for delta in reversed(chain):
            data = yield from self._made(data, delta)
        self._keep(wanted, kind, data)
        return kind, data

    def _written(self, number: int) -> Generator[None, None, _Entry]:
        """Read one of those before again; what is read in order stays at hand."""
        there = self._window, self._window_at, self._ahead
        self._window, self._window_at, self._ahead = b"", 0, 0
        kind, size, base, begin = self._header(self._starts[number])
        data, _ = yield from self._inflated(begin, size)
        self._window, self._window_at, self._ahead = there
        return _Entry(kind, base, data)

    def _spend(self, size: int) -> None:
        self._work += size + _COSTS
        if self._work > MOST_WORK:
            _too_large("takes more work than is spent on one")


def _wrong(why: str) -> NoReturn:
    raise _FaultError(Fault(why, is_large=False))


def _too_large(why: str) -> NoReturn:
    raise _FaultError(Fault(why, is_large=True))
