"""What first bytes look like."""

import pytest

from cleanroom.gateway.layers.peek import Speech, classify, sniff


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (b"", None),
        (b"\x16", Speech.TLS),
        (b"GET /", Speech.HTTP),
        (b"M-SEARCH * HTTP/1.1", Speech.HTTP),
        (b"GE", None),
        (b"A" * 24, None),
        (b"A" * 25, Speech.OTHER),
        (b" GET /", Speech.OTHER),
        (b"get /", Speech.OTHER),
        (b"\r\nGET /", Speech.OTHER),
        (b"-GET /", Speech.OTHER),
        (b"SSH-2.0-x\r\n", Speech.OTHER),
        (b"PING\r\n", Speech.OTHER),
        (b"*1\r\n$4\r\nPING\r\n", Speech.OTHER),
        (b"\x80\x2e\x01", Speech.OTHER),
        (b"\x00", Speech.OTHER),
    ],
)
def test_on_a_strict_port_everything_is_something(first: bytes, expected: Speech | None) -> None:
    assert classify(first) is expected


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (b"\x16\x03\x01", Speech.TLS),
        (b"\x16", Speech.TLS),
        (b"\x16\x00", Speech.OTHER),
        (b"GET / HTTP/1.1\r\n", Speech.HTTP),
        (b"get http://a.test/ HTTP/1.1\r\n", Speech.HTTP),
        (b"OPTIONS * HTTP/1.1\r\n", Speech.HTTP),
        (b"CONNECT a.test:443 HTTP/1.1\r\n", Speech.HTTP),
        (b"GET key\r\n", Speech.OTHER),  # Redis
        (b"EHLO me\r\n", Speech.OTHER),
        (b"USER me\r\n", Speech.OTHER),
        (b"SSH-2.0-x\r\n", Speech.OTHER),
        (b"G", Speech.OTHER),
    ],
)
def test_on_other_ports_only_tls_and_http_clients_are_told_apart(
    first: bytes, expected: Speech
) -> None:
    assert sniff(first) is expected
