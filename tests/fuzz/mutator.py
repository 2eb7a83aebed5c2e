"""Bytes that are nearly right, whatever they are bytes of.

In: what is right, a Random. Out: the same with some bytes changed, cut out, put in or doubled, and
the pieces it may arrive in. Never: a format; what knows its own has a mutator of its own.
"""

from random import Random
from typing import Final

LONGEST: Final = 8_192  # bytes: what breaks a reader breaks it by its form
# Numbers at the borders of their widths, and what formats have marks of.
SPLINTERS: Final = (
    *(bytes([byte]) for byte in (0, 1, 0x0A, 0x0D, 0x20, 0x7F, 0x80, 0xFE, 0xFF)),
    *b'"\'{}[]():,;#@=\\/&%?+-.<>'.decode(),
    b"\0\0\0\0", b"\xff\xff", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff\xff\xff\xff\xff", b"\r\n",
    b"\r\n\r\n", b"0000", b"0001", b"fff0", b"ffff", b"null", b"true", b"-1", b"1e999", b"9" * 400,
    b"\\u0000", b"\\ud800", b"\xef\xbb\xbf", b"\xc3", b"%00", b"%2f", b"%25", b"..", b"[" * 1200,
    b'{"a":' * 1200, b"a" * 300,
)  # fmt: skip


def mutated(random: Random, right: bytes) -> bytes:
    """Return bytes with up to six changes, sometimes none."""
    data = bytearray(right)
    for _ in range(random.choice((0, 1, 1, 1, 2, 3, 6))):
        at = random.randrange(len(data) + 1)
        end = min(len(data), at + random.choice((1, 1, 4, 20, 200)))
        match random.randrange(6):
            case 0:
                data[at : at + 1] = bytes([random.randrange(256)])
            case 1:
                del data[at:end]
            case 2:
                data[at:at] = _splinter(random)
            case 3:
                data[at:end] = _splinter(random)
            case 4:
                data[at:at] = data[at:end] * random.choice((1, 1, 30))
            case _:
                other = random.randrange(len(data) + 1)
                data[at:end] = data[other : other + end - at]
    return bytes(data[:LONGEST])


def pieces(random: Random, data: bytes) -> list[bytes]:
    """Return the bytes as they may arrive: whole, or cut anywhere, often into single ones."""
    if random.randrange(3) == 0:
        return [data]
    longest = random.choice((1, 2, 7, 60, 2000))
    cut, at = [], 0
    while at < len(data):
        end = at + random.randint(1, longest)
        cut.append(data[at:end])
        at = end
    return cut


def _splinter(random: Random) -> bytes:
    found = random.choice(SPLINTERS)
    return found if isinstance(found, bytes) else found.encode()
