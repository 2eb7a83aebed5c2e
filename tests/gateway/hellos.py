"""ClientHellos, real and bent."""

import ssl
import struct


def real_hello(name: str | None) -> bytes:
    """Return what Python's own TLS client sends first."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=name)
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError


def vector(size: int, content: bytes) -> bytes:
    """Return content behind its length in `size` bytes."""
    return len(content).to_bytes(size, "big") + content


def extension(kind: int, content: bytes) -> bytes:
    """Return one extension."""
    return struct.pack("!H", kind) + vector(2, content)


def server_name(name: bytes) -> bytes:
    """Return the extension that names the server."""
    return extension(0, vector(2, b"\0" + vector(2, name)))


def hello_body(*extensions: bytes) -> bytes:
    """Return a ClientHello's body with these extensions."""
    fixed = b"\x03\x03" + bytes(32) + vector(1, b"") + vector(2, b"\x13\x01") + vector(1, b"\0")
    return fixed + vector(2, b"".join(extensions))


def message(body: bytes, kind: int = 1) -> bytes:
    """Return a handshake message."""
    return bytes([kind]) + vector(3, body)


def records(handshake: bytes, size: int = 16384) -> bytes:
    """Cut a handshake into records of `size` bytes."""
    pieces = [handshake[at : at + size] for at in range(0, len(handshake), size)]
    return b"".join(b"\x16\x03\x01" + vector(2, piece) for piece in pieces)


def hello(name: bytes, *more: bytes) -> bytes:
    """Return one record with a ClientHello for `name`."""
    return records(message(hello_body(server_name(name), *more)))
