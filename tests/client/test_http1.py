"""Answers of the daemon as bytes, in every cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.client.http1 import HEAD_LIMIT, ResponseReader, request_bytes
from cleanroom.errors import Fault

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: 1\r\n\r\n"
)


def read(*pieces: bytes) -> tuple[ResponseReader, bytes]:
    reader = ResponseReader()
    return reader, b"".join(reader.feed(piece) for piece in pieces)


def test_a_request_has_its_length() -> None:
    assert request_bytes("POST", "/v1/runs", {"Accept": "a/b"}, b"{}") == (
        b"POST /v1/runs HTTP/1.1\r\nHost: cleanroom\r\nAccept: a/b\r\nContent-Length: 2\r\n\r\n{}"
    )


def test_a_get_has_no_body() -> None:
    assert request_bytes("GET", "/", {}) == b"GET / HTTP/1.1\r\nHost: cleanroom\r\n\r\n"


def test_a_post_without_a_body_says_so() -> None:
    assert b"Content-Length: 0\r\n" in request_bytes("POST", "/", {})


@given(st.sampled_from([PLAIN, CHUNKED]), st.lists(st.integers(0, 120), max_size=8))
def test_where_the_bytes_are_cut_makes_no_difference(answer: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(answer)}), len(answer)]
    reader, body = read(*(answer[a:b] for a, b in pairwise(edges)))
    assert body == b"hello"
    assert reader.ended
    assert reader.head is not None
    assert reader.head.status == 200


def test_an_upgrade_leaves_the_rest() -> None:
    reader, body = read(b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n\x82\x01x")
    assert reader.ended
    assert body == b""
    assert reader.rest() == b"\x82\x01x"


def test_an_empty_body_ends_with_its_head() -> None:
    assert read(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")[0].ended


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 two OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",  # no length
        b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nnocolon\r\n\r\n",
        "HTTP/1.1 ²00 OK\r\n\r\n".encode("latin-1"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1_0\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 2000,
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * HEAD_LIMIT,
    ],
)
def test_a_malformed_answer_is_a_fault(answer: bytes) -> None:
    with pytest.raises(Fault, match="cannot read the daemon's answer"):
        read(answer)


@pytest.mark.parametrize("whole", [PLAIN, CHUNKED])
def test_an_answer_that_ends_too_early_is_a_fault(whole: bytes) -> None:
    reader, _ = read(whole[:-1])
    with pytest.raises(Fault, match="ended too early"):
        reader.feed(b"")


@given(
    st.sampled_from([b"", PLAIN[:40], CHUNKED[:48], CHUNKED[:52]]),
    st.lists(st.binary(max_size=40), max_size=6),
)
def test_whatever_comes_only_a_fault_is_raised(beginning: bytes, pieces: list[bytes]) -> None:
    reader = ResponseReader()
    try:
        for piece in (beginning, *pieces):
            if piece and not reader.ended:
                reader.feed(piece)
    except Fault:
        pass
