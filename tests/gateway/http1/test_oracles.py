"""Whatever cleanroom accepts, llhttp and h11 cut into the same messages, or refuse.

A difference here is a smuggled request: one reader's body is another's next request.
"""

import os

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.gateway.http1.oracles import (
    Messages,
    h11_requests,
    h11_response,
    llhttp_requests,
    llhttp_response,
    ours_requests,
    ours_response,
)

# `make nightly` sets CLEANROOM_NIGHTLY.
EXAMPLES = 100_000 if os.environ.get("CLEANROOM_NIGHTLY") else 300
THOROUGH = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

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
    "GET http://b.test/ HTTP/1.1", "GET / HTTP/1.2", "GET / HTTP/2.0", "GET  / HTTP/1.1",
    "GET / HTTP/1.1 ", "GET /a#b HTTP/1.1", "GET /\t HTTP/1.1", "GET / a HTTP/1.1", "GET /",
    "\r\nGET / HTTP/1.1", "\nGET / HTTP/1.1", "CONNECT a.test:80 HTTP/1.1",
]  # fmt: skip
STATUSES = [
    "HTTP/1.1 200 OK", "HTTP/1.1 200 ", "HTTP/1.1 200", "HTTP/1.0 200 OK", "HTTP/1.1 204 x",
    "HTTP/1.1 304 x", "HTTP/1.1 100 x", "HTTP/1.1 103 x", "HTTP/1.1 404 x", "HTTP/1.1 500 x",
    "HTTP/1.1 20 x", "HTTP/1.1 2000 x", "HTTP/1.2 200 x", "HTTP/1.1  200 x", "\r\nHTTP/1.1 200 x",
]  # fmt: skip
BODIES = [
    "", "hello", "abc", "5\r\nhello\r\n0\r\n\r\n", "3\r\nabc\r\n0\r\nA: b\r\n\r\n", "0\r\n\r\n",
    "5;x\r\nhello\r\n0\r\n\r\n", "05\r\nhello\r\n0\r\n\r\n", "5\nhello\r\n0\r\n\r\n",
    "5\r\nhello0\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n", "0\r\nContent-Length: 9\r\n\r\n",
    "0\r\n\r\nGET /x HTTP/1.1\r\nHost: a.test\r\n\r\n", "5\r\nhel", "fffffffffffffffff\r\n",
    "0\n\n", "\r\n", "GET /x HTTP/1.1\r\nHost: a.test\r\n\r\n",
]  # fmt: skip
PLAIN_FRAMING = ["", "Content-Length: 5", "Content-Length: 3", "Transfer-Encoding: chunked"]

fields = st.builds("{}:{}{}".format, st.sampled_from(NAMES), st.sampled_from(["", " "]),
                   st.sampled_from(VALUES))  # fmt: skip
ends = st.sampled_from(["\r\n"] * 20 + ["\n", "\r", "\r\r\n"])


@st.composite
def messages(draw: st.DrawFn, firsts: list[str], *, host: bool) -> str:
    """One message: mostly right, with a few odd places."""
    lines = [draw(st.sampled_from(firsts))]
    if host and draw(st.integers(0, 9)):
        lines.append("Host: a.test")
    framing = draw(st.sampled_from(PLAIN_FRAMING))
    lines += [framing] if framing else []
    lines += draw(st.lists(fields, max_size=2))
    text = "".join(line + draw(ends) for line in lines) + "\r\n"
    return text + draw(st.sampled_from(BODIES))


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Some requests, with perhaps one byte changed."""
    texts = draw(st.lists(messages(FIRSTS, host=True), min_size=1, max_size=3))
    data = bytearray("".join(texts).encode("latin-1"))
    if draw(st.integers(0, 3)) == 0:
        data[draw(st.integers(0, len(data) - 1))] = draw(
            st.sampled_from(list(b"\0\t\n\r :;,0a\xff"))
        )
    return bytes(data)


def assert_agreed(ours: Messages, theirs: Messages | None) -> None:
    """`theirs` may refuse, or not have come to the end; what both saw must be the same."""
    if theirs is None:
        return
    for mine, other in zip(ours, theirs, strict=False):
        assert mine.start == other.start
        assert mine.whole == other.whole
        assert mine.body == other.body or not mine.whole
    assert len(theirs) <= len(ours)


@THOROUGH
@given(streams())
@example(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\nPOST /a HTTP/1.1\r\nHost: a.test\r\n\r\n")
def test_requests_are_cut_as_others_cut_them(stream: bytes) -> None:
    ours = ours_requests(stream)
    if ours is not None:
        last_closes = ours and (b"lose" in stream or b"CONNECT" in stream)
        for oracle in (llhttp_requests, h11_requests):
            theirs = oracle(stream)
            # After `Connection: close` and CONNECT we read no more; others may still look.
            assert_agreed(ours, theirs[: len(ours)] if theirs and last_closes else theirs)


@THOROUGH
@given(messages(STATUSES, host=False), st.sampled_from(["GET", "HEAD", "POST"]))
def test_responses_are_cut_as_others_cut_them(text: str, method: str) -> None:
    stream = text.encode("latin-1")
    ours = ours_response(stream, method)
    if ours:
        assert_agreed(ours, h11_response(stream, method))
        assert_agreed(ours, llhttp_response(stream, method))


@pytest.mark.parametrize("framing", PLAIN_FRAMING)
@pytest.mark.parametrize("first", FIRSTS[:5])
def test_plain_requests_are_accepted_by_all(first: str, framing: str) -> None:
    body = {"Content-Length: 5": "hello", "Content-Length: 3": "abc"}.get(framing, "")
    body = "5\r\nhello\r\n0\r\n\r\n" if "chunked" in framing else body
    lines = [first, "Host: a.test", *([framing] if framing else []), "", body]
    one = "\r\n".join(lines).encode()
    ours = ours_requests(one * 2)
    assert ours is not None
    assert len(ours) == 2
    assert llhttp_requests(one * 2) == ours
    assert h11_requests(one * 2) == ours
