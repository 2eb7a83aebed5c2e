"""WebSocket attach: the way of `exec`. Bytes both ways, refusals at once, the exit as last word.

In: messages of a client. Out: output, refusals and notes as they come, the exit. The first client
of a foreground run owns it: nothing of the output is lost to it, and if it goes away without
`detach` the command is canceled. Any number may join later; all see everything, all may type, the
last size told counts, and their going changes nothing. Never: a message after `exit`, or a client
that the end of the command does not reach.
"""

import asyncio
import contextlib
from typing import Final

from aiohttp import WSMsgType, web

from cleanroom.api import codec
from cleanroom.api.problem import problem_of
from cleanroom.api.streams import (
    AttachMessage,
    CancelMessage,
    DetachMessage,
    EofMessage,
    ErrorLine,
    ExitLine,
    GapLine,
    PositionLine,
    ResizeMessage,
    SignalMessage,
    StdinLine,
    StreamLine,
)
from cleanroom.daemon.call import Call
from cleanroom.daemon.executions import CANCELED, signal_number
from cleanroom.daemon.handlers.executions import find
from cleanroom.daemon.output import Chunk, OutputReader, Wanted
from cleanroom.daemon.sandbox import LiveRun
from cleanroom.daemon.stdin import StdinQueue
from cleanroom.daemon.streams import hung_up
from cleanroom.daemon.tasks import Tasks
from cleanroom.daemon.transcript import Transcript
from cleanroom.errors import CleanroomError

MAX_MESSAGE: Final = 1024 * 1024


async def attach(call: Call) -> web.StreamResponse:
    """Join a running command; of one that ended long ago, only its exit is said."""
    begin = call.choice("from", ("start", "left"))
    run = call.started_run()
    stored = await find(call, run)
    # No compression: it would cost more than the socket.
    socket = web.WebSocketResponse(max_msg_size=MAX_MESSAGE, compress=False, timeout=1.0)
    await socket.prepare(call.request)
    if run is None:
        last = await call.host.store.run(stored.run_id)
        await _say(socket, ExitLine(execution=stored, run=last))
        await socket.close()
        return socket
    await Attached(call, socket, run, begin).serve()
    return socket


class Attached:
    """One client of one running command."""

    def __init__(self, call: Call, socket: web.WebSocketResponse, run: LiveRun, begin: str) -> None:
        self._request = call.request
        self._socket = socket
        self._run = run
        self._live = run.started()
        self._tasks = call.host.tasks
        self._folder = call.host.outputs.folder(run.execution.id)
        self._begin = begin
        self._owner = run.take_ownership()
        self._detached = False
        self._stdin = StdinQueue(self._live, self._taken)

    async def serve(self) -> None:
        """Carry everything until the exit was said or the client is gone."""
        own = Tasks()
        sending = own.start(self._send(), f"send {self._run.execution.id}")
        receiving = own.start(self._receive(), f"receive {self._run.execution.id}")
        own.start(self._stdin.feed(), f"stdin {self._run.execution.id}")
        try:
            await asyncio.wait((sending, receiving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            if self._owner:
                self._live.output.release()
                if not (self._detached or self._run.finished.is_set()):
                    self._cancel()
            await own.close()
        if not self._socket.closed:
            await self._socket.close()

    async def _send(self) -> None:
        # A TaskGroup wraps what fails in it, and `suppress` sees through that only from 3.12 on.
        try:
            await self._send_all()
        except* ConnectionError:
            pass  # `serve` sees that it ended
        except* CleanroomError as group:
            problem = problem_of(_first_of(group))
            with contextlib.suppress(ConnectionError):
                await self._say(ErrorLine(problem=problem))

    async def _send_all(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._send_output())
            group.create_task(self._send_notices())
        await self._run.finished.wait()
        await self._say(ExitLine(execution=self._run.execution, run=self._run.current()))

    async def _send_output(self) -> None:
        log = self._live.output
        wanted = self._beginning()
        if not self._owner:
            at, totals = wanted.offsets, log.totals
            await self._say(
                PositionLine(
                    stdout=totals[1], stderr=totals[2], stdout_from=at[1], stderr_from=at[2]
                )
            )
        reader = OutputReader(log, wanted, owner=self._owner)
        transcript = Transcript(self._folder, wanted, reader)
        while True:
            piece = await transcript.take()
            if isinstance(piece, Chunk):
                await self._send_bytes(bytes((piece.stream,)) + piece.data)
            elif piece is not None:
                await self._say(
                    GapLine(stream=piece.stream, offset=piece.offset, missing=piece.missing)
                )
            elif log.ended:
                return
            else:
                await log.changed()

    def _beginning(self) -> Wanted:
        """Return the first byte of each stream to send.

        Of a terminal that is what memory has: only the end is shown again, and only what made the
        screen as it is matters.
        """
        log = self._live.output
        if self._run.execution.tty and not self._owner:
            oldest = log.kept[0].offset if log.kept else log.totals[1]
            return Wanted(oldest)
        left = self._run.left_at if self._begin == "left" else {1: 0, 2: 0}
        return Wanted(min(left[1], log.totals[1]), min(left[2], log.totals[2]))

    async def _send_notices(self) -> None:
        sent = 0
        while True:
            for notice in self._run.notices.since(sent):
                sent += 1
                await self._say(notice)
            if self._run.notices.ended and not self._run.notices.since(sent):
                return
            await self._run.notices.changed()

    async def _receive(self) -> None:
        with contextlib.suppress(ConnectionError):
            await self._receive_all()

    async def _receive_all(self) -> None:
        async for message in self._socket:
            if message.type is WSMsgType.BINARY:
                await self._stdin.put(message.data, self._gone)
            elif message.type is WSMsgType.TEXT:
                try:
                    told = codec.decode_attach(message.data.encode())
                    await self._obey(told)
                except CleanroomError as error:
                    await self._say(ErrorLine(problem=problem_of(error)))
                    return
            if self._detached:
                return

    async def _obey(self, told: AttachMessage) -> None:
        match told:
            case EofMessage():
                self._stdin.end()
            case SignalMessage():
                await self._live.signal(signal_number(told.signal))
            case ResizeMessage():
                await self._live.resize(told.rows, told.columns)
            case CancelMessage():
                self._cancel()
            case DetachMessage():
                self._run.left_at = {1: told.stdout, 2: told.stderr}
                self._detached = True

    def _cancel(self) -> None:
        # In the daemon's tasks, not in this client's: it goes on when the client is gone.
        self._tasks.start(self._live.end(CANCELED), f"cancel {self._run.execution.id}")

    async def _taken(self, count: int) -> None:
        with contextlib.suppress(ConnectionError):
            await self._say(StdinLine(taken=count))

    def _gone(self) -> bool:
        return self._socket.closed or hung_up(self._request)

    async def _send_bytes(self, data: bytes) -> None:
        await self._socket.send_bytes(data)

    async def _say(self, line: StreamLine) -> None:
        await _say(self._socket, line)


async def _say(socket: web.WebSocketResponse, line: StreamLine) -> None:
    await socket.send_str(codec.encode_line(line).decode())


def _first_of(group: BaseExceptionGroup[CleanroomError]) -> CleanroomError:
    first = group.exceptions[0]
    return _first_of(first) if isinstance(first, BaseExceptionGroup) else first
