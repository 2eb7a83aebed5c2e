"""The ClientHello reader against real, cut and hostile bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.gateway.layers.tls import (
    MAX_HELLO_BYTES,
    ClientHello,
    HelloReader,
    Malformed,
    parse_client_hello,
)
from tests.gateway.hellos import (
    extension,
    hello,
    hello_body,
    message,
    real_hello,
    records,
    server_name,
    vector,
)

ECH = extension(0xFE0D, b"\0")


def read(data: bytes, piece: int = 1 << 20) -> ClientHello | Malformed | None:
    """Feed the bytes in pieces."""
    reader = HelloReader()
    result = None
    for at in range(0, len(data), piece):
        result = reader.feed(data[at : at + piece])
    return result


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
def test_a_real_clients_hello_is_read_in_any_pieces(piece: int) -> None:
    assert read(real_hello("a.test"), piece) == ClientHello("a.test", ech_present=False)
    assert read(real_hello(None), piece) == ClientHello("", ech_present=False)


@pytest.mark.parametrize("size", [1, 2, 5, 100, 16384])
def test_a_hello_in_many_records_is_read_whole(size: int) -> None:
    handshake = message(hello_body(server_name(b"a.test"), ECH))
    assert read(records(handshake, size), 3) == ClientHello("a.test", ech_present=True)


def test_sixty_four_kib_are_read_and_more_is_not() -> None:
    most = MAX_HELLO_BYTES - 4 - len(hello_body(extension(21, b"")))
    padded = message(hello_body(extension(21, bytes(most))))
    assert len(padded) == MAX_HELLO_BYTES
    assert read(records(padded)) == ClientHello("", ech_present=False)
    assert isinstance(read(records(message(hello_body() + bytes(MAX_HELLO_BYTES)))), Malformed)


@pytest.mark.parametrize("cut", range(0, 60, 7))
def test_a_hello_that_is_not_whole_is_no_result(cut: int) -> None:
    assert read(hello(b"a.test")[:cut]) is None


def test_the_old_esni_counts_as_ech() -> None:
    assert read(hello(b"a.test", extension(0xFFCE, b""))) == ClientHello("a.test", ech_present=True)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n",
        b"\x80\x2e\x01\x03\x01",  # SSL 2.0
        b"\x17\x03\x01\x00\x01a",  # application data first
        b"\x15\x03\x01\x00\x02\x01\x00",  # an alert
        b"\x16\x02\x01\x00\x01a",  # no version of TLS
        b"\x16\x03\x01\x00\x00",  # an empty record
        b"\x16\x03\x01\xff\xff",  # a record that is too long
        records(message(hello_body(), kind=2)),  # a ServerHello
        records(message(hello_body()) + b"\0"),  # bytes behind the message
        records(message(hello_body() + b"\0")),  # bytes behind the extensions
        records(message(hello_body()[:20])),
        records(message(hello_body(ECH, ECH))),  # an extension twice
        records(message(hello_body(server_name(b"a.test"), server_name(b"b.test")))),
        records(message(hello_body(server_name(b"")))),
        records(message(hello_body(server_name("ä.test".encode())))),
        records(message(hello_body(extension(0, b"")))),
        records(message(hello_body(extension(0, vector(2, b"\x01" + vector(2, b"a.test")))))),
        records(message(hello_body(extension(0, vector(2, (b"\0" + vector(2, b"a")) * 2))))),
        records(message(hello_body(extension(0, vector(2, b"\0" + vector(2, b"a")) + b"x")))),
        records(message(hello_body(b"\0\0\0\xff"))),
    ],
)
def test_what_cannot_be_read_without_a_guess_is_malformed(data: bytes) -> None:
    assert isinstance(read(data), Malformed)


def test_a_hello_without_extensions_is_a_hello() -> None:
    assert parse_client_hello(hello_body()[:-2]) == ClientHello("", ech_present=False)


def test_a_result_stays_whatever_follows() -> None:
    reader = HelloReader()
    assert reader.feed(hello(b"a.test")) == reader.feed(b"\x17\x03\x03 early data")


@given(st.binary(max_size=300))
def test_arbitrary_bytes_never_raise(data: bytes) -> None:
    assert not isinstance(parse_client_hello(data), HelloReader)
    read(data, 5)
    read(records(message(data)), 50)


@given(st.data(), st.binary(min_size=1, max_size=3))
def test_a_bent_hello_is_never_read_as_another_name(data: st.DataObject, bend: bytes) -> None:
    original = hello(b"allowed.test", ECH)
    at = data.draw(st.integers(0, len(original) - 1))
    bent = original[:at] + bend + original[at + len(bend) :]
    found = read(bent)
    if isinstance(found, ClientHello) and found.server_name:
        assert found.server_name.encode() in bent
