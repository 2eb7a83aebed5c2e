"""WebSocket frames (RFC 6455) on a connection that was upgraded: bytes <-> messages.

In: bytes of the daemon's side. Out: messages; bytes to send. Never: I/O or randomness (the
masking key is an argument), a message above MESSAGE_LIMIT, or an extension.
"""

from typing import Final, NamedTuple

from cleanroom.client.http1 import broken

MESSAGE_LIMIT: Final = 16 * 1024 * 1024

TEXT: Final = 1
BINARY: Final = 2
CLOSE: Final = 8
PING: Final = 9
PONG: Final = 10

# Section 1.3 asks for a random key so that a cache between the two cannot mistake a recorded
# answer for a fresh one. On a local socket there is nothing between: a fixed pair still proves
# that the other side speaks WebSocket, and costs neither `secrets` nor `hashlib`.
HANDSHAKE_KEY: Final = "Y2xlYW5yb29tLWxvY2FsIQ=="
HANDSHAKE_ACCEPT: Final = "OVh6p4+KNxc3zXlQhK4KmF09/i8="
HANDSHAKE: Final = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": HANDSHAKE_KEY,
}

# Section 10.3: masking protects intermediaries from bytes a hostile page chose. None exist on a
# unix socket, and a zero key makes it free.
LOCAL_MASK: Final = b"\0\0\0\0"


class Message(NamedTuple):
    """One whole message, or a control frame."""

    opcode: int
    data: bytes


def frame_bytes(opcode: int, data: bytes, mask: bytes) -> bytes:
    """Return one final frame as a client must send it: masked with the four bytes of `mask`."""
    size = len(data)
    if size < 126:
        head = bytes((0x80 | opcode, 0x80 | size))
    elif size < 65536:
        head = bytes((0x80 | opcode, 0xFE)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, 0xFF)) + size.to_bytes(8, "big")
    return head + mask + (data if mask == LOCAL_MASK else _masked(data, mask))


def _masked(data: bytes, mask: bytes) -> bytes:
    key = (mask * (len(data) // 4 + 1))[: len(data)]
    mixed = int.from_bytes(data, "big") ^ int.from_bytes(key, "big")
    return mixed.to_bytes(len(data), "big")


class FrameReader:
    """The daemon's frames, fed as they arrive."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._opcode = 0  # of the fragmented message under way; 0: none
        self._parts = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """Take bytes; return the messages they complete, in order.

        Raises Fault(backend_transport_error) for what RFC 6455 forbids a server to send.
        """
        self._buffer += data
        messages: list[Message] = []
        offset = 0
        with memoryview(self._buffer) as view:
            while (frame := _next_frame(view, offset)) is not None:
                first, payload, offset = frame
                message = self._join(first & 0x0F, payload, final=bool(first & 0x80))
                if message is not None:
                    messages.append(message)
        del self._buffer[:offset]
        return messages

    def _join(self, opcode: int, payload: bytes, *, final: bool) -> Message | None:
        if opcode >= CLOSE:
            if not final or len(payload) > 125:
                broken("a control frame is too long")
            return Message(opcode, payload)
        if (opcode == 0) != bool(self._opcode):
            broken("its frames are out of order")
        if final and opcode:
            return Message(opcode, payload)
        self._opcode = opcode or self._opcode
        self._parts += payload
        if len(self._parts) > MESSAGE_LIMIT:
            broken("a message is too long")
        if not final:
            return None
        message = Message(self._opcode, bytes(self._parts))
        self._opcode = 0
        self._parts.clear()
        return message


def _next_frame(view: memoryview, offset: int) -> tuple[int, bytes, int] | None:
    """Return (first byte, payload, offset of the next frame), or None if it is incomplete."""
    if len(view) < offset + 2:
        return None
    first, size = view[offset], view[offset + 1]
    if first & 0x70 or first & 0x0F not in (0, TEXT, BINARY, CLOSE, PING, PONG):
        broken("it uses an extension that was not agreed")
    if size & 0x80:
        broken("its frames are masked")
    start = offset + 2
    if size > 125:
        width = 2 if size == 126 else 8
        if len(view) < start + width:
            return None
        size = int.from_bytes(view[start : start + width], "big")
        start += width
    if size > MESSAGE_LIMIT:
        broken("a message is too long")
    if len(view) < start + size:
        return None
    return first, bytes(view[start : start + size]), start + size
