"""Asking a proxy for a tunnel."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.gateway.layers.connect import ConnectReader, Granted, Refused, encode_connect


def test_the_request_names_the_target_twice() -> None:
    assert encode_connect("a.test", 443) == (
        b"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n"
    )
    assert encode_connect("2001:db8::1", 22).startswith(b"CONNECT [2001:db8::1]:22 HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 200 Connection established\r\n\r\n", b"HTTP/1.0 200\r\nVia: x\r\n\r\n"],
)
def test_a_tunnel_is_granted_by_any_2xx(answer: bytes) -> None:
    reader = ConnectReader()
    for at in range(len(answer) - 1):
        assert reader.feed(answer[at : at + 1]) is None
    assert reader.feed(answer[-1:]) == Granted()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "407"),
        (b"HTTP/1.1 600 x\r\n\r\n", "no HTTP"),
        (b"SSH-2.0-x\r\n\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\n\r\nmore", "behind"),
        (b"HTTP/1.1 200 OK\r\n\r\n\r\n\r\n", "behind"),
        (b"x" * 20_000, "too long"),
    ],
)
def test_everything_else_is_a_refusal_with_its_reason(answer: bytes, why: str) -> None:
    refused = ConnectReader().feed(answer)
    assert isinstance(refused, Refused)
    assert why in refused.why


@given(st.binary(min_size=1, max_size=100))
def test_hostile_answers_never_raise(data: bytes) -> None:
    assert not isinstance(ConnectReader().feed(data + b"\r\n\r\n"), type(None))
