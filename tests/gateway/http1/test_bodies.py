"""Bodies: where each ends, to the byte, in pieces of any size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.gateway.http1.bodies import (
    MAX_TRAILERS,
    Body,
    ChunkedBody,
    CloseBody,
    LengthBody,
    Spans,
    body_of,
)
from cleanroom.gateway.http1.heads import Delimiter, Framing, MalformedError


def feed(body: Body, stream: bytes, step: int = 1 << 20) -> tuple[bytes, int]:
    """Return the payload and how many bytes of `stream` belong to the body."""
    payload, at = b"", 0
    while at < len(stream) and not body.done:
        piece = stream[at : at + step]
        spans: Spans = []
        end = body.read(piece, 0, spans)
        payload += b"".join(piece[start:stop] for start, stop in spans)
        at += end
        assert end == len(piece) or body.done
    return payload, at


def test_each_framing_has_its_reader() -> None:
    assert isinstance(body_of(Framing(Delimiter.LENGTH, 3)), LengthBody)
    assert isinstance(body_of(Framing(Delimiter.CHUNKED)), ChunkedBody)
    assert isinstance(body_of(Framing(Delimiter.CLOSE)), CloseBody)


def test_a_length_ends_the_body() -> None:
    body = LengthBody(5)
    assert feed(body, b"helloNEXT", 2) == (b"hello", 5)
    assert body.done
    assert body.close()
    assert LengthBody(0).done


def test_a_cut_body_is_not_whole() -> None:
    for body in (LengthBody(5), ChunkedBody()):
        body.read(b"5\r\n", 0)
        assert not body.close()


def test_the_connection_ends_the_body() -> None:
    body = CloseBody()
    assert feed(body, b"anything", 3) == (b"anything", 8)
    assert not body.done
    assert body.close()
    assert body.done


def test_payload_is_only_collected_when_wanted() -> None:
    assert LengthBody(5).read(b"xxhello", 2) == 7
    assert CloseBody().read(b"hello", 5) == 5
    assert ChunkedBody().read(b"3\r\nabc\r\n0\r\n\r\nX", 0) == 13
    spans: Spans = []
    CloseBody().read(b"hello", 5, spans)
    LengthBody(3).read(b"hello", 5, spans)
    assert spans == []


GOOD = [
    (b"0\r\n\r\n", b""),
    (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
    (b"005\r\nhello\r\n000\r\n\r\n", b"hello"),
    (b"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", b"0123456789" * 2),
    (b"2\r\n\r\n\r\n0\r\n\r\n", b"\r\n"),
    (b"1\r\nx\r\n0\r\nA: b\r\nC: d\r\n\r\n", b"x"),
]


@pytest.mark.parametrize(("stream", "payload"), GOOD)
@pytest.mark.parametrize("step", [1, 2, 3, 1000])
def test_chunks_are_followed_to_their_end(stream: bytes, payload: bytes, step: int) -> None:
    body = ChunkedBody()
    assert feed(body, stream + b"NEXT", step) == (payload, len(stream))
    assert body.done
    assert body.close()


@pytest.mark.parametrize(
    "stream",
    [
        b"\r\n",
        b"\n",
        b"x\r\n",
        b"+5\r\nhello\r\n",
        b"-5\r\n",
        b"0x5\r\nhello\r\n",
        b"5_0\r\n",
        b" 5\r\nhello\r\n",
        b"5 \r\nhello\r\n",
        b"5\t\r\nhello\r\n",
        b"5;ext\r\nhello\r\n",
        b"5;ext=1\r\nhello\r\n",
        b"5;\n\r\nhello\r\n",
        b"5\nhello\r\n",
        b"5\rhello\r\n",
        b"5\r\r\n",
        b"0000000000005\r\n",
        b"fffffffffffff\r\n",
        b"5\r\nhelloX\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello\rX",
        b"5\r\nhello0\r\n\r\n",
        b"\xb2\r\n",
        b"0\r\nContent-Length: 5\r\n\r\n",
        b"0\r\nHost: evil.test\r\n\r\n",
        b"0\r\nbad line\r\n\r\n",
        b"0\r\nA: b\n\r\n\r\n",
        b"0\r\n\rX\r\n\r\n",
        b"0\r\nA: " + b"b" * MAX_TRAILERS,
    ],
)
@pytest.mark.parametrize("step", [1, 4, 1 << 20])
def test_a_faulty_chunk_is_refused(stream: bytes, step: int) -> None:
    with pytest.raises(MalformedError):
        feed(ChunkedBody(), stream, step)


@pytest.mark.parametrize(
    "stream",
    [
        b"\r",
        b"0\r\n\n",
        b"0\r\nA: b\n",
        b"0\r\nA: b\r\n\n\r",
        b"0\r\n A: b",
        b"0\r\nA: b\r\n ",
        b"0\r\nA\r",
        b"0\r\nA: \0",
        b"0\r\nContent-Length:",
        b"0\r\nA: b\r\nHost: a\r",
    ],
)
@pytest.mark.parametrize("step", [1, 1 << 20])
def test_a_faulty_chunk_is_refused_before_it_ends(stream: bytes, step: int) -> None:
    with pytest.raises(MalformedError):
        feed(ChunkedBody(), stream, step)


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), st.integers(1, 20))
def test_any_chunks_in_any_pieces_give_their_payload(chunks: list[bytes], step: int) -> None:
    stream = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    assert feed(ChunkedBody(), stream + b"GET", step) == (b"".join(chunks), len(stream))


@given(st.binary(max_size=60), st.integers(1, 7))
def test_pieces_never_change_the_reading(stream: bytes, step: int) -> None:
    def outcome(by: int) -> object:
        body = ChunkedBody()
        try:
            return (*feed(body, stream, by), body.done)
        except MalformedError:
            return "refused"

    assert outcome(step) == outcome(1 << 20)
