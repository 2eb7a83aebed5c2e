"""What a workload wrote: kept within a bound, read by many, from any byte on.

In: bytes of a workload, without end if it likes. Out: chunks with their offset, gaps said.
Never: unbounded memory, or a reader that misses bytes without being told.

Back-pressure: while the log has an owner-to-be or an owner (the foreground client), a writer waits
until the owner took what was written, so nothing is lost to it. Other readers may fall behind, and
get a gap. Without an owner the newest bytes are kept.
"""

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

CHUNK_OVERHEAD: Final = (
    200  # what an empty chunk costs in memory, so that tiny ones are bounded too
)
_COMPACT_AFTER: Final = 1024


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes of one stream; `offset` counts that stream's bytes, `at` is when (POSIX seconds)."""

    stream: int
    offset: int
    data: bytes
    at: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class Gap:
    """Bytes that were dropped before this reader took them."""

    stream: int
    offset: int
    missing: int


class Disk(Protocol):
    """Where chunks are kept beyond the memory's bound (spool.py)."""

    def write(self, chunk: Chunk, starts: Mapping[int, int]) -> None:
        """Keep a chunk; `starts` is what each stream had written before it. Never raises."""
        ...

    def close(self) -> None:
        """Keep nothing more. Idempotent."""
        ...


class OutputLog:
    """Both streams of one execution in the order they were written.

    While an owner takes everything nothing goes to `disk`; what is kept then goes there when the
    owner is gone or the command has ended.
    """

    def __init__(
        self, kept_bytes: int, window_bytes: int, *, lossless: bool, disk: Disk | None = None
    ) -> None:
        self._kept_bytes = kept_bytes
        self._window_bytes = min(window_bytes, kept_bytes // 2)
        self._lossless = lossless
        self._disk = disk
        self._on_disk = not lossless  # whether the disk has what memory has
        self._chunks: list[Chunk] = []
        self._head = 0  # chunks before this index of the list were dropped
        self._dropped = 0  # how many chunks were ever removed from the list
        self._kept = 0
        self._totals = {1: 0, 2: 0}
        self._written = 0
        self._taken = 0
        self._ended = False
        self._changed = asyncio.Event()
        self._room = asyncio.Event()

    @property
    def totals(self) -> dict[int, int]:
        """How many bytes each stream wrote so far."""
        return dict(self._totals)

    @property
    def kept_bytes(self) -> int:
        """How much memory the kept part takes."""
        return self._kept

    @property
    def waits(self) -> bool:
        """Whether the writer has to wait for the owner now."""
        return self._lossless and self._written - self._taken >= self._window_bytes

    @property
    def ended(self) -> bool:
        """Whether nothing more will be written."""
        return self._ended

    async def write(self, stream: int, data: bytes, at: float = 0.0) -> None:
        """Add bytes, waiting first while the owner has not read enough. Empty data is ignored."""
        while self.waits and not self._ended:
            self._room.clear()
            await self._room.wait()
        if not data or self._ended:
            return
        chunk = Chunk(stream, self._totals[stream], data, at)
        if self._on_disk and self._disk is not None:
            self._disk.write(chunk, self._totals)
        self._chunks.append(chunk)
        self._totals[stream] += len(data)
        self._written += len(data)
        self._kept += len(data) + CHUNK_OVERHEAD
        self._drop_oldest()
        self._wake()

    def end(self) -> None:
        """Nothing more will be written. Idempotent."""
        self._ended = True
        self._keep_on_disk()
        if self._disk is not None:
            self._disk.close()
        self._room.set()
        self._wake()

    def release(self) -> None:
        """The owner is gone: from now on the newest bytes are kept and nobody is waited for."""
        self._lossless = False
        self._keep_on_disk()
        self._room.set()

    def reader(
        self, *, owner: bool = False, stdout_from: int = 0, stderr_from: int = 0
    ) -> "OutputReader":
        """Return a reader of everything from these offsets on."""
        return OutputReader(self, Wanted(stdout_from, stderr_from), owner=owner)

    def chunk_at(self, number: int) -> Chunk | None:
        """Return the chunk with this number, or None if it is not written yet. For readers."""
        index = number - self._dropped
        return self._chunks[index] if index < len(self._chunks) else None

    @property
    def first_number(self) -> int:
        """The number of the oldest chunk still kept. For readers."""
        return self._dropped + self._head

    def taken(self, size: int) -> None:
        """The owner took this many bytes. For readers."""
        self._taken += size
        if not self.waits:
            self._room.set()

    def changed(self) -> Coroutine[Any, Any, object]:
        """Return something to wait for: that the log is written to, or ends, after this call.

        Not `async`: a task made of it runs later, and what happens until then must count.
        """
        return self._changed.wait()

    def _keep_on_disk(self) -> None:
        """Bring to disk what memory has, once; what is written later goes there as it comes."""
        if self._on_disk or self._disk is None:
            return
        self._on_disk = True
        starts = dict(self._totals)
        for chunk in reversed(self._chunks[self._head :]):
            starts[chunk.stream] = chunk.offset
        for chunk in self._chunks[self._head :]:
            self._disk.write(chunk, starts)
            starts[chunk.stream] += len(chunk.data)

    @property
    def kept(self) -> list[Chunk]:
        """The chunks in memory, oldest first."""
        return self._chunks[self._head :]

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _drop_oldest(self) -> None:
        while self._kept > self._kept_bytes and self._head < len(self._chunks) - 1:
            self._kept -= len(self._chunks[self._head].data) + CHUNK_OVERHEAD
            self._head += 1
        if self._head > _COMPACT_AFTER or self._head * 2 > len(self._chunks):
            del self._chunks[: self._head]
            self._dropped += self._head
            self._head = 0


class Wanted:
    """The next byte of each stream that one reader has not been given."""

    def __init__(self, stdout_from: int = 0, stderr_from: int = 0) -> None:
        self.offsets = {1: stdout_from, 2: stderr_from}

    def missing(self, chunk: Chunk) -> Gap | None:
        """Return what lies between the reader and this chunk."""
        wanted = self.offsets[chunk.stream]
        if chunk.offset <= wanted:
            return None
        return Gap(chunk.stream, wanted, chunk.offset - wanted)

    def skip(self, gap: Gap) -> None:
        """The reader was told of the gap."""
        self.offsets[gap.stream] = gap.offset + gap.missing

    def fresh(self, chunk: Chunk) -> Chunk | None:
        """Return the part of a chunk without a gap that the reader does not have, and count it."""
        wanted = self.offsets[chunk.stream]
        data = chunk.data[wanted - chunk.offset :]
        if not data:
            return None
        self.offsets[chunk.stream] = wanted + len(data)
        return Chunk(chunk.stream, wanted, data, chunk.at)


class OutputReader:
    """One reader's place in the log; `wanted` may be moved by whoever reads elsewhere too."""

    def __init__(self, log: OutputLog, wanted: Wanted, *, owner: bool) -> None:
        self.wanted = wanted
        self._log = log
        self._next = log.first_number
        self._owner = owner

    async def next(self) -> Chunk | Gap | None:
        """Return the next piece, waiting for it; None at the end."""
        while True:
            piece = self.take()
            if piece is not None:
                return piece
            if self._log.ended:
                return None
            await self._log.changed()

    def gap(self) -> Gap | None:
        """Return the gap that `take` would return next, if it is one."""
        self._next = max(self._next, self._log.first_number)
        chunk = self._log.chunk_at(self._next)
        return self.wanted.missing(chunk) if chunk is not None else None

    def take(self) -> Chunk | Gap | None:
        """Return the next piece if there is one now."""
        self._next = max(self._next, self._log.first_number)
        while (chunk := self._log.chunk_at(self._next)) is not None:
            gap = self.wanted.missing(chunk)
            if gap is not None:
                self.wanted.skip(gap)
                return gap
            self._next += 1
            if self._owner:
                self._log.taken(len(chunk.data))
            fresh = self.wanted.fresh(chunk)
            if fresh is not None:
                return fresh
        return None
