import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.gateway import store_wire as wire

_STORED = wire.Stored("a" * 64, "b" * 128, "c" * 40, 7, wire.Said("text/html", '"e"', "Mon"), 1.5)


@pytest.mark.parametrize(
    "message",
    [
        wire.Find(1, "npm.example", "/ms", "json", "0" * 64),
        wire.Find(2, "npm.example", "/ms", over=(1,)),
        wire.NeedRoom(1),
        wire.Keep(1, "a" * 64, wire.Said("text/html"), first_seen=True),
        wire.Validated(1),
        wire.Damaged(1),
        wire.Drop(1),
    ],
)
def test_what_the_gateway_says_arrives(message: wire.ToStore) -> None:
    assert wire.decode_for_store(wire.encode(message)) == message


@pytest.mark.parametrize(
    "message",
    [
        wire.Found(1),
        wire.Found(1, _STORED, "a" * 64),
        wire.Room(1),
        wire.Kept(1),
        wire.Failed(1, "full"),
    ],
)
def test_what_the_daemon_says_arrives(message: wire.ToGateway) -> None:
    assert wire.decode_for_gateway(wire.encode(message)) == message


def test_a_giant_is_not_sent() -> None:
    with pytest.raises(wire.PacketError, match="70"):
        wire.encode(wire.Failed(1, "x" * 70_000))


def test_one_of_several_digests_is_enough() -> None:
    assert _STORED.has_any(("sha512:" + "b" * 128,))
    assert not _STORED.has_any(("sha512:" + "a" * 64,))
    assert not _STORED.has_any(())


@given(st.one_of(st.binary(max_size=100), st.just(b'{"type":' + b'{"a":' * 5000)))
def test_what_is_no_message_is_said(packet: bytes) -> None:
    for decode in (wire.decode_for_store, wire.decode_for_gateway):
        with pytest.raises(wire.PacketError):
            decode(packet)
