"""One connection to the daemon with plain blocking sockets: what the command line uses.

In: an endpoint's path. Out: replies, streams of lines, an upgraded socket. Never: asyncio, or a
second connection for what one can do.
"""

# The C half of `socket`: the other half is enums and selectors, 1.5 ms of every command.
import _socket
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Final, Self

from cleanroom.client import frames
from cleanroom.client.calls import BODY_LIMIT, Call, call_bytes, endpoint_of, lines_of, read_reply
from cleanroom.client.http1 import Head, ResponseReader, broken
from cleanroom.client.reply import Reply
from cleanroom.errors import Code, Fault, Refused

READ_SIZE: Final = 256 * 1024
ANSWER_TIMEOUT_S: Final = 600.0  # a sandbox whose tools are installed is the slowest answer
CONNECT_TIMEOUT_S: Final = 5.0
# Called with the name of a call; a context around the wait for its whole answer.
Waiting = Callable[[str], AbstractContextManager[None]]


def nobody_waits(_name: str) -> AbstractContextManager[None]:
    """Return a context that does nothing."""
    return nullcontext()


Upgraded = tuple[_socket.socket, bytes]  # the socket, and what came with the answer


def _connected(path: str, patience_s: float) -> _socket.socket:
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        sock.settimeout(CONNECT_TIMEOUT_S)
        sock.connect(path)
        sock.settimeout(patience_s)
    except BaseException:
        sock.close()
        raise
    return sock


def _connected_again(path: str) -> _socket.socket:
    try:
        return _connected(path, ANSWER_TIMEOUT_S)
    except OSError as error:
        message = f"cannot ask the daemon at {path}: it has ended in the meantime"
        raise Fault(Code.BACKEND_TRANSPORT_ERROR, message, "run it again") from error


class Connection:
    """A kept-alive connection; one call at a time. A context manager."""

    def __init__(self, sock: _socket.socket, path: str = "") -> None:
        self._socket = sock
        self.path = path
        self._where = ""  # the request under way, for messages
        self.waiting: Waiting = nobody_waits

    @classmethod
    def open(cls, path: str, patience_s: float = ANSWER_TIMEOUT_S) -> Self:
        """Connect. Raises FileNotFoundError or ConnectionRefusedError if no daemon listens."""
        return cls(_connected(path, patience_s), path)

    @classmethod
    def again(cls, path: str) -> Self:
        """Connect to a daemon that was there before. Raises Fault(backend_transport_error)."""
        return cls(_connected_again(path), path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close it. Idempotent."""
        self._socket.close()

    def renew(self) -> None:
        """Connect again: the daemon closes a connection on which nothing is asked for a while.

        Raises Fault(backend_transport_error) if the daemon has ended too.
        """
        self._socket.close()
        self._socket = _connected_again(self.path)

    def peer_pid(self) -> int:
        """Return the pid of the process that listens, as the kernel says (unix(7))."""
        return self._peer(0)

    def check_owner(self) -> None:
        """Raise Refused unless the daemon is this user's own.

        SECURITY: it says which programs print the values of secrets, and is given them.
        """
        uid = self._peer(4)
        if uid != os.getuid():
            message = f"cannot hand secrets to this daemon: it belongs to uid {uid}, not to you"
            raise Refused(Code.SECRET_UNAVAILABLE, message, "use your own: cleanroom serve")

    def _peer(self, offset: int) -> int:
        packed = self._socket.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)
        return int.from_bytes(packed[offset : offset + 4], sys.byteorder)

    def call(self, call: Call) -> Reply:
        """Send a request and return the whole JSON answer.

        Raises RemoteError for an error of the daemon, Fault for an answer that is broken.
        """
        status, body = self._exchange(call)
        return read_reply(status, body)

    def read(self, call: Call) -> bytes:
        """Send a request and return the whole answer as bytes (a patch, a schema)."""
        status, body = self._exchange(call)
        if status >= 400:
            read_reply(status, body)
        return body

    def lines(self, call: Call) -> Iterator[Reply]:
        """Send a request and yield the lines of its NDJSON answer; it waits as long as it takes."""
        reader, first = self._start(call, {"Accept": "application/x-ndjson"})
        status = reader.head.status if reader.head else 0
        if status >= 400:
            read_reply(status, self._body(reader, first))
        self._socket.settimeout(None)
        yield from lines_of(self._pieces(reader, first))

    def upgrade(self, call: Call) -> Upgraded:
        """Become a WebSocket; return the socket and the bytes that came with the answer."""
        upgraded, head = self.become(call, frames.HANDSHAKE)
        if head.headers.get("sec-websocket-accept") != frames.HANDSHAKE_ACCEPT:
            broken("it does not speak WebSocket")
        return upgraded

    def become(self, call: Call, headers: Mapping[str, str] = {}) -> tuple[Upgraded, Head]:
        """Become what the call is for, and no longer HTTP."""
        reader, first = self._start(call, headers)
        head = reader.head
        if head is None or head.status != 101:
            read_reply(head.status if head else 0, self._body(reader, first))
            broken("it does not attach")
        return (self._socket, reader.rest()), head

    def _exchange(self, call: Call) -> tuple[int, bytes]:
        with self.waiting(call.name):
            reader, first = self._start(call, {"Accept": "application/json"})
            body = self._body(reader, first)
        return (reader.head.status if reader.head else 0), body

    def _start(self, call: Call, headers: Mapping[str, str]) -> tuple[ResponseReader, bytes]:
        """Send the request; read until the head of the answer is complete."""
        reader = ResponseReader()
        body = b""
        self._where = f"{endpoint_of(call).method} {endpoint_of(call).path}"
        request = call_bytes(call, headers)
        try:
            self._socket.sendall(request)
        except OSError as error:
            raise self._lost(error) from error
        while reader.head is None:
            body += reader.feed(self._receive())
        return reader, body

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(READ_SIZE)
        except OSError as error:
            raise self._lost(error) from error

    def _lost(self, error: OSError) -> Fault:
        why = "it did not answer in time" if isinstance(error, TimeoutError) else error.strerror
        message = f"cannot ask the daemon ({self._where}): {why}"
        return Fault(Code.BACKEND_TRANSPORT_ERROR, message, "cleanroom doctor")

    def _body(self, reader: ResponseReader, first: bytes) -> bytes:
        body = bytearray()
        for piece in self._pieces(reader, first):
            body += piece
            if len(body) > BODY_LIMIT:
                broken("it is too long")
        return bytes(body)

    def _pieces(self, reader: ResponseReader, first: bytes) -> Iterator[bytes]:
        if first:
            yield first
        while not reader.ended:
            yield reader.feed(self._receive())
