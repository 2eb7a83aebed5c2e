"""One reader of a command's output: from disk what memory has dropped, from memory the rest.

In: an execution's folder on disk, its OutputLog while it lives. Out: chunks in order, gaps where
neither has the bytes. Never: file work on the event loop, or a gap said that the disk can fill.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from cleanroom.daemon.output import Chunk, Gap, OutputLog, OutputReader, Wanted
from cleanroom.daemon.spool import batches, ends, newest_first
from cleanroom.errors import Code, Fault


class Transcript:
    """To be asked for pieces until there is none; more may come while the command runs."""

    def __init__(self, folder: Path, wanted: Wanted, reader: OutputReader | None) -> None:
        """`reader` shares `wanted`; None for a command whose memory is gone."""
        self._folder = folder
        self._wanted = wanted
        self._reader = reader
        self._segments: Iterator[list[Chunk]] | None = None  # while the disk is read
        self._chunks: deque[Chunk] = deque()
        self._asked: dict[int, int] | None = None  # where the disk was last asked for more

    async def take(self) -> Chunk | Gap | None:
        """Return the next piece if there is one now. Raises Fault(internal) if the disk fails."""
        try:
            return await self._take()
        except OSError as error:
            message = f"cannot read the output: {error.strerror}"
            raise Fault(Code.INTERNAL, message) from error

    async def _take(self) -> Chunk | Gap | None:
        while True:
            piece = await self._from_disk()
            if piece is not None:
                return piece
            if self._reader is not None and self._reader.gap() is None:
                return self._reader.take()
            if self._asked == self._wanted.offsets:  # the disk does not have it either
                return self._reader.take() if self._reader is not None else None
            self._asked = dict(self._wanted.offsets)
            self._segments = batches(self._folder, self._asked)

    async def _from_disk(self) -> Chunk | Gap | None:
        while True:
            while self._chunks:
                gap = self._wanted.missing(self._chunks[0])
                if gap is not None:
                    self._wanted.skip(gap)
                    return gap
                fresh = self._wanted.fresh(self._chunks.popleft())
                if fresh is not None:
                    return fresh
            if self._segments is None:
                return None
            batch = await asyncio.to_thread(next, self._segments, None)
            if batch is None:
                self._segments = None
            else:
                self._chunks.extend(batch)


async def begin_at(
    folder: Path, log: OutputLog | None, tail: int | None, since: float | None
) -> Wanted:
    """Return where a reader begins who wants the last `tail` lines, or what came `since`.

    Both: what both allow. Raises OSError if the disk fails.
    """
    wanted = Wanted()
    if tail is not None:
        _later(wanted, await _tail(folder, log, tail))
    if since is not None:
        _later(wanted, await _since(folder, log, since))
    return wanted


def _later(wanted: Wanted, starts: dict[int, int]) -> None:
    for stream, offset in starts.items():
        wanted.offsets[stream] = max(wanted.offsets[stream], offset)


async def _tail(folder: Path, log: OutputLog | None, lines: int) -> dict[int, int]:
    found_ends = await asyncio.to_thread(ends, folder)
    if log is not None and found_ends != log.totals:  # its owner reads it: nothing is on disk
        return tail_starts(reversed(log.kept), lines, log.totals)
    return await asyncio.to_thread(lambda: tail_starts(newest_first(folder), lines, found_ends))


async def _since(folder: Path, log: OutputLog | None, since: float) -> dict[int, int]:
    def on_disk() -> dict[int, int]:
        every = (chunk for batch in batches(folder, Wanted().offsets) for chunk in batch)
        return since_starts(every, since)

    found = await asyncio.to_thread(on_disk)
    return since_starts(log.kept, since) if log is not None and not found else found


def since_starts(oldest_first: Iterable[Chunk], since: float) -> dict[int, int]:
    """Return the offset of each stream's first byte at or after `since`, else its end."""
    starts: dict[int, int] = {}
    begun: set[int] = set()
    for chunk in oldest_first:
        if chunk.stream not in begun:
            late = chunk.at >= since
            starts[chunk.stream] = chunk.offset + (0 if late else len(chunk.data))
            if late:
                begun.add(chunk.stream)
    return starts


def tail_starts(
    newest_first_: Iterable[Chunk], lines: int, totals: Mapping[int, int]
) -> dict[int, int]:
    """Return where the last lines of both streams together begin, by stream.

    Lines are in the order of their ends; one without an end counts. `totals` are the streams' ends.
    """
    tail = _Tail(lines, totals)
    for chunk in newest_first_:
        if tail.found:
            break
        tail.look_at(chunk)
    return tail.starts


class _Tail:
    """Walks back over chunks; each newline ends a line, and begins one that may be wanted."""

    def __init__(self, lines: int, totals: Mapping[int, int]) -> None:
        self.starts = dict(totals)
        self._left = lines
        self._totals = totals
        self._seeking: set[int] = set()  # streams whose oldest wanted line began before here

    @property
    def found(self) -> bool:
        return not self._left and not self._seeking

    def look_at(self, chunk: Chunk) -> None:
        stream = chunk.stream
        last = chunk.offset + len(chunk.data) == self._totals[stream]
        if last and not chunk.data.endswith(b"\n"):
            self._want(stream)
        place = len(chunk.data)
        while (place := chunk.data.rfind(b"\n", 0, place)) >= 0:
            if stream in self._seeking:
                self.starts[stream] = chunk.offset + place + 1
                self._seeking.discard(stream)
            self._want(stream)
        if stream in self._seeking:
            self.starts[stream] = chunk.offset

    def _want(self, stream: int) -> None:
        """Count the line that ends here, if more are wanted."""
        if self._left:
            self._left -= 1
            self._seeking.add(stream)
