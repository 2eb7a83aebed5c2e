"""Asking a resolver of the operator for addresses: the question, and its answer as hostile input.

In: a canonical name; bytes a resolver sent. Out: bytes to send; Found. Never: a name followed by
us: the resolver's own CNAME chain is believed, for it is the address that will be judged.

RFC 1035 section 4; the answer must echo identifier and question, or it is somebody else's.
"""

import struct
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from cleanroom.decide.dns import AAAA, A
from cleanroom.decide.match import Address
from cleanroom.gateway.layers.dns_codec import encode_name

_HEADER: Final = struct.Struct("!HHHHHH")
_RECORD: Final = struct.Struct("!HHIH")
_RECURSION_DESIRED: Final = 0x0100
_TRUNCATED: Final = 0x0200
_RCODE: Final = 0x000F
_NXDOMAIN: Final = 3
_INTERNET: Final = 1
_SIZES: Final = {A: 4, AAAA: 16}
_MOST_RECORDS: Final = 256


@dataclass(frozen=True, slots=True)
class Found:
    """What the answer says. `truncated`: ask again over TCP. `why` is a phrase if it is no use."""

    addresses: tuple[Address, ...] = ()
    truncated: bool = False
    why: str = ""


def encode_question(identifier: int, name: str, qtype: int) -> bytes:
    """Return a query for one type of records, recursion desired."""
    header = _HEADER.pack(identifier, _RECURSION_DESIRED, 1, 0, 0, 0)
    return header + encode_name(name) + struct.pack("!HH", qtype, _INTERNET)


def is_answer_to(question: bytes, answer: bytes) -> bool:
    """Tell whether `answer` answers `question`; 0x20 randomisation is not used, case is ignored."""
    asked = question[_HEADER.size :]
    echoed = answer[_HEADER.size : len(question)]
    is_response = len(answer) >= len(question) and answer[2] & 0x80
    return bool(is_response and answer[:2] == question[:2] and echoed.lower() == asked.lower())


def read_answer(question: bytes, answer: bytes, qtype: int) -> Found:
    """Read an answer that `is_answer_to` accepted."""
    _, flags, _, count, _, _ = _HEADER.unpack_from(answer)
    if flags & _TRUNCATED:
        return Found(truncated=True)
    rcode = flags & _RCODE
    if rcode not in (0, _NXDOMAIN):
        return Found(why=f"cannot be resolved: the resolver answered with code {rcode}")
    try:
        addresses = _addresses(answer, len(question), min(count, _MOST_RECORDS), qtype)
    except (struct.error, IndexError):
        return Found(why="cannot be resolved: the resolver's answer is malformed")
    return Found(addresses)


def _addresses(answer: bytes, at: int, count: int, qtype: int) -> tuple[Address, ...]:
    found: list[Address] = []
    for _ in range(count):
        at = _skip_name(answer, at)
        kind, klass, _, size = _RECORD.unpack_from(answer, at)
        at += _RECORD.size
        data = answer[at : at + size]
        at += size
        if (kind, klass, len(data)) == (qtype, _INTERNET, _SIZES[qtype]):
            found.append(ip_address(data))
    return tuple(found)


def _skip_name(answer: bytes, at: int) -> int:
    while True:
        length = answer[at]
        if length >= 0xC0:
            return at + 2
        if length == 0:
            return at + 1
        at += 1 + length
