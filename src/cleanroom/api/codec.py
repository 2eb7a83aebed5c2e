"""Messages <-> JSON: bodies, NDJSON lines, attach messages.

In: bytes of a client, hostile. Out: frozen Structs, or UserError(request_invalid). Never: a value
that was written twice, NaN, an unknown field, or a part of a foreign text in an error.
"""

import base64
import json
from typing import TypeVar

import msgspec

from cleanroom.api.message import Message
from cleanroom.api.streams import AttachMessage, OutputLine, StreamLine
from cleanroom.errors import Code, UserError

MessageT = TypeVar("MessageT", bound=Message)


def encode(message: Message) -> bytes:
    """Return the message's JSON."""
    return msgspec.json.encode(message)


def encode_line(line: StreamLine) -> bytes:
    """Return the NDJSON line, with its line feed."""
    return msgspec.json.encode(line) + b"\n"


def decode(body: bytes, kind: type[MessageT]) -> MessageT:
    """Read a body as one message. Raises UserError(request_invalid)."""
    try:
        message = msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # A ValidationError names the field and the type it must have, never the value.
        text = f"cannot read the request: {error}"
        raise UserError(Code.REQUEST_INVALID, text, "see /openapi.json") from None
    _refuse_duplicates(body)
    return message


def decode_attach(text: bytes) -> AttachMessage:
    """Read a text message of an attached client. Raises UserError(request_invalid)."""
    try:
        # mypy cannot see a union as a type object; msgspec can.
        message: AttachMessage = msgspec.json.decode(text, type=AttachMessage)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        message_text = f"cannot read the attach message: {error}"
        raise UserError(Code.REQUEST_INVALID, message_text, "see /openapi.json") from None
    return message


def _refuse_duplicates(body: bytes) -> None:
    # RFC 8259 section 4 leaves duplicate names undefined, and msgspec keeps the last: two readers
    # of one request could see two requests. The body has passed its schema, so it is shallow.
    json.loads(body, object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, object]]) -> None:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        text = "cannot read the request: an object has a field twice"
        raise UserError(Code.REQUEST_INVALID, text)


def output_line(stream: int, offset: int, data: bytes, time: str | None = None) -> OutputLine:
    """Return bytes of a workload as a line: text if they are UTF-8, base64 otherwise."""
    try:
        return OutputLine(stream=stream, offset=offset, text=data.decode(), time=time)
    except UnicodeDecodeError:
        encoded = base64.b64encode(data).decode("ascii")
        return OutputLine(stream=stream, offset=offset, base64=encoded, time=time)


def whole_characters(data: bytes) -> int:
    """Return how many bytes of `data` to send now so that no UTF-8 character is cut at its end.

    At most three bytes are held back (RFC 3629 section 3: a character has at most four). Bytes
    that are not UTF-8 anyway are never held back.
    """
    for back in range(1, min(3, len(data)) + 1):
        byte = data[-back]
        if byte & 0b1100_0000 == 0b1000_0000:
            continue
        return len(data) - back if _length_of_character(byte) > back else len(data)
    return len(data)


def _length_of_character(first: int) -> int:
    if first > 0xF4:  # never in UTF-8: RFC 3629 ends at U+10FFFF
        return 1
    if first >= 0b1111_0000:
        return 4
    if first >= 0b1110_0000:
        return 3
    return 2 if first >= 0b1100_0000 else 1
