"""One end of opened TLS, on bytes."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.gateway.layers.tls_session import TlsError, TlsSession
from tests.gateway.certificates import authority, client, connect, server


def pair() -> tuple[TlsSession, TlsSession]:
    """Return a client's and a server's session, connected."""
    one, other = TlsSession(client(authority("a.test")), "a.test"), TlsSession(server("a.test"))
    connect(one, other)
    return one, other


def test_bytes_arrive_whole_and_in_order() -> None:
    one, other = pair()
    data = bytes(range(256)) * 1000
    other.feed(one.write(data[:1]) + one.write(b"") + one.write(data[1:]))
    assert other.read() == data
    assert other.read() == b""
    assert not other.is_ended


def test_an_end_that_was_said_is_no_torn_one() -> None:
    one, other = pair()
    other.feed(one.write(b"last"))
    other.feed(one.end())
    assert other.read() == b"last"
    assert (other.is_ended, other.is_torn) == (True, False)
    assert other.write(b"still")  # the other direction goes on


def test_an_end_that_was_not_said_is_torn() -> None:
    one, other = pair()
    other.feed(one.write(b"last"))
    other.feed(None)
    assert other.read() == b"last"
    assert (other.is_ended, other.is_torn) == (True, True)


def test_bytes_changed_on_the_wire_are_an_error() -> None:
    one, other = pair()
    wire = bytearray(one.write(b"hello"))
    wire[-1] ^= 1
    other.feed(bytes(wire))
    with pytest.raises(TlsError):
        other.read()


def test_an_end_within_the_handshake_is_an_error() -> None:
    session = TlsSession(server("a.test"))
    assert not session.handshake()
    session.feed(None)
    with pytest.raises(TlsError, match="ended within the handshake"):
        session.handshake()


def test_nothing_is_written_before_the_handshake() -> None:
    with pytest.raises(TlsError):
        TlsSession(server("a.test")).write(b"early")


@given(st.binary(min_size=1, max_size=60))
def test_any_bytes_are_an_error_or_not_enough(data: bytes) -> None:
    session = TlsSession(server("a.test"))
    session.feed(data)
    with contextlib.suppress(TlsError):
        assert not session.handshake()
