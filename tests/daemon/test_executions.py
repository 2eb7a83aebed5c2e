"""A command ends when somebody says so, and nothing makes its end endless (I15, C9)."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

import pytest

from cleanroom.backends.base import Command, Exit
from cleanroom.daemon.executions import (
    CANCELED,
    TERMINAL_ASKS,
    Bounds,
    LiveExecution,
    Outcome,
    signal_number,
)
from cleanroom.daemon.output import OutputLog
from cleanroom.errors import UserError
from tests.fake_process import FakeProcess
from tests.fakes import FakeBackend, FakeClock, FakeSandbox, settle
from tests.fakes import empty_spec as spec


class Playing:
    """A command that runs, with a clock that the test moves."""

    def __init__(self, *argv: str, output_bytes: int | None = None, timeout_s: float | None = None):
        self.clock = FakeClock()
        self.sandbox = FakeSandbox(FakeBackend(), spec())
        self.argv = argv
        self.bounds = Bounds(5, output_bytes)
        self.timeout_s = timeout_s
        self.process: FakeProcess
        self.live: LiveExecution
        self.following: asyncio.Task[Outcome]

    async def start(self) -> "Playing":
        """Start it and let it run as far as it goes."""
        self.process = await self.sandbox.execute(Command(self.argv, (), "/"))
        output = OutputLog(100_000, 10_000, lossless=True)
        self.live = LiveExecution(self.process, output, self.clock, self.bounds, self.sandbox.stop)
        self.following = asyncio.get_running_loop().create_task(self.live.follow(self.timeout_s))
        await settle()
        return self


def play(work: Coroutine[Any, Any, None]) -> None:
    """Run a test's coroutine."""
    asyncio.run(work)


def test_an_exit_code_decides_the_state() -> None:
    async def conversation() -> None:
        assert (await (await Playing("true").start()).following).state == "succeeded"
        failed = await (await Playing("exit", "9").start()).following
        assert failed == Outcome("failed", Exit(9))

    play(conversation())


def test_cancel_is_a_term_first() -> None:
    async def conversation() -> None:
        playing = await Playing("sleep").start()
        await playing.live.end(CANCELED)
        outcome = await playing.following
        assert (outcome.state, outcome.exit) == ("canceled", Exit(None, signal.SIGTERM))
        assert outcome.failure is not None
        assert outcome.failure.code == "canceled"

    play(conversation())


def test_a_shell_on_a_terminal_is_first_told_that_its_terminal_is_gone() -> None:
    async def conversation() -> None:
        playing = Playing("stubborn")
        playing.bounds = Bounds(5, asks=TERMINAL_ASKS)
        await playing.start()
        ending = asyncio.get_running_loop().create_task(playing.live.end(CANCELED))
        await settle()
        assert playing.process.signals == [signal.SIGHUP, signal.SIGTERM]
        await playing.clock.advance(5.1)
        await ending
        assert (await playing.following).exit == Exit(None, signal.SIGKILL)

    play(conversation())


def test_a_command_that_ignores_term_is_killed_after_the_grace() -> None:
    async def conversation() -> None:
        playing = await Playing("stubborn").start()
        ending = asyncio.get_running_loop().create_task(playing.live.end(CANCELED))
        await playing.clock.advance(4.9)
        assert playing.process.signals == [signal.SIGTERM]
        await playing.clock.advance(0.2)
        await ending
        assert playing.process.signals == [signal.SIGTERM, signal.SIGKILL]
        assert (await playing.following).state == "canceled"

    play(conversation())


def test_a_process_that_survives_kill_costs_its_sandbox() -> None:
    async def conversation() -> None:
        playing = await Playing("immortal").start()
        ending = asyncio.get_running_loop().create_task(playing.live.end(CANCELED))
        await playing.clock.advance(11)
        await ending
        assert playing.sandbox.stops == 1
        assert (await playing.following).state == "canceled"

    play(conversation())


def test_a_timeout_follows_the_monotonic_clock() -> None:
    async def conversation() -> None:
        playing = await Playing("sleep", timeout_s=60).start()
        await playing.clock.advance(59)
        assert not playing.following.done()
        await playing.clock.advance(2)
        outcome = await playing.following
        assert outcome.state == "timed_out"
        assert outcome.failure is not None
        assert outcome.failure.reason == "it ran longer than 60 s"
        assert outcome.failure.hint.startswith("cleanroom exec --timeout ")

    play(conversation())


def test_the_first_reason_counts() -> None:
    async def conversation() -> None:
        playing = await Playing("stubborn", timeout_s=1).start()
        canceling = asyncio.get_running_loop().create_task(playing.live.end(CANCELED))
        await playing.clock.advance(20)
        await canceling
        assert (await playing.following).state == "canceled"

    play(conversation())


def test_a_sandbox_that_is_stopped_gives_its_reason() -> None:
    async def conversation() -> None:
        playing = await Playing("sleep").start()
        playing.live.sandbox_ends(CANCELED)
        await playing.sandbox.stop()
        assert (await playing.following) == Outcome("canceled", None, CANCELED.failure)

    play(conversation())


def test_a_sandbox_that_is_gone_is_a_failure_with_its_code() -> None:
    async def conversation() -> None:
        playing = await Playing("sleep").start()
        await playing.sandbox.die()
        outcome = await playing.following
        assert (outcome.state, outcome.exit) == ("failed", None)
        assert outcome.failure is not None
        assert outcome.failure.code == "backend_transport_error"

    play(conversation())


def test_output_above_the_policys_limit_ends_the_command() -> None:
    async def conversation() -> None:
        playing = await Playing("flood", "1000000", output_bytes=5000).start()
        outcome = await playing.following
        assert outcome.state == "failed"
        assert outcome.failure is not None
        assert outcome.failure.code == "resource_limit"
        assert outcome.failure.hint
        assert playing.live.output.totals[1] == 5000

    play(conversation())


def test_a_killed_command_does_not_wait_for_a_client_that_reads_nothing() -> None:
    async def conversation() -> None:
        playing = await Playing("flood", "100000000").start()
        assert playing.live.output.waits
        ending = asyncio.get_running_loop().create_task(playing.live.end(CANCELED))
        await playing.clock.advance(6)
        await ending
        assert (await playing.following).state == "canceled"

    play(conversation())


def test_input_signals_and_sizes_reach_the_command() -> None:
    async def conversation() -> None:
        playing = await Playing("cat").start()
        await playing.live.write_stdin(b"abc")
        await playing.live.resize(5, 6)
        await playing.live.signal(signal.SIGUSR1)
        await playing.live.close_stdin()
        await playing.following
        await playing.live.ended()
        assert playing.live.output.totals[1] == 3
        assert playing.process.sizes == [(5, 6)]
        assert playing.process.signals == [signal.SIGUSR1]

    play(conversation())


def test_signals_have_names() -> None:
    assert signal_number("TERM") == signal.SIGTERM
    with pytest.raises(UserError):
        signal_number("SEGV")
