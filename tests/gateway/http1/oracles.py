"""What other readers of HTTP/1.1 see in a byte stream: llhttp (through aiohttp) and h11.

In: bytes. Out: the messages in them, or None where the reader refuses. They are oracles only:
whatever cleanroom accepts, they must cut into the same messages.
"""

import asyncio
import contextlib
from dataclasses import dataclass

import h11
from aiohttp import http_exceptions
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_parser import HttpRequestParser, HttpResponseParser, RawResponseMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader

from cleanroom.gateway.http1.bodies import Spans, body_of
from cleanroom.gateway.http1.heads import (
    Delimiter,
    Framing,
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


def ours_requests(stream: bytes) -> Messages | None:
    """Return what cleanroom sees; None if it refuses."""
    reader = HeadReader(responses=False)
    found: list[Seen] = []
    at = 0
    try:
        while at < len(stream):
            head, at = reader.read(stream, at)
            if head is None:
                break
            request = parse_request(head)
            payload, at, whole = _body(stream, at, request.framing)
            found.append(Seen(f"{request.method} {request.target}", payload, whole))
            if not request.persistent:
                break
    except MalformedError:
        return None
    return tuple(found)


def ours_response(stream: bytes, method: str) -> Messages | None:
    """Return the first response that cleanroom sees, the stream's end included."""
    try:
        head, at = HeadReader(responses=True).read(stream)
        if head is None:
            return ()
        response = parse_response(head, method)
        payload, _, whole = _body(stream, at, response.framing)
    except MalformedError:
        return None
    whole = whole or response.framing.delimiter is Delimiter.CLOSE
    return (Seen(str(response.status), payload, whole),)


def _body(stream: bytes, at: int, framing: Framing) -> tuple[bytes, int, bool]:
    body = body_of(framing)
    spans: Spans = []
    end = body.read(stream, at, spans) if not body.done else at
    return b"".join(stream[start:stop] for start, stop in spans), end, body.done


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
    except h11.RemoteProtocolError as error:
        if "closed connection" not in str(error):
            return None
        return (Seen(str(event.status_code), b"", whole=False),)
    return (Seen(str(event.status_code), body, whole),)


def _h11_body(connection: h11.Connection) -> tuple[bytes, bool]:
    body = b""
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            return body, True
        else:
            return body, False
