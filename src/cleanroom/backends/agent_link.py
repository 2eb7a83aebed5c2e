"""The daemon's end of one sandbox's agent: commands over one stream socket.

In: a connected socket and Commands. Out: Processes. Never: a task of its own, a wait that the
sandbox can lengthen, or memory beyond the windows of agent/conversation.py. A broken frame ends
the link, and with it the sandbox.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from typing import Final

from cleanroom.agent.conversation import Conversation
from cleanroom.agent.frames import (
    PROTOCOL_VERSION,
    STAGE_CHDIR,
    STAGE_EXEC,
    STAGE_FORK,
    STAGE_FULL,
    STAGE_TTY,
    AgentFrame,
    Exited,
    Failed,
    FrameError,
    FrameReader,
    Hello,
    Resize,
    Signal,
    Start,
    StdinClose,
    encode,
)
from cleanroom.backends.base import Command, Exit, Output
from cleanroom.errors import CleanroomError, Code, Fault

READ_BYTES: Final = 128 * 1024
MAX_OUTBOX_BYTES: Final = 8 * 1024 * 1024  # far above what all windows together can hold

_STAGES: Final = {
    STAGE_FULL: "too many commands run at once",
    STAGE_TTY: "no terminal for it",
    STAGE_FORK: "no process for it",
}


class AgentLink:
    """One agent. Made inside a running event loop; owns the socket."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(0)  # non-blocking
        self._socket = sock
        self._loop = asyncio.get_running_loop()
        self._reader = FrameReader()
        self._outbox = bytearray()
        self._processes: dict[int, AgentProcess] = {}
        self._next_id = 1
        self._greeted = asyncio.Event()
        self._closed = asyncio.Event()
        self._reason = "it has ended"
        self._cause: CleanroomError | None = None
        self._loop.add_reader(sock, self._readable)

    async def ready(self) -> None:
        """Wait for the agent's greeting. Raises Fault(backend_transport_error)."""
        await self._greeted.wait()
        if self._closed.is_set():
            raise self.lost()

    async def execute(self, command: Command) -> "AgentProcess":
        """Start a command; how its start failed, if it does, is its Exit.

        Raises Fault(backend_transport_error) if the agent is gone, UserError(request_invalid) if
        the command's words cannot be passed.
        """
        if self._closed.is_set():
            raise self.lost()
        execution = self._next_id
        conversation = Conversation(execution)
        start = Start(
            execution,
            command.argv,
            tuple(f"{key}={value}" for key, value in command.environment),
            command.cwd,
            command.tty,
            command.rows,
            command.columns,
        )
        opening = conversation.begin(start)
        self._next_id += 1
        process = AgentProcess(self, conversation, command)
        self._processes[execution] = process
        self.send(opening)
        return process

    def close(self) -> None:
        """Hang up: the agent kills everything and ends. Idempotent."""
        if self._closed.is_set():
            return
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()
        self._closed.set()
        self._greeted.set()
        for process in self._processes.values():
            process.wake()
        self._processes.clear()

    async def closed(self) -> None:
        """Return when the link has ended, from either side."""
        await self._closed.wait()

    @property
    def alive(self) -> bool:
        """Whether the agent can still be spoken to."""
        return not self._closed.is_set()

    def ends_for(self, cause: CleanroomError) -> None:
        """The agent is about to be killed: this is what those who wait for it are told."""
        self._cause = cause

    def lost(self) -> CleanroomError:
        """The error that says why there is no agent any more."""
        if self._cause is not None:
            return self._cause
        message = f"cannot reach the sandbox's agent: {self._reason}"
        return Fault(Code.BACKEND_TRANSPORT_ERROR, message, "run the command again")

    def send(self, data: bytes) -> None:
        """Send, keeping what the socket does not take. Bounded: stdin only goes with credit."""
        if self._closed.is_set() or not data:
            return
        if self._outbox:
            self._outbox += data
            if len(self._outbox) > MAX_OUTBOX_BYTES:
                self._end("it does not read what it is told")
            return
        sent = self._send_now(data)
        if sent < len(data) and not self._closed.is_set():
            self._outbox += data[sent:]
            self._loop.add_writer(self._socket, self._writable)

    def _send_now(self, data: bytes | bytearray) -> int:
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            self._end(os.strerror(error.errno or 0))
            return 0

    def _writable(self) -> None:
        del self._outbox[: self._send_now(self._outbox)]
        if not self._outbox and not self._closed.is_set():
            self._loop.remove_writer(self._socket)

    def _readable(self) -> None:
        try:
            data = self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(os.strerror(error.errno or 0))
            return
        if not data:
            self._end("it has ended")
            return
        try:
            for frame in self._reader.feed(data):
                self._receive(frame)
        except FrameError as error:
            self._end(error.message)

    def _receive(self, frame: AgentFrame) -> None:
        if isinstance(frame, Hello):
            self._greet(frame.version)
            return
        process = self._processes.get(frame.execution)
        if process is None:
            what = "a frame of an execution it was not given"
            raise FrameError(what)
        process.conversation.receive(frame)
        process.wake()
        if process.conversation.end is not None:
            del self._processes[frame.execution]

    def _greet(self, version: int) -> None:
        if self._greeted.is_set():
            what = "a second greeting"
            raise FrameError(what)
        if version != PROTOCOL_VERSION:
            what = f"it speaks protocol {version}, this daemon {PROTOCOL_VERSION}"
            raise FrameError(what)
        self._greeted.set()

    def _end(self, reason: str) -> None:
        self._reason = reason
        self.close()


class AgentProcess:
    """A command in the sandbox; the Process of backends/base.py.

    Its Exit comes after its output: who only waits, and leaves more than a window of output
    unread, waits for ever. Background processes that keep its streams open delay the end by a
    tenth of a second; what they write later is thrown away.
    """

    def __init__(self, link: AgentLink, conversation: Conversation, command: Command) -> None:
        self.conversation = conversation
        self._link = link
        self._name = command.argv[0] if command.argv else ""
        self._cwd = command.cwd
        self._tty = command.tty
        self._changed = asyncio.Event()  # replaced each time it is set: any number may wait

    def wake(self) -> None:
        """Something happened to the conversation or the link."""
        self._changed.set()
        self._changed = asyncio.Event()

    @property
    def _over(self) -> bool:
        return self.conversation.end is not None or not self._link.alive

    async def output(self) -> AsyncIterator[Output]:
        """Yield output until both streams end, or the agent is gone."""
        while True:
            taken = self.conversation.take()
            if taken is None:
                if self._over:
                    return
                await self._changed.wait()
                continue
            stream, data, grant = taken
            self._link.send(grant)
            yield Output(stream, data)

    async def wait(self) -> Exit:
        """Return how it ended. Raises Fault(backend_transport_error) if the agent is gone."""
        while not self._over:
            await self._changed.wait()
        match self.conversation.end:
            case Exited(code=code, signal=signal):
                return Exit(code, signal)
            case Failed(stage=stage, errno=errno):
                return self._failure(stage, errno)
            case None:
                raise self._link.lost()

    def _failure(self, stage: int, errno: int) -> Exit:
        why = os.strerror(errno)
        if stage == STAGE_EXEC:
            missing = errno == 2  # ENOENT; the shell's convention for the two codes
            return Exit(127 if missing else 126, error=f"cannot run '{self._name}': {why}")
        if stage == STAGE_CHDIR:
            return Exit(126, error=f"cannot enter '{self._cwd}': {why}")
        return Exit(126, error=f"cannot run '{self._name}': {_STAGES[stage]} ({why})")

    async def write_stdin(self, data: bytes) -> None:
        """Write to its standard input, waiting while it does not read. Ignored after its end."""
        rest = memoryview(data)
        while len(rest) and not self._over:
            if not self.conversation.room:
                await self._changed.wait()
                continue
            frame, count = self.conversation.write(rest)
            self._link.send(frame)
            rest = rest[count:]

    async def close_stdin(self) -> None:
        """End its standard input. Idempotent."""
        self._tell(StdinClose(self.conversation.execution))

    async def signal(self, number: int) -> None:
        """Send a signal to its process group. Ignored after its end."""
        self._tell(Signal(self.conversation.execution, number))

    async def resize(self, rows: int, columns: int) -> None:
        """Tell its terminal the new size. Ignored without a terminal."""
        if self._tty:
            self._tell(Resize(self.conversation.execution, rows, columns))

    def _tell(self, frame: StdinClose | Signal | Resize) -> None:
        if not self._over:
            self._link.send(encode(frame))
