"""HTTP/1.1 for one connection to the daemon: request heads out, response heads and bodies in.

In: bytes as they came from a socket. Out: bytes to send; heads, and body bytes without framing.
Never: I/O, a second request before the first answer ended, or a body without a stated end.
Framing follows RFC 9112 sections 6.3 (length) and 7.1 (chunks).
"""

from collections.abc import Mapping
from typing import Final, NamedTuple, NoReturn

from cleanroom.errors import Code, Fault

HEAD_LIMIT: Final = 64 * 1024
CHUNK_LINE_LIMIT: Final = 1024
HEX_DIGITS: Final = b"0123456789abcdefABCDEF"


class Head(NamedTuple):
    """The start of an answer; header names are lower case."""

    status: int
    headers: dict[str, str]


def request_bytes(method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """Return one request to the daemon."""
    lines = [f"{method} {target} HTTP/1.1", "Host: cleanroom"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body or method != "GET":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def broken(what: str) -> NoReturn:
    """Raise the error for an answer that does not follow the protocol, or ends too early."""
    message = f"cannot read the daemon's answer: {what}"
    raise Fault(Code.BACKEND_TRANSPORT_ERROR, message, "cleanroom doctor")


class ResponseReader:
    """One answer, fed as it arrives. `head` is None until it is complete."""

    def __init__(self) -> None:
        self.head: Head | None = None
        self.ended = False
        self._buffer = bytearray()
        self._left = 0  # bytes of the body, or of the current chunk, still to come
        self._chunked = False
        self._trailing = False  # the last chunk was seen, its trailer was not

    def feed(self, data: bytes) -> bytes:
        """Take bytes from the socket; return body bytes. `data` empty means the socket ended.

        Raises Fault(backend_transport_error) if the answer is malformed or cut short.
        """
        if not data:
            broken("it ended too early")
        self._buffer += data
        if self.head is None and not self._read_head():
            return b""
        return self._read_chunks() if self._chunked else self._read_length()

    def rest(self) -> bytes:
        """Return what came after the answer (the first bytes of an upgraded connection)."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > HEAD_LIMIT:
                broken("its head is too long")
            return False
        lines = self._buffer[:end].decode("latin-1").split("\r\n")
        del self._buffer[: end + 4]
        self.head = Head(_status(lines[0]), dict(_header(line) for line in lines[1:]))
        self._begin_body(self.head)
        return True

    def _begin_body(self, head: Head) -> None:
        encoding = head.headers.get("transfer-encoding", "")
        length = head.headers.get("content-length", "")
        if head.status in (101, 204, 304):
            self.ended = True
        elif encoding == "chunked":
            self._chunked = True
        elif not encoding and length.isascii() and length.isdigit() and len(length) < 19:
            self._left = int(length)
            self.ended = self._left == 0
        else:
            broken("it states no length")

    def _take(self) -> bytes:
        piece = bytes(self._buffer[: self._left])
        del self._buffer[: self._left]
        self._left -= len(piece)
        return piece

    def _read_length(self) -> bytes:
        piece = self._take()
        self.ended = self._left == 0
        return piece

    def _read_chunks(self) -> bytes:
        body = bytearray()
        while not self.ended:
            if self._left > 2:
                self._left -= 2  # the line end after the chunk is not body
                body += self._take()
                self._left += 2
            if self._left > 2 or not self._next_chunk():
                break
        return bytes(body)

    def _next_chunk(self) -> bool:
        """Read the line end of the last chunk and the size of the next; False: more must come."""
        if self._left:
            if len(self._buffer) < 2:
                return False
            if self._buffer[:2] != b"\r\n":
                broken("a chunk is longer than it says")
            del self._buffer[:2]
            self._left = 0
        line = self._line()
        if line is None:
            return False
        if self._trailing:
            self.ended = not line
            return True
        digits = line.split(b";")[0].strip(b" \t")
        if not digits or len(digits) > 16 or digits.strip(HEX_DIGITS):
            broken("a chunk states no size")
        size = int(digits, 16)
        self._trailing = size == 0
        self._left = size + 2 if size else 0
        return True

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            if len(self._buffer) > CHUNK_LINE_LIMIT:
                broken("a chunk states no size")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line


def _status(line: str) -> int:
    version, _, rest = line.partition(" ")
    code = rest[:3]
    if not version.startswith("HTTP/1.") or not (code.isascii() and code.isdigit()):
        broken("it is not HTTP")
    return int(code)


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon:
        broken("a header has no colon")
    return name.lower(), value.strip(" \t")
