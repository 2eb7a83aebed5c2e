"""A reader gets from the disk what memory dropped, and is told only of what is in neither."""

import asyncio
from pathlib import Path

import pytest

from cleanroom.daemon.output import Chunk, Gap, OutputLog, OutputReader, Wanted
from cleanroom.daemon.spool import Spool
from cleanroom.daemon.transcript import Transcript, begin_at, since_starts, tail_starts

MEMORY, DISK = 10_000, 800_000


class Place:
    """A log with its spool."""

    def __init__(self, folder: Path, disk: int = DISK, *, lossless: bool = False) -> None:
        self.folder = folder / "exe"
        self.notes: list[str] = []
        spool = Spool(self.folder, disk, self.notes.append)
        self.log = OutputLog(MEMORY, MEMORY // 2, lossless=lossless, disk=spool)

    def reader(self, wanted: Wanted | None = None, *, alive: bool = True) -> Transcript:
        """Return a reader; of memory too while the command is alive."""
        wanted = wanted or Wanted()
        live = OutputReader(self.log, wanted, owner=False) if alive else None
        return Transcript(self.folder, wanted, live)


async def everything(transcript: Transcript) -> tuple[bytes, list[Gap]]:
    """Return the bytes of stdout that are there now, and the gaps."""
    data, gaps = b"", []
    while (piece := await transcript.take()) is not None:
        if isinstance(piece, Chunk):
            data += piece.data
        else:
            gaps.append(piece)
    return data, gaps


@pytest.mark.parametrize("alive", [True, False])
def test_what_memory_dropped_comes_from_disk(tmp_path: Path, alive: bool) -> None:  # noqa: FBT001
    async def conversation() -> None:
        place = Place(tmp_path)
        written = b""
        for number in range(2000):
            line = b"line %d\n" % number
            written += line
            await place.log.write(1, line)
        place.log.end()
        assert await everything(place.reader(alive=alive)) == (written, [])
        part = await everything(place.reader(Wanted(stdout_from=777), alive=alive))
        assert part == (written[777:], [])

    asyncio.run(conversation())


def test_a_slow_reader_of_a_flood_misses_nothing_that_the_disk_has(tmp_path: Path) -> None:
    async def conversation() -> None:
        place = Place(tmp_path)
        reader = place.reader()
        got = b""
        for number in range(400):
            await place.log.write(1, b"%1000d" % number)
            if number % 50 == 0:
                piece = await reader.take()
                assert isinstance(piece, Chunk)
                got += piece.data
        rest, gaps = await everything(reader)
        assert got + rest == b"".join(b"%1000d" % number for number in range(400))
        assert gaps == []
        assert await reader.take() is None

    asyncio.run(conversation())


def test_what_neither_has_is_a_gap(tmp_path: Path) -> None:
    async def conversation() -> None:
        place = Place(tmp_path, disk=80_000)
        for _ in range(400):
            await place.log.write(1, b"x" * 1000)
        for alive in (True, False):
            data, gaps = await everything(place.reader(alive=alive))
            assert len(gaps) == 1
            assert gaps[0].offset == 0
            assert gaps[0].missing + len(data) == 400_000

    asyncio.run(conversation())


def test_a_disk_that_failed_leaves_what_memory_has(tmp_path: Path) -> None:
    async def conversation() -> None:
        (tmp_path / "exe").write_text("in the way")
        place = Place(tmp_path)
        place.folder = tmp_path / "elsewhere"
        for _ in range(40):
            await place.log.write(1, b"x" * 1000)
        data, gaps = await everything(place.reader())
        assert len(place.notes) == 1
        assert len(gaps) == 1
        assert gaps[0].missing + len(data) == 40_000

    asyncio.run(conversation())


def test_what_an_owner_took_is_kept_from_the_end_on(tmp_path: Path) -> None:
    async def conversation() -> None:
        place = Place(tmp_path, lossless=True)
        owner = place.log.reader(owner=True)
        await place.log.write(1, b"a")
        await place.log.write(2, b"b")
        owner.take()
        assert not place.folder.exists()
        place.log.end()
        assert (await everything(place.reader(alive=False)))[0] == b"ab"

    asyncio.run(conversation())


def test_what_an_owner_leaves_behind_goes_to_disk_from_then_on(tmp_path: Path) -> None:
    async def conversation() -> None:
        place = Place(tmp_path, lossless=True)
        await place.log.write(1, b"early ")
        place.log.release()
        for _ in range(40):
            await place.log.write(1, b"x" * 1000)
        data, gaps = await everything(place.reader(alive=False))
        assert (data, gaps) == (b"early " + b"x" * 40_000, [])

    asyncio.run(conversation())


def chunks(*pieces: tuple[int, bytes]) -> list[Chunk]:
    """Return chunks of these pieces, one second apart."""
    totals = {1: 0, 2: 0}
    made = []
    for second, (stream, data) in enumerate(pieces):
        made.append(Chunk(stream, totals[stream], data, float(second)))
        totals[stream] += len(data)
    return made


@pytest.mark.parametrize(
    ("lines", "starts"),
    [
        (0, {1: 10, 2: 4}),
        (1, {1: 8, 2: 4}),
        (2, {1: 8, 2: 2}),
        (3, {1: 4, 2: 2}),
        (4, {1: 2, 2: 2}),
        (5, {1: 0, 2: 2}),
        (6, {1: 0, 2: 0}),
        (99, {1: 0, 2: 0}),
    ],
)
def test_the_last_lines_of_both_streams(lines: int, starts: dict[int, int]) -> None:
    made = chunks((2, b"A\n"), (1, b"a\nb\n"), (1, b"ccc\n"), (2, b"B\n"), (1, b"d."))
    assert tail_starts(reversed(made), lines, {1: 10, 2: 4}) == starts


def test_what_came_since() -> None:
    made = chunks((1, b"aa"), (2, b"b"), (1, b"cc"))
    assert since_starts(made, 0.0) == {1: 0, 2: 0}
    assert since_starts(made, 1.5) == {1: 2, 2: 1}
    assert since_starts(made, 9.0) == {1: 4, 2: 1}


@pytest.mark.parametrize("lossless", [True, False])
def test_a_reader_begins_where_both_wishes_allow(
    tmp_path: Path,
    lossless: bool,  # noqa: FBT001
) -> None:
    async def conversation() -> None:
        place = Place(tmp_path, lossless=lossless)
        for second in range(10):
            await place.log.write(1, b"line\n", float(second))
        for tail, since, begin in ((3, None, 35), (None, 5.0, 25), (3, 5.0, 35), (9, 5.0, 25)):
            wanted = await begin_at(place.folder, place.log, tail, since)
            assert wanted.offsets[1] == begin

    asyncio.run(conversation())
