"""Git's packets: four digits, and as many bytes, or a mark.

In: bytes. Out: packets, lines without their end. Never: a length that is none; more packets than
the caller allows.
"""

import re
from dataclasses import dataclass
from typing import Final

_LENGTH: Final = re.compile(rb"[0-9a-f]{4}")


@dataclass(frozen=True, slots=True)
class Mark:
    """A packet without text: 0 ends a message, 1 a part of it."""

    length: int


FLUSH: Final = Mark(0)
DELIM: Final = Mark(1)
Packet = bytes | Mark


def read_packets(body: bytes, most: int) -> list[Packet] | None:
    """Return the packets of a body; None if it is no message of git's."""
    found: list[Packet] = []
    at = 0
    while at < len(body):
        if len(found) >= most:
            return None
        length = read_length(body[at : at + 4])
        if 0 <= length <= 1:
            found.append(DELIM if length else FLUSH)
            at += 4
        elif length < 5 or at + length > len(body):
            return None
        else:
            found.append(body[at + 4 : at + length].removesuffix(b"\n"))
            at += length
    return found


def read_length(text: bytes) -> int:
    """Return what the four digits before a packet say; -1 if they are none."""
    return int(text, 16) if _LENGTH.fullmatch(text) else -1


def encode_packet(packet: Packet) -> bytes:
    """Return a packet as it is sent."""
    if isinstance(packet, Mark):
        return b"%04x" % packet.length
    return b"%04x%b\n" % (len(packet) + 5, packet)
