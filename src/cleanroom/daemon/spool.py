"""One command's output on disk: appended as it comes, the newest kept within a bound.

In: chunks. Out: the same chunks, forward from any byte or newest first, also after a kill. Never:
more bytes on disk than the bound and one chunk, a file changed after it was written, or a chunk
that was cut half taken for a whole one.

A folder of segments. A segment's name is its number and the offset of each stream at its start, so
that a reader opens only what it needs; it is read as a whole, which its size allows. Segments are
only appended to, and removed as a whole.
"""

import contextlib
import os
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from cleanroom.daemon.output import Chunk

HEAD: Final = struct.Struct("<BIQd")  # stream, count of bytes, offset, time
_SEGMENT: Final = 1024 * 1024
_FEWEST: Final = 8  # segments of a full spool: dropping one loses an eighth at most


class Spool:
    """The writer. It makes its folder with the first chunk, and stops at the first failure."""

    def __init__(self, folder: Path, most_bytes: int, note: Callable[[str], None]) -> None:
        """`note` is told, once, why nothing more is kept."""
        self._folder = folder
        self._note = note
        self._most = most_bytes
        self._segment_bytes = min(_SEGMENT, most_bytes // _FEWEST)
        self._descriptor: int | None = None
        self._segments: list[tuple[Path, int]] = []  # with their sizes; the last one is open
        self._made = 0
        self._closed = False

    def write(self, chunk: Chunk, starts: Mapping[int, int]) -> None:
        """Append a chunk; `starts` is what each stream had written before it. Never raises."""
        if self._closed:
            return
        record = HEAD.pack(chunk.stream, len(chunk.data), chunk.offset, chunk.at) + chunk.data
        try:
            self._append(record, starts)
        except OSError as error:
            self._note(f"its output is no longer kept on disk: {error.strerror}")
            self.close()

    def close(self) -> None:
        """Keep nothing more. Idempotent."""
        self._closed = True
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _append(self, record: bytes, starts: Mapping[int, int]) -> None:
        descriptor = self._descriptor
        if descriptor is None or self._segments[-1][1] + len(record) > self._segment_bytes:
            descriptor = self._next_segment(starts)
        path, size = self._segments[-1]
        self._segments[-1] = (path, size + len(record))
        view = memoryview(record)
        while view:  # a file takes all at once, but for a full disk or a signal
            view = view[os.write(descriptor, view) :]

    def _next_segment(self, starts: Mapping[int, int]) -> int:
        if self._descriptor is None:
            self._folder.mkdir(mode=0o700, parents=True)
        else:
            os.close(self._descriptor)
            self._descriptor = None
        kept = sum(size for _, size in self._segments)
        while self._segments and kept + self._segment_bytes > self._most:
            path, size = self._segments.pop(0)
            path.unlink(missing_ok=True)
            kept -= size
        path = self._folder / f"{self._made}.{starts[1]}.{starts[2]}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o600)
        self._segments.append((path, 0))
        self._made += 1
        return self._descriptor


def ends(folder: Path) -> dict[int, int]:
    """Return how much each stream wrote in all, as far as the disk knows. Raises OSError."""
    found = {1: 0, 2: 0}
    for segment in _segments(folder)[-1:]:
        found.update(segment.starts)
        for chunk in _forward(_content(segment)):
            found[chunk.stream] = chunk.offset + len(chunk.data)
    return found


class _Segment(NamedTuple):
    number: int
    starts: Mapping[int, int]
    path: Path


def batches(folder: Path, wanted: Mapping[int, int]) -> Iterator[list[Chunk]]:
    """Yield what is kept, oldest first, a segment at a time, from the one with these bytes on.

    Chunks before `wanted` may be among them. Raises OSError.
    """
    segments = _segments(folder)
    first = 0
    for index, segment in enumerate(segments):
        if all(segment.starts[stream] <= offset for stream, offset in wanted.items()):
            first = index
    for segment in segments[first:]:
        yield _forward(_content(segment))


def newest_first(folder: Path) -> Iterator[Chunk]:
    """Yield what is kept, newest first. Raises OSError."""
    for segment in reversed(_segments(folder)):
        yield from reversed(_forward(_content(segment)))


def _segments(folder: Path) -> list[_Segment]:
    try:
        names = os.listdir(folder)  # noqa: PTH208 -- the names are all that is needed
    except FileNotFoundError:
        return []
    found = []
    for name in names:
        number, first, second = (int(word) for word in name.split("."))
        found.append(_Segment(number, {1: first, 2: second}, folder / name))
    return sorted(found, key=lambda segment: segment.number)


def _content(segment: _Segment) -> bytes:
    with contextlib.suppress(FileNotFoundError):  # dropped since the folder was read
        return segment.path.read_bytes()
    return b""


def _forward(content: bytes) -> list[Chunk]:
    chunks = []
    place = 0
    while place + HEAD.size <= len(content):
        stream, size, offset, at = HEAD.unpack_from(content, place)
        begin, end = place + HEAD.size, place + HEAD.size + size
        if end > len(content):
            break  # the last one, cut by a kill or still being written
        chunks.append(Chunk(stream, offset, content[begin:end], at))
        place = end
    return chunks
