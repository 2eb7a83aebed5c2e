"""Fake commands: a process whose program is a coroutine, and a table of such programs.

In: argv of a Command. Out: output, exits, refusals, as the table's programs script them.
Never: a real process.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Protocol as TypingProtocol

import msgspec

from cleanroom.backends.base import Command, Exit, Output
from cleanroom.errors import Code, Fault
from cleanroom.events import NetworkEvent, Protocol

WINDOW = 1024 * 1024
TERM, KILL = 15, 9


class Surroundings(TypingProtocol):
    """The sandbox of a process, as its program sees it."""

    def event(self, event: NetworkEvent) -> None:
        """The gateway judged something."""
        ...

    def touch(self, paths: tuple[str, ...]) -> None:
        """Files of the workspace were changed."""
        ...

    async def die(self) -> None:
        """The whole sandbox ends by itself."""
        ...


class FakeProcess:
    """A running fake command: its program calls `say`, `read`, `emit`."""

    def __init__(self, sandbox: Surroundings, command: Command) -> None:
        self.sandbox = sandbox
        self.command = command
        self.signals: list[int] = []
        self.sizes: list[tuple[int, int]] = []
        self.ignores_term = False
        self.ignores_kill = False
        self._chunks: list[Output] = []
        self._unread = 0
        self._changed = asyncio.Event()
        self._stdin: asyncio.Queue[bytes] = asyncio.Queue(maxsize=4)
        self._stdin_open = True
        self._exit: Exit | Fault | None = None
        self.task: asyncio.Task[None] | None = None

    async def say(self, data: bytes, stream: int = 1) -> None:
        """Write output, waiting while nobody reads it."""
        while self._unread >= WINDOW:
            await self._changed.wait()
        self._chunks.append(Output(stream, data))
        self._unread += len(data)
        self._wake()

    async def read(self) -> bytes:
        """Return the next bytes of standard input, b"" at its end."""
        if not self._stdin_open and self._stdin.empty():
            return b""
        return await self._stdin.get()

    async def output(self) -> AsyncIterator[Output]:
        """Yield output until the program has ended."""
        while True:
            while self._chunks:
                piece = self._chunks.pop(0)
                self._unread -= len(piece.data)
                self._wake()
                yield piece
            if self._exit is not None:
                return
            await self._changed.wait()

    async def wait(self) -> Exit:
        """Return how it ended."""
        while self._exit is None:
            await self._changed.wait()
        if isinstance(self._exit, Fault):
            raise self._exit
        return self._exit

    async def write_stdin(self, data: bytes) -> None:
        """Give bytes to the program, waiting while it does not read."""
        if self._stdin_open and self._exit is None:
            await self._stdin.put(data)

    async def close_stdin(self) -> None:
        """End its input."""
        if self._stdin_open:
            self._stdin_open = False
            if self._stdin.empty():
                self._stdin.put_nowait(b"")

    async def signal(self, number: int) -> None:
        """Note the signal; those that end a program end it."""
        self.signals.append(number)
        if (number == KILL and not self.ignores_kill) or (
            number in (TERM, 2, 1) and not self.ignores_term
        ):
            self.end(Exit(None, number))

    async def resize(self, rows: int, columns: int) -> None:
        """Note the size."""
        self.sizes.append((rows, columns))

    def end(self, how: Exit | Fault) -> None:
        """It has ended; the first way counts."""
        if self._exit is None:
            self._exit = how
            if self.task is not None:
                self.task.cancel()
            self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


Program = Callable[[FakeProcess], Awaitable[int]]


async def _true(_process: FakeProcess) -> int:
    return 0


async def _false(_process: FakeProcess) -> int:
    return 1


async def _echo(process: FakeProcess) -> int:
    await process.say(" ".join(process.command.argv[1:]).encode() + b"\n")
    return 0


async def _lines(process: FakeProcess) -> int:
    for word in process.command.argv[1:]:
        await process.say(word.encode() + b"\n")
    return 0


async def _err(process: FakeProcess) -> int:
    await process.say(" ".join(process.command.argv[1:]).encode() + b"\n", 2)
    return 0


async def _exit(process: FakeProcess) -> int:
    return int(process.command.argv[1])


async def _cat(process: FakeProcess) -> int:
    while data := await process.read():
        await process.say(data)
    return 0


async def _sleep(_process: FakeProcess) -> int:
    await asyncio.Event().wait()
    return 0


async def _stubborn(process: FakeProcess) -> int:
    process.ignores_term = True
    return await _sleep(process)


async def _immortal(process: FakeProcess) -> int:
    process.ignores_kill = True
    return await _stubborn(process)


async def _flood(process: FakeProcess) -> int:
    left, block = int(process.command.argv[1]), b"x" * 65536
    while left > 0:
        await process.say(block[: min(left, len(block))])
        left -= len(block)
    return 0


async def _deny(process: FakeProcess) -> int:
    """`deny NAME|ADDRESS PORT [TIMES]`: the gateway refuses it that often."""
    name, port, *times = process.command.argv[1:]
    event = denied(name, int(port))
    if name[:1].isdigit():
        event = msgspec.structs.replace(event, name="", address=name)
    for _ in range(int(times[0]) if times else 1):
        process.sandbox.event(event)
    return 0


async def _allow(process: FakeProcess) -> int:
    """`allow NAME PORT`: the gateway lets it through."""
    name, port = process.command.argv[1:]
    event = NetworkEvent(
        "verdict",
        allowed=True,
        protocol=Protocol.TLS,
        name=name,
        address="192.0.2.7",
        port=int(port),
        code="",
        reason="",
    )
    process.sandbox.event(event)
    return 0


async def _touch(process: FakeProcess) -> int:
    """`touch PATH…`: the workspace has changed files."""
    process.sandbox.touch(process.command.argv[1:])
    return 0


async def _env(process: FakeProcess) -> int:
    for name, value in process.command.environment:
        await process.say(f"{name}={value}\n".encode())
    return 0


async def _crash(process: FakeProcess) -> int:
    """The whole sandbox ends."""
    await process.sandbox.die()
    return 0


PROGRAMS: Mapping[str, Program] = {
    "true": _true,
    "false": _false,
    "echo": _echo,
    "lines": _lines,
    "err": _err,
    "exit": _exit,
    "cat": _cat,
    "sleep": _sleep,
    "stubborn": _stubborn,
    "immortal": _immortal,
    "flood": _flood,
    "deny": _deny,
    "allow": _allow,
    "touch": _touch,
    "env": _env,
    "crash": _crash,
}


def denied(name: str, port: int, code: str = Code.HOST_NOT_ALLOWED) -> NetworkEvent:
    """Return the verdict of a refused connection."""
    return NetworkEvent(
        "verdict",
        allowed=False,
        protocol=Protocol.TCP,
        name=name,
        address="198.18.0.9",
        port=port,
        code=code,
        reason=f"no rule names {name}",
    )
