"""What readers of HTTP/1.1 see in a byte stream: cleanroom, llhttp (through aiohttp) and h11.

In: bytes. Out: the messages in them; of the others None where they refuse. They are oracles only:
whatever cleanroom lets pass, they must take, and cut into the same messages. node_oracle.py has
llhttp through node.
"""

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass

import h11
from aiohttp import http_exceptions
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_parser import HttpRequestParser, HttpResponseParser, RawResponseMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader

from cleanroom.gateway.http1.bodies import Body, Spans, body_of
from cleanroom.gateway.http1.heads import (
    Delimiter,
    HeadReader,
    MalformedError,
    parse_request,
    parse_response,
)

LIMIT = 1 << 20


@dataclass(frozen=True)
class Seen:
    """One message: `start` is method and target, or the status. `whole`: its end has come."""

    start: str
    body: bytes
    whole: bool


Messages = tuple[Seen, ...]


@dataclass(frozen=True)
class Reading:
    """What cleanroom saw, and the bytes that it let pass until it refused or saw no more."""

    messages: Messages
    passed: bytes
    refused: bool


def ours(pieces: Iterable[bytes], method: str = "") -> Reading:
    """Return what cleanroom sees in requests, or in the first answer to `method`."""
    return _Ours(method).read(pieces)


class _Ours:
    """The way of the layers, without a policy: a head passes when it is whole, a body as read."""

    def __init__(self, method: str) -> None:
        self._method = method
        self._reader = HeadReader(responses=bool(method))
        self._found: list[Seen] = []
        self._passed = b""
        self._body: Body | None = None
        self._over = False
        self._last = bool(method)

    def read(self, pieces: Iterable[bytes]) -> Reading:
        refused = False
        try:
            for piece in pieces:
                self._read(piece)
        except MalformedError:
            refused = True
        return Reading(tuple(self._found), self._passed, refused)

    def _read(self, piece: bytes) -> None:
        at = 0
        while at < len(piece) and not self._over:
            if self._body is None:
                head, at = self._reader.read(piece, at)
                if head is not None:
                    self._begin(head)
            else:
                spans: Spans = []
                end = self._body.read(piece, at, spans)
                payload = b"".join(piece[start:stop] for start, stop in spans)
                self._passed += piece[at:end]
                at = end
                self._see(self._found[-1].body + payload)
            if self._body is not None and self._body.done:
                self._see(self._found[-1].body)
                self._body = None
                self._over = self._last

    def _begin(self, head: bytes) -> None:
        if self._method:
            answer = parse_response(head, self._method)
            start, framing = str(answer.status), answer.framing
        else:
            request = parse_request(head)
            start, framing = f"{request.method} {request.target}", request.framing
            # the layers pass no request that upgrades
            self._last = request.upgrades or not request.persistent
        self._passed += head
        self._body = body_of(framing)
        # the stream's end ends it
        self._found.append(Seen(start, b"", framing.delimiter is Delimiter.CLOSE))

    def _see(self, body: bytes) -> None:
        seen = self._found[-1]
        whole = seen.whole or (self._body is not None and self._body.done)
        self._found[-1] = Seen(seen.start, body, whole)


def llhttp_reads(stream: bytes, method: str) -> Messages | None:
    """Return what llhttp sees in requests (method ""), or in the first answer."""
    return llhttp_response(stream, method) if method else llhttp_requests(stream)


def h11_reads(stream: bytes, method: str) -> Messages | None:
    """Return what h11 sees in requests (method ""), or in the first answer."""
    return h11_response(stream, method) if method else h11_requests(stream)


def llhttp_requests(stream: bytes) -> Messages | None:
    """Return what llhttp sees."""
    loop = asyncio.new_event_loop()
    try:
        parser = HttpRequestParser(BaseProtocol(loop), loop, LIMIT)
        messages, _, _ = parser.feed_data(stream)
        return tuple(
            Seen(f"{message.method} {message.path}", *_payload(payload))
            for message, payload in messages
        )
    except (http_exceptions.HttpProcessingError, ValueError):
        return None
    finally:
        loop.close()


def llhttp_response(stream: bytes, method: str) -> Messages | None:
    """Return the first response llhttp sees, the stream's end included."""
    loop = asyncio.new_event_loop()
    try:
        parser = HttpResponseParser(
            BaseProtocol(loop),
            loop,
            LIMIT,
            response_with_body=method != "HEAD",
            read_until_eof=True,
        )
        messages, _, _ = parser.feed_data(stream)
        with contextlib.suppress(http_exceptions.HttpProcessingError):
            parser.feed_eof()
        seen = []
        for message, payload in messages[:1]:
            assert isinstance(message, RawResponseMessage)
            seen.append(Seen(str(message.code), *_payload(payload)))
        return tuple(seen)
    except (http_exceptions.HttpProcessingError, ValueError):
        return None
    finally:
        loop.close()


def _payload(payload: StreamReader) -> tuple[bytes, bool]:
    if payload is EMPTY_PAYLOAD:
        return b"", True
    data = b"".join(payload._buffer)
    return data, payload.is_eof() and payload.exception() is None


def h11_requests(stream: bytes) -> Messages | None:
    """Return what h11 sees."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=LIMIT)
    connection.receive_data(stream)
    found: list[Seen] = []
    try:
        while connection.our_state is not h11.MUST_CLOSE:
            event = connection.next_event()
            if not isinstance(event, h11.Request):
                break
            start = f"{event.method.decode('latin-1')} {event.target.decode('latin-1')}"
            body, whole = _h11_body(connection)
            found.append(Seen(start, body, whole))
            if not whole or event.method == b"CONNECT":
                break
            connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
            connection.send(h11.EndOfMessage())
            if connection.our_state is h11.DONE:
                connection.start_next_cycle()
    except h11.RemoteProtocolError:
        return None
    return tuple(found)


def h11_response(stream: bytes, method: str) -> Messages | None:
    """Return the first response h11 sees, the stream's end included."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=LIMIT)
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "a.test")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(stream)
    connection.receive_data(b"")
    try:
        event = connection.next_event()
        if not isinstance(event, h11.Response | h11.InformationalResponse):
            return ()
        if isinstance(event, h11.InformationalResponse):
            return (Seen(str(event.status_code), b"", whole=True),)
    except h11.RemoteProtocolError:
        return None
    try:
        body, whole = _h11_body(connection)
    except h11.RemoteProtocolError:
        return None
    return (Seen(str(event.status_code), body, whole),)


def _h11_body(connection: h11.Connection) -> tuple[bytes, bool]:
    body = b""
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError as error:
            if "closed connection" not in str(error):
                raise
            return body, False
        if isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            return body, True
        else:
            return body, False
