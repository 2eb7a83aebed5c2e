"""Streams of HTTP/1.1, most of them nearly right, from a seeded chance.

In: a Random. Out: requests one behind the other, or one answer, and the pieces they arrive in.
Never: the same stream for another reason than the same seed.
"""

from random import Random

NAMES = [
    "Host", "host", "Content-Length", "content-length", "Content_Length", "Content-Length ",
    " Content-Length", "Transfer-Encoding", "transfer-encoding", "Transfer-Encoding ", "Connection",
    "X", "X-Y", "Upgrade", "Expect", "TE", "Trailer", "Cookie", "", "X Y", "\x0bX",
]  # fmt: skip
VALUES = [
    "a.test", "b.test", "0", "1", "3", "5", "05", "+5", "5, 5", "5 5", "0x5", "5_0", "-1", " 5",
    "5\t", "chunked", "Chunked", "chunked, chunked", "gzip, chunked", "chunked\t", "\tchunked",
    "identity", "xchunked", "chunked;a", "close", "keep-alive", "close, keep-alive", "upgrade",
    "h2c", "100-continue", "", " ", "a\tb", "\xe4", "a\x00b", "a\rb", "a\nb", "a\r\n b",
    "a\r\nContent-Length: 3", "a\r\n\r\nGET /x HTTP/1.1\r\nHost: a.test",
]  # fmt: skip
FIRSTS = [
    "GET / HTTP/1.1", "POST /a HTTP/1.1", "HEAD /a?b=c HTTP/1.1", "PUT /a HTTP/1.1",
    "DELETE /a HTTP/1.1", "OPTIONS * HTTP/1.1", "GET / HTTP/1.0", "POST / HTTP/1.0",
]  # fmt: skip
ODD_FIRSTS = [
    "GET http://b.test/ HTTP/1.1", "GET / HTTP/1.2", "GET / HTTP/2.0", "GET  / HTTP/1.1",
    "GET / HTTP/1.1 ", "GET /a#b HTTP/1.1", "GET /\t HTTP/1.1", "GET / a HTTP/1.1", "GET /",
    "\r\nGET / HTTP/1.1", "\nGET / HTTP/1.1", "CONNECT a.test:80 HTTP/1.1", "BREW / HTTP/1.1",
]  # fmt: skip
STATUSES = [
    "HTTP/1.1 200 OK", "HTTP/1.1 200 ", "HTTP/1.0 200 OK", "HTTP/1.1 204 x", "HTTP/1.1 304 x",
    "HTTP/1.1 404 x", "HTTP/1.1 500 x",
]  # fmt: skip
ODD_STATUSES = [
    "HTTP/1.1 200", "HTTP/1.1 100 x", "HTTP/1.1 103 x", "HTTP/1.1 20 x", "HTTP/1.1 2000 x",
    "HTTP/1.2 200 x", "HTTP/1.1  200 x", "\r\nHTTP/1.1 200 x",
]  # fmt: skip
# a body's framing, and bodies that are right under it
FRAMINGS = {
    "": [""],
    "Content-Length: 5": ["hello"],
    "Content-Length: 3": ["abc", "0\r\n"],
    "Transfer-Encoding: chunked": [
        "5\r\nhello\r\n0\r\n\r\n", "0\r\n\r\n", "3\r\nabc\r\n0\r\nA: b\r\n\r\n",
        "1\r\n\n\r\n05\r\nhello\r\n0\r\nA: b\r\nC: d\r\n\r\n",
    ],
}  # fmt: skip
ODD_BODIES = [
    "", "hello", "5;x\r\nhello\r\n0\r\n\r\n", "5\nhello\r\n0\r\n\r\n", "5\r\nhello0\r\n\r\n",
    "5 \r\nhello\r\n0\r\n\r\n", "0\r\nContent-Length: 9\r\n\r\n", "5\r\nhel", "0\n\n", "\r\n",
    "fffffffffffffffff\r\n", "0\r\n\r\nGET /x HTTP/1.1\r\nHost: a.test\r\n\r\n",
    "0\r\nA: b\r\n\nGET /x HTTP/1.1\r\nHost: a.test\r\n\n", "0\r\n \r\n\r\n", "0\r\nA: b\r\n",
    "GET /x HTTP/1.1\r\nHost: a.test\r\n\r\n",
]  # fmt: skip
SPLINTERS = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b"\t",
    b":",
    b"0",
    b"\xff",
    b",",
    b";",
    b"\r\n\r\n",
]


def requests(random: Random) -> bytes:
    """Return one to three requests, and perhaps a few changes."""
    texts = [
        _message(random, FIRSTS, ODD_FIRSTS, "Host: a.test") for _ in range(random.randint(1, 3))
    ]
    return changed(random, "".join(texts).encode("latin-1"))


def answer(random: Random) -> bytes:
    """Return an answer, and perhaps a few changes."""
    return changed(random, _message(random, STATUSES, ODD_STATUSES, "").encode("latin-1"))


def pieces(random: Random, stream: bytes) -> list[bytes]:
    """Return the stream as it may arrive: whole, byte by byte, or cut anywhere."""
    if random.randrange(3) == 0:
        return [stream]
    longest = random.choice([1, 1, 2, 5, 40])
    cut, at = [], 0
    while at < len(stream):
        end = at + random.randint(1, longest)
        cut.append(stream[at:end])
        at = end
    return cut


def changed(random: Random, stream: bytes) -> bytes:
    """Return the stream with up to three bytes changed, cut out, put in or doubled."""
    data = bytearray(stream)
    for _ in range(random.choice([0, 0, 0, 1, 1, 2, 3])):
        at = random.randrange(len(data) + 1)
        match random.randrange(4):
            case 0:
                data[at : at + 1] = bytes([random.randrange(256)])
            case 1:
                del data[at : at + random.choice([1, 1, 5])]
            case 2:
                data[at:at] = random.choice(SPLINTERS)
            case _:
                data[at:at] = data[at : at + random.randint(1, 20)]
    return bytes(data)


def _message(random: Random, firsts: list[str], odd_firsts: list[str], host: str) -> str:
    lines = [random.choice(odd_firsts if _seldom(random) else firsts)]
    lines += [host] if host and not _seldom(random) else []
    framing = random.choice(list(FRAMINGS))
    lines += [framing] if framing else []
    for _ in range(random.choice([0, 0, 0, 1, 2])):
        name, value = random.choice(NAMES), random.choice(VALUES)
        lines.append(f"{name}:{random.choice(['', ' '])}{value}")
    text = "".join(f"{line}{_end(random)}" for line in lines)
    return f"{text}\r\n{random.choice(ODD_BODIES if _seldom(random) else FRAMINGS[framing])}"


def _seldom(random: Random) -> bool:
    return random.randrange(10) == 0


def _end(random: Random) -> str:
    return random.choice(["\n", "\r", "\r\r\n"]) if random.randrange(100) == 0 else "\r\n"
