"""One end of a relayed connection: a non-blocking socket, its readiness, its unsent bytes.

In: bytes to send. Out: bytes received. Never: waiting.
"""

import contextlib
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import Final

from cleanroom.gateway.reactor import HUNG_UP, READABLE, WRITABLE, Reactor

BUFFER_BYTES: Final = 256 * 1024
BUFFER: Final = memoryview(bytearray(BUFFER_BYTES))  # what was received lives here until sent
_RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 seconds: close sends RST


class BrokenError(Exception):
    """The connection at this end is gone: reset, timed out."""


class Endpoint:
    """A connected stream socket that it owns; tells `changed` when its readiness changed."""

    __slots__ = (
        "_changed",
        "_hung_up",
        "_pending",
        "_reactor",
        "_readable",
        "_shut",
        "_socket",
        "_writable",
        "ended",
        "is_ending",
        "pending_bytes",
        "sent_bytes",
    )

    def __init__(
        self,
        reactor: Reactor,
        sock: socket.socket,
        changed: Callable[[], None],
        told: int = WRITABLE,
    ) -> None:
        self._reactor = reactor
        self._socket = sock
        self._changed = changed
        # `told` is what the reactor said before this moment and will not say again.
        self._hung_up = bool(told & HUNG_UP)
        self._readable = self._hung_up or bool(told & READABLE)
        self._writable = True
        self._shut = False
        self._pending: deque[memoryview] = deque()
        self.pending_bytes = 0
        self.sent_bytes = 0
        self.ended = False  # the peer will send no more, and everything it sent was received
        self.is_ending = False  # nothing will be sent after what is pending

    def ready(self, events: int) -> None:
        """Implement Watcher."""
        if events & HUNG_UP:
            # The next receive or send tells which way it ended; both are to be tried.
            self._hung_up = self._readable = self._writable = True
        if events & READABLE:
            self._readable = True
        if events & WRITABLE:
            self._writable = True
        self._changed()

    @property
    def can_receive(self) -> bool:
        """Whether a receive is worth trying."""
        return self._readable and not self.ended

    @property
    def is_drained(self) -> bool:
        """Whether it needs no more attention as a receiver: all sent, and the end too if wanted."""
        return not self._pending and self._shut == self.is_ending

    def receive_into(self, buffer: memoryview) -> int:
        """Receive once; 0 if there is nothing now, or never again (`ended`). Raises BrokenError."""
        try:
            size = self._socket.recv_into(buffer)
        except BlockingIOError:
            self._readable = False
            return 0
        except OSError as error:
            raise BrokenError from error
        if size == 0:
            self.ended = True
        elif size < len(buffer) and not self._hung_up:
            self._readable = False  # epoll(7): a short read means empty, and a new edge will come
        return size

    def receive(self, most: int) -> bytes:
        """Receive once as `receive_into` does."""
        buffer = BUFFER[:most]
        return bytes(buffer[: self.receive_into(buffer)])

    def send(self, data: memoryview) -> None:
        """Send now what can be, keep a copy of the rest. Raises BrokenError."""
        sent = 0 if self._pending else self._try_send(data)
        if sent < len(data):
            self._pending.append(memoryview(bytes(data[sent:])))
            self.pending_bytes += len(data) - sent

    def flush(self) -> None:
        """Send what is pending and can be sent, then the end if wanted. Raises BrokenError."""
        if not self._pending and not self.is_ending:
            return
        while self._pending and self._writable:
            data = self._pending[0]
            sent = self._try_send(data)
            self.pending_bytes -= sent
            if sent == len(data):
                self._pending.popleft()
            else:
                self._pending[0] = data[sent:]
        if self.is_ending and not self._shut and not self._pending:
            self._shut = True
            with contextlib.suppress(OSError):  # it ended by itself: just as well
                self._socket.shutdown(socket.SHUT_WR)

    def end(self) -> None:
        """Send nothing after what is pending, and say so to the peer when that is sent."""
        self.is_ending = True
        self.flush()

    def close(self, *, reset: bool = False) -> None:
        """Close the socket; `reset` tells the peer that this is no orderly end."""
        self._reactor.closing(self._socket.fileno())
        self._changed = _nothing  # or each connection would be a cycle for the collector to find
        if reset:
            close_with_reset(self._socket)
        self._socket.close()

    def _try_send(self, data: memoryview) -> int:
        if not self._writable:
            return 0
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            self._writable = False
            return 0
        except OSError as error:
            raise BrokenError from error
        self.sent_bytes += sent
        if sent < len(data):
            self._writable = False
        return sent


def _nothing() -> None:
    """Nobody listens any more."""


def close_with_reset(sock: socket.socket) -> None:
    """Close a socket so that its peer sees a reset, not an orderly end."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    sock.close()
