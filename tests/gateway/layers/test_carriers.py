"""Bodies on their way, in any pieces: see test_bound.py for the conversations around them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.decide.model import Deny
from cleanroom.decide.secret import Finder, SecretRef, Spot, Use
from cleanroom.gateway.http1.bodies import ChunkedBody, LengthBody, Spans
from cleanroom.gateway.layers.carriers import (
    Carrier,
    Chunking,
    Held,
    Swapping,
    Verbatim,
    Watching,
    framed,
)
from tests.gateway.secret_talk import PLACEHOLDER, REF, VALUE

USE = Use(Spot.FORM, "a.test", 443, True, "POST", "/")  # noqa: FBT003
FOUND = Finder([REF])
HOLDS = PLACEHOLDER.encode()


def swapping() -> Swapping:
    def value_of(ref: SecretRef, use: Use) -> bytes | Deny:
        assert (ref, use) == (REF, USE)
        return VALUE

    return Swapping(FOUND, USE, value_of)


def carry(carrier: Carrier, body: bytes, cuts: list[int]) -> bytes | Deny:
    """Have a body of known length carried in pieces."""
    reader = LengthBody(len(body))
    sent = b""
    for start, end in pairwise(sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})):
        spans: Spans = []
        reader.read(body[start:end], 0, spans)
        carried = carrier.carry(body[start:end], 0, end - start, spans, done=reader.done)
        if isinstance(carried, Deny):
            return carried
        sent += carried
    return sent


CUTS = st.lists(st.integers(0, 200), max_size=12)
WORDS = st.lists(st.sampled_from([HOLDS, HOLDS[:9], HOLDS[9:], b"x", b"a=b&"]), max_size=6)


@given(WORDS, CUTS)
def test_a_held_body_is_swapped_whole(words: list[bytes], cuts: list[int]) -> None:
    body = b"".join(words) + b"."
    real = body.replace(HOLDS, VALUE)
    sent = carry(Held(swapping(), b"POST / HTTP/1.1\r\n\r\n"), body, cuts)
    assert sent == b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(real), real)


@given(WORDS, CUTS)
def test_one_in_chunks_is_swapped_as_it_comes(words: list[bytes], cuts: list[int]) -> None:
    body = b"".join(words) + b"."
    sent = carry(Chunking(swapping()), body, cuts)
    assert isinstance(sent, bytes)
    reader = ChunkedBody()
    spans: Spans = []
    assert reader.read(sent, 0, spans) == len(sent)
    assert reader.done
    assert b"".join(sent[a:b] for a, b in spans) == body.replace(HOLDS, VALUE)


@given(WORDS, CUTS)
def test_a_watched_body_is_as_it_came_or_refused(words: list[bytes], cuts: list[int]) -> None:
    body = b"".join(words) + b"."
    sent = carry(Watching(FOUND, USE), body, cuts)
    assert isinstance(sent, Deny) if HOLDS in body else sent == body


@pytest.mark.parametrize("cut", range(1, len(HOLDS) * 2))
def test_utf16_is_seen_across_a_border(cut: int) -> None:
    body = PLACEHOLDER.encode("utf-16-le")
    assert isinstance(carry(Watching(FOUND, USE), body, [cut]), Deny)


def test_without_placeholders_nothing_is_kept() -> None:
    watching = Watching(Finder(()), USE)
    assert carry(watching, b"x" * 100, [5]) == b"x" * 100
    assert watching._payload._seen == b""
    assert carry(Verbatim(), b"x", []) == b"x"


def test_an_empty_piece_is_no_chunk_for_it_would_be_the_last() -> None:
    assert framed(b"", done=False) == b""
    assert framed(b"", done=True) == b"0\r\n\r\n"
    assert framed(b"ab", done=True) == b"2\r\nab\r\n0\r\n\r\n"
