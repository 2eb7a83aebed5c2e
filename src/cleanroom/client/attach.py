"""A command's streams over one attached connection: stdin in, output out, signals told.

In: an upgraded socket, the caller's stdin, a Sink. Out: the exit message. Never: a byte changed or
lost, output held in memory beyond one read, or a wait for a stdin that never ends.
"""

import json
import os
import select
import signal
from collections import deque
from typing import Final, NamedTuple, Protocol

from cleanroom.client import frames
from cleanroom.client.blocking import READ_SIZE, Upgraded
from cleanroom.client.calls import RemoteError, read_json
from cleanroom.client.interrupts import Interrupts
from cleanroom.client.reply import Reply
from cleanroom.errors import Code, Fault

STDIN_SIZE: Final = 64 * 1024
# What the command has not read stays below the daemon's own bound (a MiB), so that `cancel` is
# never queued behind input.
STDIN_WINDOW: Final = 512 * 1024
LEAVE_TIMEOUT_S: Final = 2.0


class Sink(Protocol):
    """Where a running command's output and news go."""

    def output(self, stream: int, data: bytes) -> None:
        """Take bytes of stream 1 (standard output) or 2; may block, which slows the command."""
        ...

    def news(self, message: Reply) -> None:
        """Take a `denied`, `note`, `position` or `gap` message."""
        ...

    def canceling(self, number: int) -> None:
        """The first signal was seen, and the command is being canceled."""
        ...


class Keyboard(Protocol):
    """What a terminal adds (client/terminal.py): keys that leave, and sizes."""

    def typed(self, data: bytes) -> tuple[bytes, bool]:
        """Return what to send of what was typed, and whether to leave after it."""
        ...

    def late_keys(self) -> bytes:
        """Return what was held back for long enough."""
        ...

    def new_size(self) -> tuple[int, int] | None:
        """Return rows and columns that the command does not know yet."""
        ...

    def wait_ms(self) -> int | None:
        """Return when to ask again, at the latest."""
        ...


class Manner(NamedTuple):
    """How a client takes part. `owner`: the command ends with it, unless it says `detach`."""

    keyboard: Keyboard | None = None
    owner: bool = True


ALONE: Final = Manner()


class Left(Exception):  # noqa: N818 -- not an error: the person chose to go
    """The person left; the command goes on without them, perhaps to its end if `canceled`."""

    canceled = False


class Attachment:
    """One attached execution. `signalled` is the last signal that asked for its end, or 0."""

    def __init__(
        self,
        upgraded: Upgraded,
        stdin: int | None,
        sink: Sink,
        interrupts: Interrupts,
        manner: Manner = ALONE,
    ) -> None:
        self._socket, self._first = upgraded
        self._socket.settimeout(0)
        self._reader = frames.FrameReader()
        self._stdin = stdin
        self._interrupts = interrupts
        self._sink = sink
        self._keyboard, self._owner = manner
        self._queue: deque[bytes] = deque()
        self._untaken = 0  # bytes of input sent that the command has not been given yet
        self._sent = 0
        self._shown = {1: 0, 2: 0}  # the offset up to which the sink has each stream
        self._flushing = False
        self._delivering = False  # the sink has the data; a blocked write ends only by a signal
        self._leaving = False
        self._announced = False
        self.signalled = 0

    def run(self) -> Reply:
        """Carry bytes until the exit message and return it.

        Raises Left after a second Ctrl-C or the keys to leave, RemoteError if the daemon says why
        it failed, Fault(outcome_unknown) if the connection is lost.
        """
        self._interrupts.listen(self._on_signal)
        self._ask_keyboard()
        ended = self._take(self._first)
        while ended is None:
            if self._leaving:
                self._leave()
            ready = self._wait()
            if self._interrupts.wake in ready:
                os.read(self._interrupts.wake, 64)
            if self.signalled and not self._announced:  # before the end, which may be here too
                self._announced = True
                self._sink.canceling(self.signalled)
            if self._stdin is not None and self._stdin in ready:
                self._forward_stdin(self._stdin)
            self._ask_keyboard()
            self._flush()
            if self._socket.fileno() in ready:
                ended = self._receive()
        return ended

    def _wait(self) -> set[int]:
        poll = select.poll()
        poll.register(self._interrupts.wake, select.POLLIN)
        poll.register(self._socket, select.POLLIN | (select.POLLOUT if self._queue else 0))
        if self._stdin is not None and not self._queue and self._untaken < STDIN_WINDOW:
            poll.register(self._stdin, select.POLLIN)
        wait_ms = self._keyboard.wait_ms() if self._keyboard else None
        return {descriptor for descriptor, _ in poll.poll(wait_ms)}

    def _receive(self) -> Reply | None:
        try:
            data = self._socket.recv(READ_SIZE)
        except BlockingIOError:
            return None  # it was ready for writing only
        except OSError:
            data = b""
        if not data:
            message = "cannot learn how the command ended: the daemon closed the connection"
            raise Fault(Code.OUTCOME_UNKNOWN, message, "cleanroom status")
        return self._take(data)

    def _take(self, data: bytes) -> Reply | None:
        for message in self._reader.feed(data):
            if message.opcode == frames.BINARY:
                self._deliver(message.data)
            elif message.opcode == frames.TEXT:
                reply = read_json(message.data)
                if reply.text("type") == "exit":
                    return reply
                self._hear(reply)
            elif message.opcode == frames.PING:
                self._send(frames.PONG, message.data)
        return None

    def _hear(self, reply: Reply) -> None:
        if reply.text("type") == "error":
            raise RemoteError(reply.item("problem"))
        if reply.text("type") == "stdin":
            self._untaken = self._sent - reply.number("taken")
            return
        if reply.text("type") == "position":
            self._shown = {1: reply.number("stdout_from"), 2: reply.number("stderr_from")}
        elif reply.text("type") == "gap":
            self._shown[reply.number("stream")] += reply.number("missing")
        self._sink.news(reply)

    def _deliver(self, data: bytes) -> None:
        self._delivering = True
        try:
            self._sink.output(data[0], data[1:])
            self._shown[data[0]] += len(data) - 1
        except Left:
            self._leave()
        finally:
            self._delivering = False

    def _forward_stdin(self, stdin: int) -> None:
        try:
            data = os.read(stdin, STDIN_SIZE)
        except OSError:  # a terminal that is gone ends the input
            data = b""
        if not data:
            self._stdin = None
            if self._owner or self._keyboard is None:  # others may still type into it
                self.tell(type="eof")
        elif self._keyboard is None:
            self._send_input(data)
        else:
            data, leave = self._keyboard.typed(data)
            self._send_input(data)
            self._leaving = self._leaving or leave

    def _send_input(self, data: bytes) -> None:
        if data:
            self._sent += len(data)
            self._untaken += len(data)
            self._send(frames.BINARY, data)

    def _ask_keyboard(self) -> None:
        if self._keyboard is None:
            return
        self._send_input(self._keyboard.late_keys())
        size = self._keyboard.new_size()
        if size is not None:
            self.tell(type="resize", rows=size[0], columns=size[1])

    def tell(self, **fields: object) -> None:
        """Send a message; `type` is one of eof, resize, cancel, detach… (api/streams.py)."""
        self._send(frames.TEXT, json.dumps(fields).encode())

    def _send(self, opcode: int, data: bytes) -> None:
        self._queue.append(frames.frame_bytes(opcode, data, frames.LOCAL_MASK))
        self._flush()

    def _flush(self) -> None:
        """Send what the socket takes. Safe in a signal handler: the call it interrupted goes on."""
        if self._flushing:
            return
        self._flushing = True
        try:
            while self._queue:
                sent = self._socket.send(self._queue[0])
                rest = self._queue.popleft()[sent:]
                if rest:
                    self._queue.appendleft(rest)
        except BlockingIOError:
            pass
        except OSError:
            self._queue.clear()  # the daemon is gone; the next read says so
        finally:
            self._flushing = False

    def _on_signal(self, number: int) -> None:
        """First: cancel. A second Ctrl-C: leave. Other signals that mean "end" cancel an own
        command, and leave one that goes on without this client.
        """
        again = number == signal.SIGINT and self.signalled == signal.SIGINT
        if again or not (self._owner or number == signal.SIGINT):
            self._leaving = True
            if self._delivering:  # perhaps in a write that nobody reads
                raise Left
            return
        self.signalled = number
        self.tell(type="cancel")

    def _leave(self) -> None:
        """Say `detach` and wait, briefly, until the daemon has heard it."""
        self.tell(type="detach", stdout=self._shown[1], stderr=self._shown[2])
        self._socket.settimeout(LEAVE_TIMEOUT_S)
        try:
            for frame in self._queue:
                self._socket.sendall(frame)
            while data := self._socket.recv(READ_SIZE):
                if any(each.opcode == frames.CLOSE for each in self._reader.feed(data)):
                    break  # it has heard; the answer that the protocol asks for is our end
        except (OSError, Fault):
            pass  # it is busy, broken or gone; either way the person wants their terminal back
        left = Left()
        left.canceled = bool(self.signalled)
        raise left
