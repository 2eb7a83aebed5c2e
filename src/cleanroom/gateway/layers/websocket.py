"""WebSocket (RFC 6455) on a connection that secrets may go to: the handshake, and frames after it.

In: heads that were read, bytes of both sides after the 101. Out: bytes for the other side, or a
Deny. Never: an extension, so that what passes can be searched; a message of the server with a value
in it; a frame that two readers could understand differently.

Frames of the sandbox pass as they are, in sight: a placeholder in one is a violation. Messages of
the server are searched and framed anew, as what takes a value's place has another length.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cleanroom.decide.echo import Scrubber
from cleanroom.decide.model import Deny
from cleanroom.decide.secret import Keyring, violation
from cleanroom.errors import Code
from cleanroom.gateway.http1.heads import NO_BODY, MalformedError, RequestHead, ResponseHead
from cleanroom.gateway.layers.carriers import Lookout

_GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
_KEY_BYTES: Final = 16
_CONTINUED: Final = 0x0
_DATA: Final = frozenset({0x1, 0x2})
_LATER: Final = frozenset({_CONTINUED})
_CONTROL: Final = frozenset({0x8, 0x9, 0xA})
_FINAL: Final = 0x80
_MOST_CONTROL: Final = 125
_SHORT, _LONG = 126, 127  # how the second byte says that two or eight bytes of length follow
_HEADS: Final = {_SHORT: 2, _LONG: 8}


def expected_accept(request: RequestHead) -> str:
    """Return what the server has to answer a handshake with; "" if the request is none."""
    fields = dict(request.fields)
    names = [name for name, _ in request.fields]
    once = all(names.count(name) == 1 for name in ("upgrade", "connection", "sec-websocket-key"))
    is_asked = (
        (request.method, request.minor, request.framing) == ("GET", 1, NO_BODY)
        and fields.get("upgrade", "").lower() == "websocket"
        and "upgrade" in _words(fields.get("connection", ""))
        and fields.get("sec-websocket-version") == "13"
    )
    key = fields.get("sec-websocket-key", "")
    if not once or not is_asked or not _is_key(key):
        return ""
    digest = hashlib.sha1(f"{key}{_GUID}".encode("latin-1"), usedforsecurity=False).digest()
    return base64.b64encode(digest).decode("ascii")


def accepts(expected: str, answer: ResponseHead) -> bool:
    """Tell whether a 101 is the answer to the handshake that expects this, without extensions."""
    fields = dict(answer.fields)
    return (
        bool(expected)
        and fields.get("sec-websocket-accept") == expected
        and fields.get("upgrade", "").lower() == "websocket"
        and "upgrade" in _words(fields.get("connection", ""))
        and "sec-websocket-extensions" not in fields
    )


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == _KEY_BYTES
    except (binascii.Error, ValueError):
        return False


def _words(text: str) -> list[str]:
    return [word.strip(" \t").lower() for word in text.split(",")]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a frame, without its mask; `ends`: the last of it."""

    opcode: int
    is_final: bool  # of its message
    payload: bytes
    ends: bool


class FrameReader:
    """Cuts the bytes of one side into pieces of frames; nothing but a head is kept."""

    def __init__(self, *, masked: bool) -> None:
        self._masked = masked
        self._head = b""
        self._opcode = 0
        self._is_final = False
        self._mask = b""
        self._at = self._left = 0  # of the payload
        self._is_inside = False  # of a frame
        self._is_open = False  # a message goes on

    def feed(self, data: bytes) -> Iterator[Piece]:
        """Take bytes; yield pieces. Raises MalformedError."""
        position = 0
        while position < len(data) or (self._is_inside and not self._left):
            if not self._is_inside:
                self._head += data[position : position + 1]
                position += 1
                self._read_head()
                continue
            payload = data[position : position + self._left]
            position += len(payload)
            text = _unmasked(payload, self._mask, self._at) if self._masked else payload
            self._at += len(payload)
            self._left -= len(payload)
            self._is_inside = self._left > 0
            yield Piece(self._opcode, self._is_final, text, ends=not self._is_inside)

    def _read_head(self) -> None:
        head = self._head
        if len(head) < 2:
            return
        if bool(head[1] & 0x80) is not self._masked:
            message = "a frame has the other side's mask"
            raise MalformedError(message)
        size = head[1] & 0x7F
        extra = _HEADS.get(size, 0)
        if len(head) < 2 + extra + (4 if self._masked else 0):
            return
        self._left = int.from_bytes(head[2 : 2 + extra], "big") if extra else size
        self._mask = head[2 + extra :]
        self._check(head[0])
        self._head, self._at, self._is_inside = b"", 0, True

    def _check(self, first: int) -> None:
        opcode, is_final = first & 0x0F, bool(first & _FINAL)
        if first & 0x70 or self._left >> 63:
            message = "a frame has bits that nobody agreed upon"
            raise MalformedError(message)
        if opcode in _CONTROL:
            if not is_final or self._left > _MOST_CONTROL:
                message = "a control frame is long or in parts"
                raise MalformedError(message)
        elif opcode not in (_LATER if self._is_open else _DATA):
            message = "a frame of data comes out of turn"
            raise MalformedError(message)
        else:
            self._is_open = not is_final
        self._opcode, self._is_final = opcode, is_final


class WebSocket:
    """Implements Tunnel of layers/custody.py."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        # Apart: a control frame may stand between the parts of a message.
        self._messages, self._controls = Lookout(keyring.found), Lookout(keyring.found)
        self._out = FrameReader(masked=True)
        self._back = FrameReader(masked=False)
        self._scrubber: Scrubber | None = None  # of the message under way
        self._opcode = 0  # of its next frame
        self._control = b""

    def out(self, data: bytes) -> bytes | Deny:
        """Implement Tunnel."""
        try:
            for piece in self._out.feed(data):
                lookout = self._controls if piece.opcode in _CONTROL else self._messages
                ref = lookout.look(piece.payload)
                if ref is not None:
                    return violation(ref, "in a message of a WebSocket")
        except MalformedError as error:
            return _no_protocol(f"the sandbox's: {error}")
        return data

    def back(self, data: bytes) -> bytes | Deny:
        """Implement Tunnel."""
        frames: list[bytes] = []
        waiting: list[bytes] = []  # parts of one message
        try:
            for piece in self._back.feed(data):
                if piece.opcode in _CONTROL:
                    frame = self._controlled(piece)
                    if frame is None:
                        reason = "a control frame of a WebSocket has the value of a secret in it"
                        return Deny(Code.SECRET_SCOPE_VIOLATION, reason)
                    frames.append(frame)
                    continue
                scrubber = self._begun(piece)
                waiting.append(piece.payload)
                if piece.is_final and piece.ends:
                    frames.append(self._searched(scrubber, waiting, is_last=True))
                    self._scrubber, waiting = None, []
        except MalformedError as error:
            return _no_protocol(f"the server's: {error}")
        # SECURITY: once for all parts that came together. What is held is searched again with each
        # part, and a page of tiny ones would take the gateway seconds.
        if self._scrubber is not None and waiting:
            frames.append(self._searched(self._scrubber, waiting, is_last=False))
        return b"".join(frames)

    def _begun(self, piece: Piece) -> Scrubber:
        if self._scrubber is None:
            self._scrubber = Scrubber(self._keyring.echoes)
            self._opcode = piece.opcode
        return self._scrubber

    def _searched(self, scrubber: Scrubber, parts: list[bytes], *, is_last: bool) -> bytes:
        """Return what is not held of a message's next parts, without values."""
        text = scrubber.feed(b"".join(parts))
        if is_last:
            text += scrubber.end()
        if not text and not is_last:
            return b""
        frame = framed(self._opcode, text, is_final=is_last)
        self._opcode = _CONTINUED
        return frame

    def _controlled(self, piece: Piece) -> bytes | None:
        """Return a control frame when it is whole; None if there is a value in it."""
        self._control += piece.payload
        if not piece.ends:
            return b""
        text, self._control = self._control, b""
        is_clean = self._keyring.echoes().replace(text) == text
        return framed(piece.opcode, text, is_final=True) if is_clean else None


def framed(opcode: int, payload: bytes, *, is_final: bool) -> bytes:
    """Return a frame without a mask."""
    size = len(payload)
    first = (_FINAL if is_final else 0) | opcode
    if size < _SHORT:
        return bytes((first, size)) + payload
    if size < 1 << 16:
        return bytes((first, _SHORT)) + size.to_bytes(2, "big") + payload
    return bytes((first, _LONG)) + size.to_bytes(8, "big") + payload


def _unmasked(data: bytes, mask: bytes, at: int) -> bytes:
    turned = mask[at % 4 :] + mask[: at % 4]
    key = (turned * (len(data) // 4 + 1))[: len(data)]
    number = int.from_bytes(data, "big") ^ int.from_bytes(key, "big")
    return number.to_bytes(len(data), "big")


def _no_protocol(what: str) -> Deny:
    return Deny(Code.PROTOCOL_NOT_ALLOWED, f"a frame is not beyond doubt WebSocket, {what}")
