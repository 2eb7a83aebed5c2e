"""Responses of our own: whole, and printable whatever goes in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.gateway.http1.write import answer_head, encode_response, printable
from tests.gateway.http1.oracles import Seen, h11_reads, llhttp_reads, ours


def test_a_response_is_whole_and_ends_its_connection() -> None:
    assert encode_response(403, "no", (("A", "b"),), b"body", head_only=False) == (
        b"HTTP/1.1 403 no\r\nA: b\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody"
    )


def test_to_head_only_the_head_is_sent() -> None:
    data = encode_response(403, "no", (), b"body", head_only=True)
    assert data.endswith(b"Content-Length: 4\r\nConnection: close\r\n\r\n")


@given(st.text(), st.text(), st.binary(max_size=50))
def test_no_text_breaks_out_of_its_place(reason: str, value: str, body: bytes) -> None:
    data = encode_response(403, reason, (("A", value),), body, head_only=False)
    expected = (Seen("403", body, whole=True),)
    assert ours([data], "GET").messages == expected
    assert llhttp_reads(data, "GET") == expected
    assert h11_reads(data, "GET") == expected
    head = data.removesuffix(body)
    assert all(byte in b"\r\n" or 0x20 <= byte <= 0x7E for byte in head)
    assert head.count(b"\r\n") == 5


def test_texts_are_bounded() -> None:
    assert printable("ä\r\nb") == "???b"
    assert printable("x" * 9, 4) == "xxxx"


@pytest.mark.parametrize(
    ("status", "line"),
    [(206, b"206 Partial Content"), (503, b"503 Service Unavailable"), (599, b"599 Answer")],
)
def test_a_status_is_said_in_words(status: int, line: bytes) -> None:
    head = answer_head(status, (), 0, is_chunked=False, is_last=False)
    assert head == b"HTTP/1.1 " + line + b"\r\ncontent-length: 0\r\n\r\n"
