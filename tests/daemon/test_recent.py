"""Finished runs stay for a while, within bounds."""

import asyncio

from cleanroom.backends.base import Command
from cleanroom.daemon.executions import Bounds, LiveExecution
from cleanroom.daemon.output import OutputLog
from cleanroom.daemon.recent import MOST, RecentRuns
from cleanroom.daemon.sandbox import LiveRun
from tests.daemon.test_store import execution, run
from tests.fakes import FakeBackend, FakeClock, FakeSandbox, empty_spec


async def finished(number: int, size: int) -> LiveRun:
    """A run that wrote this much."""
    made = LiveRun(run(number), execution(number), None, foreground=False)
    machine = FakeSandbox(FakeBackend(), empty_spec())
    process = await machine.execute(Command(("true",), (), "/"))
    output = OutputLog(10_000_000, 1_000_000, lossless=False)
    await output.write(1, b"x" * size)
    made.live = LiveExecution(process, output, FakeClock(), Bounds(1), machine.stop)
    return made


def test_the_oldest_go_when_the_bytes_are_too_many() -> None:
    async def conversation() -> None:
        recent = RecentRuns(3000)
        for number in range(1, 4):
            recent.keep(await finished(number, 1000))
        assert recent.get(execution(1).id) is None
        assert recent.get(execution(2).id) is not None
        assert recent.get(execution(3).id) is not None

    asyncio.run(conversation())


def test_the_oldest_go_when_they_are_too_many() -> None:
    recent = RecentRuns(3000)
    for number in range(MOST + 1):
        recent.keep(LiveRun(run(number), execution(number), None, foreground=False))
    assert recent.get(execution(0).id) is None
    assert recent.get(execution(1).id) is not None
