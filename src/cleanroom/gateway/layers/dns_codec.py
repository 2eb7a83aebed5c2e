"""DNS messages, bytes to questions and answers to bytes (RFC 1035, 6891, 8914, 9619).

In: bytes of a hostile client. Out: Query, Faulty or None; bytes of a reply, 512 at most.
Never: an exception for anything a peer sent, a followed compression pointer, a judgement.
"""

import re
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

MAX_REPLY: Final = 512  # RFC 1035 section 2.3.4: fits every client, so no reply is ever truncated
MAX_BLOCKED_TEXT: Final = 160  # header 12 + question 259 + answer 28 + OPT 11 + EDE 6 + this < 512
CLASS_IN: Final = 1
OPT: Final = 41
EDE_BLOCKED: Final = 15  # RFC 8914 section 4.16
_EDE_OPTION: Final = 15  # the option that carries it has the same number by chance
_OUR_UDP_SIZE: Final = 1232

_QR, _OPCODE, _RD, _RA, _CD = 0x8000, 0x7800, 0x0100, 0x0080, 0x0010
_DNSSEC_OK = 0x8000
_MAX_NAME = 255
_MAX_ADDITIONAL = 16
_HEADER = struct.Struct(">6H")
_PLAIN_LABEL = re.compile(rb"[a-z0-9_-]+")
_QUESTION_POINTER = b"\xc0\x0c"  # the answer's owner is the name in the question, at offset 12


class Rcode(IntEnum):
    """How a query ended."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5
    BADVERS = 16


@dataclass(frozen=True, slots=True)
class Edns:
    """The OPT record of a query (RFC 6891)."""

    version: int
    dnssec_ok: bool


@dataclass(frozen=True, slots=True)
class Query:
    """One well-formed question.

    `name` is lower case, without a final dot, "." for the root; a byte that no host name may hold
    is written as a backslash and three digits, so that no two names look the same.
    `question` is the section as it was sent: its letters' case is echoed.
    """

    message_id: int
    flags: int
    question: bytes
    name: str
    qtype: int
    qclass: int
    edns: Edns | None


@dataclass(frozen=True, slots=True)
class Faulty:
    """A message that deserves an error code, and why."""

    message_id: int
    flags: int
    rcode: Rcode
    reason: str


class _BadFormatError(Exception):
    """Found while reading; becomes a Faulty before it leaves this module."""


def parse_query(data: bytes) -> Query | Faulty | None:
    """Read a query. None: not a DNS query at all (too short, or itself a reply): say nothing."""
    if len(data) < _HEADER.size:
        return None
    message_id, flags, *counts = _HEADER.unpack_from(data)
    if flags & _QR:
        return None
    if flags & _OPCODE:
        return Faulty(message_id, flags, Rcode.NOTIMP, "only standard queries are answered")
    try:
        return _read(data, message_id, flags, counts)
    except _BadFormatError as error:
        return Faulty(message_id, flags, Rcode.FORMERR, str(error))


def encode_fault(fault: Faulty) -> bytes:
    """Return the reply to a message whose question could not be read."""
    return _HEADER.pack(fault.message_id, _reply_flags(fault.flags, fault.rcode), 0, 0, 0, 0)


def encode_reply(
    query: Query, rcode: Rcode, rdata: bytes = b"", *, ttl_s: int = 0, blocked: str = ""
) -> bytes:
    """Return the reply: one record of the asked type if `rdata`, an Extended Error if `blocked`.

    The Extended DNS Error and the OPT record are sent only to a client that sent OPT.
    """
    header = _HEADER.pack(
        query.message_id,
        _reply_flags(query.flags, rcode),
        1,
        1 if rdata else 0,
        0,
        1 if query.edns else 0,
    )
    answer = b""
    if rdata:
        fixed = struct.pack(">HHIH", query.qtype, CLASS_IN, ttl_s, len(rdata))
        answer = _QUESTION_POINTER + fixed + rdata
    return header + query.question + answer + _opt(query.edns, rcode, blocked)


def encode_name(name: str) -> bytes:
    """Return a canonical host name in wire form, for the data of a PTR record."""
    labels = name.encode("ascii").split(b".")
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\0"


def _reply_flags(flags: int, rcode: Rcode) -> int:
    # RA, so that resolvers do not take an empty answer for a lame delegation.
    return _QR | (flags & (_OPCODE | _RD | _CD)) | _RA | (rcode & 0xF)


def _opt(edns: Edns | None, rcode: Rcode, blocked: str) -> bytes:
    if edns is None:
        return b""
    option = b""
    if blocked:
        text = blocked.encode("ascii", "replace")[:MAX_BLOCKED_TEXT]
        option = struct.pack(">HHH", _EDE_OPTION, 2 + len(text), EDE_BLOCKED) + text
    flags = _DNSSEC_OK if edns.dnssec_ok else 0  # RFC 3225: copied from the query
    fixed = struct.pack(">BHHBBHH", 0, OPT, _OUR_UDP_SIZE, rcode >> 4, 0, flags, len(option))
    return fixed + option


def _read(data: bytes, message_id: int, flags: int, counts: list[int]) -> Query:
    questions, answers, authorities, additional = counts
    if questions != 1:  # RFC 9619: more than one is a format error; none asks nothing
        message = "a query has exactly one question"
        raise _BadFormatError(message)
    if answers or authorities or additional > _MAX_ADDITIONAL:
        message = "a query carries no answers"
        raise _BadFormatError(message)
    name, end = _name(data, _HEADER.size)
    qtype, qclass = _shorts(data, end)
    question = data[_HEADER.size : end + 4]
    edns, end = _additional(data, end + 4, additional)
    if end != len(data):
        message = "bytes follow the message"
        raise _BadFormatError(message)
    return Query(message_id, flags, question, name, qtype, qclass, edns)


def _name(data: bytes, start: int) -> tuple[str, int]:
    """Read an uncompressed name; return its text and where it ends."""
    labels: list[str] = []
    position = start
    while True:
        length = _byte(data, position)
        position += 1
        if length == 0:
            break
        if length > 63:  # a pointer could only lead back into the header, or to itself
            message = "the question's name is compressed or has a label over 63 bytes"
            raise _BadFormatError(message)
        if position + length - start >= _MAX_NAME:
            message = "the name is longer than 255 bytes"
            raise _BadFormatError(message)
        labels.append(_label(data[position : position + length]))
        position += length
    return ".".join(labels) or ".", position


def _label(raw: bytes) -> str:
    lower = raw.lower()
    if _PLAIN_LABEL.fullmatch(lower):
        return lower.decode("ascii")
    return "".join(
        chr(byte) if _PLAIN_LABEL.fullmatch(bytes((byte,))) else f"\\{byte:03d}" for byte in lower
    )


def _additional(data: bytes, position: int, count: int) -> tuple[Edns | None, int]:
    edns: Edns | None = None
    for _ in range(count):
        start = position
        position = _after_owner(data, position)
        kind, _udp_size = _shorts(data, position)
        high, low = _shorts(data, position + 4)
        (length,) = _shorts(data, position + 8, 1)
        position += 10
        if position + length > len(data):
            message = "a record is cut"
            raise _BadFormatError(message)
        if kind == OPT:
            if edns is not None or data[start] != 0:
                message = "there is one OPT record, and its owner is the root"
                raise _BadFormatError(message)
            _check_options(data, position, position + length)
            edns = Edns(version=high & 0xFF, dnssec_ok=bool(low & _DNSSEC_OK))
        position += length
    return edns, position


def _after_owner(data: bytes, position: int) -> int:
    """Return where the name at `position` ends. A pointer ends it, and is not followed."""
    while True:
        length = _byte(data, position)
        position += 1
        if length == 0:
            return position
        if length >= 0xC0:
            return position + 1
        if length > 63:
            message = "a label has a reserved type"
            raise _BadFormatError(message)
        position += length


def _check_options(data: bytes, position: int, end: int) -> None:
    while position < end:
        if position + 4 > end:
            message = "an option is cut"
            raise _BadFormatError(message)
        position += 4 + int.from_bytes(data[position + 2 : position + 4])
    if position != end:
        message = "an option is longer than its record"
        raise _BadFormatError(message)


def _byte(data: bytes, position: int) -> int:
    if position >= len(data):
        message = "the message is cut"
        raise _BadFormatError(message)
    return data[position]


def _shorts(data: bytes, position: int, count: int = 2) -> tuple[int, ...]:
    if position + 2 * count > len(data):
        message = "the message is cut"
        raise _BadFormatError(message)
    return struct.unpack_from(f">{count}H", data, position)
