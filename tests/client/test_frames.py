"""Frames of an attached connection; the other side of the talk is written out here."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.client import frames
from cleanroom.client.frames import (
    BINARY,
    LOCAL_MASK,
    PING,
    TEXT,
    FrameReader,
    Message,
    frame_bytes,
)
from cleanroom.errors import Fault

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3


def served(opcode: int, data: bytes, *, final: bool = True) -> bytes:
    """Return a frame as a server sends it: without a mask."""
    size = len(data)
    length = (
        bytes([size])
        if size < 126
        else b"\x7e" + size.to_bytes(2, "big")
        if size < 65536
        else b"\x7f" + size.to_bytes(8, "big")
    )
    return bytes([(0x80 if final else 0) | opcode]) + length + data


def unmasked(frame: bytes) -> bytes:
    """Return the payload of a client's frame, by the definition of section 5.3."""
    skip = {126: 4, 127: 10}.get(frame[1] & 0x7F, 2)
    mask, data = frame[skip : skip + 4], frame[skip + 4 :]
    return bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))


def test_the_two_halves_of_the_handshake_belong_together() -> None:
    key = frames.HANDSHAKE["Sec-WebSocket-Key"]
    digest = hashlib.sha1((key + GUID).encode(), usedforsecurity=False).digest()
    assert len(base64.b64decode(key)) == 16
    assert base64.b64encode(digest).decode() == frames.HANDSHAKE_ACCEPT


@pytest.mark.parametrize("size", [0, 1, 3, 125, 126, 65535, 65536])
@pytest.mark.parametrize("mask", [LOCAL_MASK, b"\x01\x02\x03\x04"])
def test_what_is_sent_is_masked_and_whole(size: int, mask: bytes) -> None:
    data = bytes(index % 251 for index in range(size))
    frame = frame_bytes(BINARY, data, mask)
    assert frame[0] == 0x82
    assert frame[1] & 0x80
    assert unmasked(frame) == data


@given(st.lists(st.binary(max_size=300), max_size=5), st.integers(1, 50))
def test_where_the_bytes_are_cut_makes_no_difference(datas: list[bytes], step: int) -> None:
    reader = FrameReader()
    stream = b"".join(served(BINARY, data) for data in datas)
    pieces = (stream[start : start + step] for start in range(0, len(stream), step))
    got = [message for piece in pieces for message in reader.feed(piece)]
    assert got == [Message(BINARY, data) for data in datas]


def test_large_messages_arrive() -> None:
    data = b"x" * 70_000
    assert FrameReader().feed(served(BINARY, data)) == [Message(BINARY, data)]


def test_a_message_in_parts_is_joined_around_a_ping() -> None:
    stream = (
        served(TEXT, b"a", final=False)
        + served(PING, b"p")
        + served(0, b"b", final=False)
        + served(0, b"c")
        + served(TEXT, b"d")
    )
    assert FrameReader().feed(stream) == [
        Message(PING, b"p"),
        Message(TEXT, b"abc"),
        Message(TEXT, b"d"),
    ]


@pytest.mark.parametrize(
    "stream",
    [
        b"\xc2\x00",  # a reserved bit
        b"\x83\x00",  # an unknown opcode
        b"\x82\x81\0\0\0\0x",  # a server must not mask
        served(0, b"x"),  # goes on with nothing
        served(TEXT, b"x", final=False) + served(TEXT, b"y"),
        served(PING, b"x", final=False),
        served(PING, b"x" * 126),
        b"\x82\x7f" + (1 << 40).to_bytes(8, "big"),
    ],
)
def test_what_a_server_must_not_send_is_a_fault(stream: bytes) -> None:
    with pytest.raises(Fault):
        FrameReader().feed(stream)


def test_a_message_in_parts_is_bounded_too() -> None:
    reader = FrameReader()
    part = served(0, b"x" * 4_000_000, final=False)
    reader.feed(served(TEXT, b"", final=False) + part * 4)
    with pytest.raises(Fault, match="too long"):
        reader.feed(part)


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_whatever_comes_only_a_fault_is_raised(pieces: list[bytes]) -> None:
    reader = FrameReader()
    try:
        for piece in pieces:
            for message in reader.feed(piece):
                assert message.opcode in (TEXT, BINARY, 8, PING, 10)
    except Fault:
        pass
