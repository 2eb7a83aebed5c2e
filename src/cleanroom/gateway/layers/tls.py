"""The one TLS message the gateway reads on relayed connections: the ClientHello.

In: the first bytes of a connection, cut anywhere. Out: ClientHello, Malformed, or None (more bytes
are needed). Never: decryption, or a guess; what cannot be read is refused.

RFC 8446 sections 4.1.2 and 5.1; RFC 6066 section 3 for the server name. At most 64 KiB of
handshake in any number of records.
"""

from dataclasses import dataclass
from typing import Final

MAX_HELLO_BYTES: Final = 64 * 1024
_RECORD_HEADER: Final = 5
_MAX_RECORD: Final = 16 * 1024
_HANDSHAKE: Final = 22
_CLIENT_HELLO: Final = 1
_SERVER_NAME: Final = 0
_ECH_TYPES: Final = frozenset({0xFE0D, 0xFFCE})  # RFC 9849 and its draft predecessor ESNI


@dataclass(frozen=True, slots=True)
class ClientHello:
    """`server_name` as written ("" if absent); `ech_present` is true for GREASE as well."""

    server_name: str
    ech_present: bool


@dataclass(frozen=True, slots=True)
class Malformed:
    """Why these bytes are no ClientHello that can be read: a phrase."""

    why: str


class HelloReader:
    """Collects a ClientHello; every byte is looked at once, so tiny pieces cost no more."""

    def __init__(self) -> None:
        self._records = bytearray()  # not yet taken apart
        self._message = bytearray()  # handshake bytes so far
        self._result: ClientHello | Malformed | None = None

    def feed(self, data: bytes) -> ClientHello | Malformed | None:
        """Take more bytes. After a result it stays the result."""
        self._records += data
        while self._result is None and self._take_record():
            self._result = self._judge_message()
        return self._result

    def _take_record(self) -> bool:
        if len(self._records) < _RECORD_HEADER:
            return False
        kind, major, length = self._records[0], self._records[1], self._records[3:5]
        size = int.from_bytes(length, "big")
        if kind != _HANDSHAKE or major != 3 or not 0 < size <= _MAX_RECORD:
            self._result = Malformed("a TLS record that cannot begin a handshake")
            return False
        if len(self._records) < _RECORD_HEADER + size:
            return False
        self._message += self._records[_RECORD_HEADER : _RECORD_HEADER + size]
        del self._records[: _RECORD_HEADER + size]
        return True

    def _judge_message(self) -> ClientHello | Malformed | None:
        if self._message[0] != _CLIENT_HELLO:
            return Malformed("a TLS handshake that does not begin with a ClientHello")
        if len(self._message) < 4:
            return None
        size = int.from_bytes(self._message[1:4], "big")
        if size > MAX_HELLO_BYTES - 4:
            return Malformed("a ClientHello of more than 64 KiB")
        if len(self._message) < 4 + size:
            return None
        if len(self._message) > 4 + size:
            return Malformed("bytes between the ClientHello and its record's end")
        return parse_client_hello(bytes(self._message[4:]))


def parse_client_hello(body: bytes) -> ClientHello | Malformed:
    """Parse the body of a ClientHello, whole and without anything left over."""
    try:
        return _parse(_Cursor(body))
    except _UnreadableError as error:
        return Malformed(str(error))


class _UnreadableError(Exception):
    """A length runs over its container, or something is there twice."""


class _Cursor:
    """Reads lengths and vectors off the front of bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._data):
            message = "a ClientHello whose lengths do not fit"
            raise _UnreadableError(message)
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, length_size: int) -> bytes:
        return self.take(self.number(length_size))

    @property
    def done(self) -> bool:
        return self._at == len(self._data)


def _parse(hello: _Cursor) -> ClientHello:
    hello.take(2 + 32)  # legacy_version, random
    hello.vector(1)  # legacy_session_id
    hello.vector(2)  # cipher_suites
    hello.vector(1)  # legacy_compression_methods
    extensions = _extensions(_Cursor(b"" if hello.done else hello.vector(2)))
    if not hello.done:
        message = "bytes after the ClientHello's extensions"
        raise _UnreadableError(message)
    listed = extensions.get(_SERVER_NAME)
    name = "" if listed is None else _server_name(_Cursor(listed))
    return ClientHello(name, not _ECH_TYPES.isdisjoint(extensions))


def _extensions(cursor: _Cursor) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while not cursor.done:
        kind, content = cursor.number(2), cursor.vector(2)
        if kind in found:
            message = "a ClientHello with an extension twice"
            raise _UnreadableError(message)
        found[kind] = content
    return found


def _server_name(extension: _Cursor) -> str:
    # One name exactly: with several, this reader and the server might pick different ones.
    names = _Cursor(extension.vector(2))
    kind, name = names.number(1), names.vector(2)
    if kind != 0 or not names.done or not extension.done or not name.isascii() or not name:
        message = "a TLS server name that is not exactly one host name"
        raise _UnreadableError(message)
    return name.decode("ascii")
