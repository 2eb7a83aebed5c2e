"""Output is kept within a bound, nothing is lost to an owner, others are told what they missed."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from cleanroom.daemon.output import Chunk, Gap, OutputLog
from tests.fakes import settle

KEPT, WINDOW = 10_000, 1000


def play(work: Coroutine[Any, Any, None]) -> None:
    """Run a test's coroutine."""
    asyncio.run(work)


def log(*, lossless: bool = False) -> OutputLog:
    """Return an empty log."""
    return OutputLog(KEPT, WINDOW, lossless=lossless)


def test_a_reader_sees_both_streams_in_order_then_the_end() -> None:
    async def conversation() -> None:
        output = log()
        await output.write(1, b"out")
        await output.write(2, b"err")
        await output.write(1, b"more")
        await output.write(1, b"")
        output.end()
        reader = output.reader()
        assert await reader.next() == Chunk(1, 0, b"out")
        assert await reader.next() == Chunk(2, 0, b"err")
        assert await reader.next() == Chunk(1, 3, b"more")
        assert await reader.next() is None
        assert output.totals == {1: 7, 2: 3}

    play(conversation())


def test_a_waiting_reader_wakes_when_something_is_written() -> None:
    async def conversation() -> None:
        output = log()
        reading = asyncio.get_running_loop().create_task(output.reader().next())
        await settle()
        assert not reading.done()
        await output.write(1, b"x")
        assert await reading == Chunk(1, 0, b"x")

    play(conversation())


def test_a_reader_can_begin_in_the_middle_of_each_stream() -> None:
    async def conversation() -> None:
        output = log()
        await output.write(1, b"0123")
        await output.write(2, b"abcd")
        await output.write(1, b"4567")
        reader = output.reader(stdout_from=5, stderr_from=2)
        assert reader.take() == Chunk(2, 2, b"cd")
        assert reader.take() == Chunk(1, 5, b"567")
        assert reader.take() is None

    play(conversation())


def test_without_an_owner_the_newest_is_kept_and_the_gap_is_said() -> None:
    async def conversation() -> None:
        output = log()
        early = output.reader()
        for _ in range(200):
            await output.write(1, b"x" * 100)
        assert output.kept_bytes <= KEPT
        gap = early.take()
        assert isinstance(gap, Gap)
        assert gap.offset == 0
        first = early.take()
        assert isinstance(first, Chunk)
        assert first.offset == gap.missing
        late = output.reader(stdout_from=20_000 - 50)
        assert late.take() == Chunk(1, 19_950, b"x" * 50)

    play(conversation())


def test_a_writer_waits_for_the_owner() -> None:
    async def conversation() -> None:
        output = log(lossless=True)
        written: list[int] = []

        async def write() -> None:
            for number in range(100):
                await output.write(1, b"x" * 100)
                written.append(number)
            output.end()

        writing = asyncio.get_running_loop().create_task(write())
        await settle()
        assert output.waits
        assert len(written) == WINDOW // 100
        reader = output.reader(owner=True)
        total = 0
        while (piece := await reader.next()) is not None:
            assert isinstance(piece, Chunk)
            total += len(piece.data)
        await writing
        assert total == 10_000

    play(conversation())


def test_a_writer_goes_on_when_the_owner_is_gone() -> None:
    async def conversation() -> None:
        output = log(lossless=True)

        async def write() -> None:
            for _ in range(100):
                await output.write(1, b"x" * 100)

        writing = asyncio.get_running_loop().create_task(write())
        await settle()
        output.release()
        await writing
        assert output.totals[1] == 10_000

    play(conversation())


def test_the_end_frees_a_waiting_writer_and_takes_nothing_more() -> None:
    async def conversation() -> None:
        output = log(lossless=True)
        await output.write(1, b"x" * WINDOW)
        writing = asyncio.get_running_loop().create_task(output.write(1, b"late"))
        await settle()
        output.end()
        await writing
        assert output.totals[1] == WINDOW

    play(conversation())


def test_many_tiny_writes_are_bounded_too() -> None:
    async def conversation() -> None:
        output = log()
        for _ in range(20_000):
            await output.write(1, b"x")
        assert output.kept_bytes <= KEPT
        assert output.first_number > 19_000

    play(conversation())


def test_what_is_written_before_the_waiting_task_runs_wakes_it() -> None:
    async def conversation() -> None:
        output = log()
        waiting = asyncio.get_running_loop().create_task(output.changed())
        output.end()  # the task has not run yet
        await asyncio.wait_for(waiting, 1)

    play(conversation())
