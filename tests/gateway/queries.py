"""DNS messages for tests, written out by hand: an own reader and writer, apart from the codec's."""

import struct
from dataclasses import dataclass

A, NS, SOA, NULL, PTR, MX, TXT, AAAA, SRV, OPT, SVCB, HTTPS, IXFR, AXFR, ANY = (
    1, 2, 6, 10, 12, 15, 16, 28, 33, 41, 64, 65, 251, 252, 255,
)  # fmt: skip
EDNS = b"\0" + struct.pack(">HHIH", OPT, 1232, 0, 0)
EDNS_DO = b"\0" + struct.pack(">HHIH", OPT, 4096, 0x8000, 0)
EDNS_V1 = b"\0" + struct.pack(">HHIH", OPT, 1232, 0x10000, 0)
RECURSION_WANTED = 0x0100


def wire(name: str) -> bytes:
    labels = [] if name == "." else name.encode("latin-1").split(b".")
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def query(
    name: str | bytes, qtype: int = A, qclass: int = 1, extra: bytes = b"", flags: int = 0x0100
) -> bytes:
    """A query of one question; `extra` is one additional record; bytes are a name in wire form."""
    question = (wire(name) if isinstance(name, str) else name) + struct.pack(">HH", qtype, qclass)
    return struct.pack(">6H", 0x1234, flags, 1, 0, 0, 1 if extra else 0) + question + extra


@dataclass(frozen=True)
class Reply:
    """What a client sees."""

    message_id: int
    flags: int
    rcode: int
    question: bytes
    answers: tuple[tuple[int, int, bytes], ...]  # type, TTL, data
    edns: bool
    ede: tuple[int, str] | None


def read_reply(data: bytes) -> Reply:
    message_id, flags, questions, answers, authorities, additional = struct.unpack(">6H", data[:12])
    assert authorities == 0
    at = 12
    for _ in range(questions):
        while data[at]:
            at += data[at] + 1
        at += 5
    question = data[12:at]
    found = []
    for _ in range(answers):
        assert data[at : at + 2] == b"\xc0\x0c"
        qtype, qclass, ttl, length = struct.unpack(">HHIH", data[at + 2 : at + 12])
        assert qclass == 1
        found.append((qtype, ttl, data[at + 12 : at + 12 + length]))
        at += 12 + length
    rcode, ede = flags & 0xF, None
    if additional:
        root, qtype, _, high, version, _, length = struct.unpack(">BHHBBHH", data[at : at + 11])
        assert (root, qtype, version) == (0, OPT, 0)
        rcode |= high << 4
        if length:
            code, size, info = struct.unpack(">HHH", data[at + 11 : at + 17])
            assert (code, size) == (15, length - 4)
            ede = (info, data[at + 17 : at + 11 + length].decode())
        at += 11 + length
    assert at == len(data)
    return Reply(message_id, flags, rcode, question, tuple(found), bool(additional), ede)
