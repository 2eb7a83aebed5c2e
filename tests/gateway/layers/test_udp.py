"""Refused datagrams."""

from cleanroom.events import Protocol
from cleanroom.gateway.layers.udp import refuse_datagram


def test_a_refusal_says_where_it_went_and_what_to_do() -> None:
    event = refuse_datagram("a.test", "198.18.0.16", 443)
    assert (event.name, event.address, event.port) == ("a.test", "198.18.0.16", 443)
    assert (event.allowed, event.code, event.protocol) == (
        False, "protocol_not_allowed", Protocol.UDP,
    )  # fmt: skip
    assert "QUIC" in event.reason
    assert "QUIC" not in refuse_datagram("", "203.0.113.1", 123).reason
