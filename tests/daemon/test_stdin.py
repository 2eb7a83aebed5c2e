"""Input waits for the command within a bound, in order."""

import asyncio

import pytest

from cleanroom.backends.base import Command
from cleanroom.daemon.executions import Bounds, LiveExecution
from cleanroom.daemon.output import OutputLog
from cleanroom.daemon.stdin import MOST_BYTES, StdinQueue
from cleanroom.errors import Code, Fault
from tests.fake_process import FakeProcess
from tests.fakes import FakeBackend, FakeClock, FakeSandbox, empty_spec, settle


async def taken(_count: int) -> None:
    """Tell nobody."""


async def command(*argv: str) -> tuple[FakeProcess, LiveExecution]:
    """A running command."""
    machine = FakeSandbox(FakeBackend(), empty_spec())
    process = await machine.execute(Command(argv, (), "/"))
    output = OutputLog(100_000, 10_000, lossless=False)
    return process, LiveExecution(process, output, FakeClock(), Bounds(1), machine.stop)


def test_more_than_the_bound_waits_and_a_client_that_is_gone_is_noticed() -> None:
    async def conversation() -> None:
        _, live = await command("sleep")
        queue = StdinQueue(live, taken)
        feeding = asyncio.get_running_loop().create_task(queue.feed())
        for _ in range(5):  # what the fake command's own queue takes, and one more
            await queue.put(b"x", lambda: False)
        await queue.put(b"x" * MOST_BYTES, lambda: False)
        with pytest.raises(ConnectionError):
            await queue.put(b"x", lambda: True)
        feeding.cancel()

    asyncio.run(conversation())


def test_a_waiting_message_goes_on_when_there_is_room() -> None:
    async def conversation() -> None:
        process, live = await command("sleep")
        told: list[int] = []

        async def tell(count: int) -> None:
            told.append(count)

        queue = StdinQueue(live, tell)
        await queue.put(b"x" * MOST_BYTES, lambda: False)
        putting = asyncio.get_running_loop().create_task(queue.put(b"y", lambda: False))
        await settle()
        assert not putting.done()
        feeding = asyncio.get_running_loop().create_task(queue.feed())
        await putting
        queue.end()
        await feeding
        assert told == [MOST_BYTES, MOST_BYTES + 1]
        assert [len(await process.read()) for _ in range(2)] == [MOST_BYTES, 1]

    asyncio.run(conversation())


def test_a_sandbox_that_is_gone_ends_the_feeding() -> None:
    class Gone(FakeProcess):
        async def write_stdin(self, data: bytes) -> None:
            raise Fault(Code.BACKEND_TRANSPORT_ERROR, "cannot reach the agent")

    async def conversation() -> None:
        machine = FakeSandbox(FakeBackend(), empty_spec())
        process = Gone(machine, Command(("cat",), (), "/"))
        output = OutputLog(100_000, 10_000, lossless=False)
        live = LiveExecution(process, output, FakeClock(), Bounds(1), machine.stop)
        queue = StdinQueue(live, taken)
        await queue.put(b"x", lambda: False)
        await queue.feed()

    asyncio.run(conversation())
