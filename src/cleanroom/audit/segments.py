"""The files of the audit log: audit-NNNNNNNNNNNNNNNN.jsonl, named by the number of its first line.

In: a directory. Out: its segments in the order of their lines, and where each one ends.
Never: a write. Other names in the directory are not ours and are passed over.
"""

import mmap
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cleanroom.audit.record import GENESIS, Sealed, unseal

_NAME: Final = re.compile(r"audit-([0-9]{16})\.jsonl")


@dataclass(frozen=True, slots=True)
class Segment:
    """One file, and the number its first line has."""

    path: Path
    first_seq: int


@dataclass(frozen=True, slots=True)
class Head:
    """The newest line: its number and hash. Number 0 is the place before the first line."""

    seq: int = 0
    hash: str = GENESIS


@dataclass(frozen=True, slots=True)
class Tail:
    """Where the good lines of a file end. `torn` is what follows, `newline_missing` only that."""

    head: Head | None  # None: no line of the file is good
    torn: bytes
    newline_missing: bool = False


def segment_path(directory: Path, first_seq: int) -> Path:
    """Return the path of the segment that begins with line `first_seq`."""
    return directory / f"audit-{first_seq:016d}.jsonl"


def segments(directory: Path) -> tuple[Segment, ...]:
    """Return the segments there are, in the order of their lines."""
    found = (_NAME.fullmatch(path.name) for path in directory.iterdir())
    numbers = sorted((int(name[1]), name[0]) for name in found if name)
    return tuple(Segment(directory / name, number) for number, name in numbers)


def open_to_read(path: Path) -> int:
    """Return a descriptor; a symbolic link in the log's place is refused (OSError)."""
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)


def lines(path: Path) -> Iterator[bytes]:
    """Yield each line of a segment with its newline; what a writer has not finished, without."""
    with os.fdopen(open_to_read(path), "rb") as file:
        yield from file


def tail(path: Path) -> Tail:
    """Find the last good line of a segment, looking from its end."""
    with os.fdopen(open_to_read(path), "rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            return Tail(None, b"")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return _tail(content)


def _tail(content: mmap.mmap) -> Tail:
    end = len(content)
    unfinished = content.rfind(b"\n") + 1
    last = unseal(content[unfinished:end]) if unfinished < end else None
    if last is not None:
        return Tail(_head(last), b"", newline_missing=True)
    finish = unfinished
    while finish > 0:
        start = content.rfind(b"\n", 0, finish - 1) + 1
        sealed = unseal(content[start : finish - 1])
        if sealed is not None:
            return Tail(_head(sealed), content[finish:end])
        finish = start
    return Tail(None, content[:end])


def _head(line: Sealed) -> Head:
    return Head(line.seq, line.hash)
