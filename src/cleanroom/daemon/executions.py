"""One command in a sandbox, from its start to its end.

In: a Process of a backend. Out: its output in an OutputLog, and an Outcome. Never: an execution
that outlives its sandbox, or a wait that a stuck client or workload can make endless.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from cleanroom.api.problem import failure_of
from cleanroom.api.types import Failure
from cleanroom.backends.base import Exit, Process
from cleanroom.daemon.clock import Clock
from cleanroom.daemon.output import OutputLog
from cleanroom.errors import CleanroomError, Code, UserError

KILL_WAIT_S: Final = 5.0

# The signals a client may send by name; the rest are the kernel's or useless to a workload.
SIGNALS: Final = {
    name: int(getattr(signal, f"SIG{name}"))
    for name in (
        "HUP", "INT", "QUIT", "KILL", "USR1", "USR2", "ALRM", "TERM", "CONT", "STOP", "TSTP",
        "TTIN", "TTOU", "URG", "WINCH", "ABRT", "PIPE", "IO", "PWR", "VTALRM", "PROF",
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ending:
    """Why somebody ends an execution: the state it gets, and what is said."""

    state: str  # "canceled" or "timed_out"
    failure: Failure


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an execution ended. `exit` is None if nobody knows."""

    state: str
    exit: Exit | None
    failure: Failure | None = None


CANCELED: Final = Ending("canceled", Failure(code=Code.CANCELED, reason="it was canceled"))


def timed_out(seconds: float) -> Ending:
    """The ending of an execution that used up its own time."""
    reason = f"it ran longer than {seconds:g} s"
    hint = "cleanroom exec --timeout TIME, with a longer one"
    return Ending("timed_out", Failure(code=Code.TIMED_OUT, reason=reason, hint=hint))


def _too_much(limit: int) -> Ending:
    reason = f"it wrote more than {limit} bytes (sandbox.resources.output)"
    hint = "raise it, or send the output to a file in the workspace"
    return Ending("failed", Failure(code=Code.RESOURCE_LIMIT, reason=reason, hint=hint))


ASKS: Final = (signal.SIGTERM,)
# A shell on a terminal ignores TERM; that its terminal is gone it understands, and so do its jobs.
TERMINAL_ASKS: Final = (signal.SIGHUP, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Bounds:
    """`grace_s` from `asks`, the first signals, to KILL; `output_bytes` is
    `sandbox.resources.output`, if it is set.
    """

    grace_s: float
    output_bytes: int | None = None
    asks: tuple[int, ...] = ASKS


class LiveExecution:
    """A running command. `follow` carries it to its end, everything else may be called meanwhile.

    `stop_sandbox` is the last resort against a process that even SIGKILL does not end.
    """

    def __init__(
        self,
        process: Process,
        output: OutputLog,
        clock: Clock,
        bounds: Bounds,
        stop_sandbox: Callable[[], Awaitable[None]],
    ) -> None:
        self.output = output
        self._process = process
        self._clock = clock
        self._bounds = bounds
        self._stop_sandbox = stop_sandbox
        self._ending: Ending | None = None
        self._ended = asyncio.Event()
        self.outcome: Outcome | None = None

    async def follow(self, timeout_s: float | None) -> Outcome:
        """Copy the output and wait for the end. To be called once."""
        async with asyncio.TaskGroup() as group:
            timer = group.create_task(self._expire(timeout_s))
            self.outcome = await self._carry()
            self.output.end()
            self._ended.set()
            timer.cancel()
        return self.outcome

    async def end(self, why: Ending) -> None:
        """TERM (on a terminal HUP before it), a time of grace, KILL; returns when it has ended.

        The first reason counts.
        """
        if self._ending is not None:
            await self._ended.wait()
            return
        self._ending = why
        for number in self._bounds.asks:
            await self._process.signal(number)
        if await self._ended_within(self._bounds.grace_s):
            return
        # A client that does not read must not keep a killed command alive.
        self.output.release()
        await self._process.signal(signal.SIGKILL)
        if not await self._ended_within(KILL_WAIT_S):
            await self._stop_sandbox()
            await self._ended.wait()

    def sandbox_ends(self, why: Ending) -> None:
        """The sandbox is being stopped, and the command with it: remember the reason."""
        self._ending = self._ending or why
        self.output.release()

    async def signal(self, number: int) -> None:
        """Send a signal to the command's process group."""
        await self._process.signal(number)

    async def write_stdin(self, data: bytes) -> None:
        """Write standard input, waiting while the command does not read."""
        await self._process.write_stdin(data)

    async def close_stdin(self) -> None:
        """End standard input. Idempotent."""
        await self._process.close_stdin()

    async def resize(self, rows: int, columns: int) -> None:
        """Tell its terminal the new size."""
        await self._process.resize(rows, columns)

    async def ended(self) -> None:
        """Return when it has ended."""
        await self._ended.wait()

    async def _carry(self) -> Outcome:
        try:
            async for piece in self._process.output():
                data = await self._allowed(piece.data)
                await self.output.write(piece.stream, data, self._clock.now().timestamp())
            exit_ = await self._process.wait()
        except CleanroomError as error:
            return self._lost(error)
        if self._ending is not None:
            return Outcome(self._ending.state, exit_, self._ending.failure)
        return Outcome("succeeded" if exit_.status == 0 else "failed", exit_)

    async def _allowed(self, data: bytes) -> bytes:
        """Return the part of `data` below the output limit; above it the command is killed."""
        most = self._bounds.output_bytes
        if most is None:
            return data
        room = most - sum(self.output.totals.values())
        if len(data) > room:
            self._ending = self._ending or _too_much(most)
            await self._process.signal(signal.SIGKILL)
        return data[: max(room, 0)]

    def _lost(self, error: CleanroomError) -> Outcome:
        if self._ending is not None:
            return Outcome(self._ending.state, None, self._ending.failure)
        return Outcome("failed", None, failure_of(error))

    async def _expire(self, timeout_s: float | None) -> None:
        if timeout_s is not None:
            await self._clock.sleep(timeout_s)
            await self.end(timed_out(timeout_s))

    async def _ended_within(self, seconds: float) -> bool:
        async with asyncio.TaskGroup() as group:
            ended = group.create_task(self._ended.wait())
            late = group.create_task(self._clock.sleep(seconds))
            await asyncio.wait((ended, late), return_when=asyncio.FIRST_COMPLETED)
            ended.cancel()
            late.cancel()
        return self._ended.is_set()


def signal_number(name: str) -> int:
    """Return the number of a signal. Raises UserError if it cannot be sent to a workload."""
    number = SIGNALS.get(name)
    if number is None:
        message = f"cannot send the signal '{name}'"
        raise UserError(Code.REQUEST_INVALID, message, f"one of: {' '.join(SIGNALS)}")
    return number
