"""Sorted tables in a file in memory, looked up where they lie.

In: pairs of bytes; later the file that holds them. Out: a value by its key, keys in order. Never: a
look at all of a table: its length is a repository's to choose, and every sandbox of a gateway waits
in a look-up.

A table is its pairs, one behind the other, and behind them where each key and value begins: 32-bit
numbers of this machine, one more than there are, counted from the beginning of the file.
"""

import mmap
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, Generic, NamedTuple, TypeVar

_NUMBER: Final = "I"
_NUMBER_BYTES: Final = 4
_PIECES: Final = 2000  # that are joined at once
_MOST_BYTES: Final = (1 << 32) - 1
_ZERO: Final = b"\0"
_ESCAPED: Final = b"\0\1"
_BETWEEN: Final = b"\0\0"

K = TypeVar("K")
V = TypeVar("V")


class Spot(NamedTuple):
    """Where a table is in its file: its numbers, and how many pairs it has."""

    numbers_at: int = 0
    pairs: int = 0


class TooLargeError(Exception):
    """There is more than the file may have, or than numbers of 32 bits can find."""


class Writer:
    """Lays tables one behind the other. `write` is given bytes, in order, at most so many."""

    def __init__(self, write: Callable[[bytes], None], most: int = _MOST_BYTES) -> None:
        self._write = write
        self._most = most
        self._at = 0

    def add(self, pairs: Iterable[tuple[bytes, bytes]]) -> Spot:
        """Write one table of pairs in the order of their keys. Raises TooLargeError."""
        starts, pieces, count = array(_NUMBER), list[bytes](), 0
        for key, value in pairs:
            numbered = (len(starts) + 3) * _NUMBER_BYTES
            if self._at + len(key) + len(value) + numbered > self._most:
                raise TooLargeError
            starts.append(self._at)
            starts.append(self._at + len(key))
            self._at += len(key) + len(value)
            pieces += (key, value)
            count += 1
            if len(pieces) >= _PIECES:
                self._write(b"".join(pieces))
                pieces.clear()
        starts.append(self._at)
        numbers = starts.tobytes()
        numbers_at = self._at
        self._at += len(numbers)
        self._write(b"".join(pieces))
        self._write(numbers)
        return Spot(numbers_at, count)


class Table:
    """One table of a file. Raises ValueError if its numbers are not there.

    `of` is some of it: pairs that are sorted by themselves.
    """

    __slots__ = ("_data", "_first", "_last", "_numbers")

    def __init__(self, data: mmap.mmap, spot: Spot) -> None:
        end = spot.numbers_at + (2 * spot.pairs + 1) * _NUMBER_BYTES
        self._data = data
        self._numbers = memoryview(data)[spot.numbers_at : end].cast(_NUMBER)
        self._first, self._last = 0, spot.pairs
        if len(self._numbers) != 2 * spot.pairs + 1:
            error = "a table is not where it should be"
            raise ValueError(error)

    def of(self, first: int, count: int) -> "Table":
        """Return a part of it."""
        part = object.__new__(Table)
        part._data, part._numbers = self._data, self._numbers
        part._first, part._last = self._first + first, self._first + first + count
        return part

    def __len__(self) -> int:
        return self._last - self._first

    def key(self, index: int) -> bytes:
        """Return a key by its number; b"" behind the last one."""
        if index >= len(self):
            return b""
        at = 2 * (self._first + index)
        return self._data[self._numbers[at] : self._numbers[at + 1]]

    def value(self, key: bytes) -> bytes | None:
        """Return what is under a key."""
        index = self.after(key)
        if index >= len(self) or self.key(index) != key:
            return None
        at = 2 * (self._first + index)
        return self._data[self._numbers[at + 1] : self._numbers[at + 2]]

    def after(self, key: bytes) -> int:
        """Return the number of the first key that is not before this one."""
        data, numbers = self._data, self._numbers
        low, high = self._first, self._last
        while low < high:
            middle = (low + high) >> 1
            if data[numbers[2 * middle] : numbers[2 * middle + 1]] < key:
                low = middle + 1
            else:
                high = middle
        return low - self._first


class Codec(NamedTuple, Generic[K]):
    """How a kind of key is written: different ones differently, and in their order."""

    encode: Callable[[K], bytes]
    decode: Callable[[bytes], K]


def _text(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _words(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def _pair(pair: tuple[str, str]) -> bytes:
    first, second = pair
    return _text(first).replace(_ZERO, _ESCAPED) + _BETWEEN + _text(second)


def _unpair(data: bytes) -> tuple[str, str]:
    first, _, second = data.partition(_BETWEEN)
    return _words(first.replace(_ESCAPED, _ZERO)), _words(second)


TEXT: Final = Codec(_text, _words)
PAIR: Final = Codec(_pair, _unpair)


class Stored(Mapping[K, V]):
    """A table read as a mapping."""

    __slots__ = ("_codec", "_table", "_value")

    def __init__(self, table: Table, codec: Codec[K], value: Callable[[bytes], V]) -> None:
        self._table, self._codec, self._value = table, codec, value

    def __getitem__(self, key: K) -> V:
        found = self._table.value(self._codec.encode(key))
        if found is None:
            raise KeyError(key)
        return self._value(found)

    def __iter__(self) -> Iterator[K]:
        return (self._codec.decode(self._table.key(index)) for index in range(len(self._table)))

    def __len__(self) -> int:
        return len(self._table)


class StoredNames:
    """The keys of a table of texts, in order."""

    __slots__ = ("_table",)

    def __init__(self, table: Table) -> None:
        self._table = table

    def after(self, name: str) -> str:
        """Return the first that is not before `name`, "" if there is none."""
        return _words(self._table.key(self._table.after(_text(name))))
