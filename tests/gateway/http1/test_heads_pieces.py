"""Heads that arrive in pieces, never end, or cannot become heads."""

from itertools import pairwise
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.gateway.http1.heads import MAX_HEAD, HeadReader, MalformedError, parse_request


def read_slowly(stream: bytes, step: int) -> None:
    reader = HeadReader(responses=False)
    for start in range(0, len(stream), step):
        reader.read(stream[start : start + step])


HEAD = b"GET /a HTTP/1.1\r\nHost: a.test\r\nX: y\r\n\r\n"


@given(st.lists(st.integers(0, 2 * len(HEAD)), max_size=6))
def test_pieces_make_the_same_heads(cuts: list[int]) -> None:
    stream = HEAD + HEAD
    places = sorted({0, len(stream), *cuts})
    reader = HeadReader(responses=False)
    heads = []
    for start, end in pairwise(places):
        piece, at = stream[start:end], 0
        while at < len(piece):
            head, at = reader.read(piece, at)
            if head is not None:
                heads.append(head)
    assert heads == [HEAD, HEAD]
    assert reader.is_empty


def test_a_head_ends_where_its_piece_goes_on() -> None:
    reader = HeadReader(responses=False)
    assert reader.read(b"xx" + HEAD + b"body", 2) == (HEAD, 2 + len(HEAD))
    assert reader.read(HEAD[:-1]) == (None, len(HEAD) - 1)
    assert not reader.is_empty
    assert reader.read(b"\nbody") == (HEAD, 1)


@pytest.mark.parametrize(
    "begin",
    [
        b"\r\n",
        b"\n",
        b" ",
        b"\x16\x03\x01",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"GET / HTTP/1.1\n",
        b"GET / HTTP/1.1\r\nHost: a\n\n",
        b"GET / HTTP/1.1\rX",
        b"\0",
        b"G" * 33,
        b"\xff\xff",
    ],
)
def test_what_cannot_become_a_request_is_refused_before_it_ends(begin: bytes) -> None:
    with pytest.raises(MalformedError):
        HeadReader(responses=False).read(begin)
    with pytest.raises(MalformedError):
        read_slowly(begin, 1)


@pytest.mark.parametrize("begin", [b"SSH-2.0", b"\0", b"HTTP/2 ", b"\r\n", b"HTTP/1.1 200\nX"])
def test_what_cannot_become_an_answer_is_refused_before_it_ends(begin: bytes) -> None:
    with pytest.raises(MalformedError):
        HeadReader(responses=True).read(begin)


def test_the_beginning_of_an_answer_is_waited_for() -> None:
    reader = HeadReader(responses=True)
    for byte in b"HTTP/1.1 200 OK\r\nX: y\r\n\r":
        assert reader.read(bytes([byte]))[0] is None
    assert reader.read(b"\n")[0] == b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n"


@pytest.mark.parametrize("step", [1000, MAX_HEAD * 2])
def test_a_head_without_end_is_refused_at_the_limit(step: int) -> None:
    stream = b"GET / HTTP/1.1\r\nX: " + b"y" * MAX_HEAD
    with pytest.raises(MalformedError, match="longer than 65536"):
        read_slowly(stream, step)


def test_a_whole_head_over_the_limit_is_refused_in_one_piece_too() -> None:
    fill = b"y" * (MAX_HEAD - 22)
    largest = b"GET / HTTP/1.1\r\nX:" + fill + b"\r\n\r\n"
    assert len(largest) == MAX_HEAD
    assert HeadReader(responses=False).read(largest)[0] == largest
    with pytest.raises(MalformedError, match="longer than 65536"):
        HeadReader(responses=False).read(largest[:20] + b"y" + largest[20:])


@pytest.mark.nightly
def test_thirty_thousand_requests_a_second_of_processor_time() -> None:
    fields = b"Host: a.test\r\nUser-Agent: x\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate\r\n"
    head = b"GET /a HTTP/1.1\r\n" + fields + b"Connection: keep-alive\r\n\r\n"
    reader = HeadReader(responses=False)
    begin_s = process_time()
    for _ in range(3000):
        whole, _ = reader.read(head)
        assert whole is not None
        parse_request(whole)
    assert 3000 / (process_time() - begin_s) > 30_000
