"""Values to request bytes, answers to values: what every client of the daemon shares.

In: the name of an endpoint and its values; status, media type and body of an answer. Out: request
bytes; Reply, or the error that the daemon meant. Never: I/O, or a third-party import.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from cleanroom.api.endpoints import ENDPOINTS, Endpoint
from cleanroom.client.http1 import broken, request_bytes
from cleanroom.client.reply import Reply
from cleanroom.errors import CleanroomError, Code, UserError

BY_NAME: Final = {endpoint.name: endpoint for endpoint in ENDPOINTS}
UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:")
BODY_LIMIT: Final = 64 * 1024 * 1024


class Call(NamedTuple):
    """One use of an endpoint: values of its path, of its query, and its body."""

    name: str
    path: Mapping[str, str] = {}
    query: Mapping[str, str] = {}
    body: Mapping[str, object] | None = None


class Placed(NamedTuple):
    """One fault in a file of the caller; line and column start at 1, 0 means nowhere."""

    path: str
    line: int
    column: int
    message: str
    hint: str


class RemoteError(CleanroomError):
    """What the daemon answered instead of a result; `placed` are faults in the caller's file."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(
            known_code(reply.text("code")), reply.text("detail"), reply.text("hint", "")
        )
        self.placed = tuple(_placed(error) for error in reply.items("errors"))


def known_code(word: str) -> Code:
    """Return the code of this word; a word of a newer daemon is `internal`."""
    try:
        return Code(word)
    except ValueError:
        return Code.INTERNAL


def target_of(call: Call) -> str:
    """Return path and query, every value percent-encoded (RFC 3986 section 2.3)."""
    path = endpoint_of(call).path
    for key, value in call.path.items():
        path = path.replace(f"{{{key}}}", quoted(value))
    query = "&".join(f"{quoted(key)}={quoted(value)}" for key, value in call.query.items())
    return f"{path}?{query}" if query else path


def endpoint_of(call: Call) -> Endpoint:
    """Return the endpoint of this call."""
    return BY_NAME[call.name]


def quoted(text: str) -> str:
    """Percent-encode everything that a path segment or a query value may not carry."""
    encoded = text.encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if chr(byte) in UNRESERVED else f"%{byte:02X}" for byte in encoded)


def call_bytes(call: Call, headers: Mapping[str, str]) -> bytes:
    """Return the whole request. Raises UserError for a text that is not UTF-8."""
    method, target = endpoint_of(call).method, target_of(call)
    if call.body is None:
        return request_bytes(method, target, headers)
    try:
        body = json.dumps(call.body, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        # A command line may hold any bytes; JSON cannot. Said here, by name.
        message = f"cannot send {error.object[:80]!r}: it is not UTF-8"
        raise UserError(Code.REQUEST_INVALID, message, "write it in UTF-8") from None
    return request_bytes(method, target, {**headers, "Content-Type": "application/json"}, body)


def read_json(body: bytes) -> Reply:
    """Return a JSON object as a Reply. Raises Fault(backend_transport_error) for anything else."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        broken("it is not JSON")
    return Reply.of(value)


def read_reply(status: int, body: bytes) -> Reply:
    """Return the answer, or raise the RemoteError that the daemon sent."""
    if status >= 400:
        raise RemoteError(_problem(status, body))
    return read_json(body) if body else Reply.of({})


def _problem(status: int, body: bytes) -> Reply:
    reply = read_json(body)
    if "code" not in reply or "detail" not in reply:
        broken(f"status {status} without a problem document")
    return reply


def lines_of(pieces: Iterator[bytes]) -> Iterator[Reply]:
    """Split a stream of bytes into its JSON lines and check that the last one is terminal.

    An `error` line is raised as RemoteError; a stream that just stops raises
    Fault(backend_transport_error).
    """
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        if len(rest) > BODY_LIMIT:
            broken("a line is too long")
        for line in lines:
            reply = read_json(line)
            if reply.text("type") == "error":
                raise RemoteError(reply.item("problem"))
            yield reply
            if reply.text("type") == "exit":
                return
    broken("the stream was cut")


def _placed(error: Reply) -> Placed:
    return Placed(
        error.text("path"),
        error.number("line"),
        error.number("column"),
        error.text("message"),
        error.text("hint", ""),
    )
