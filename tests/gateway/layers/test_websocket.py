"""WebSockets at hosts of secrets: the handshake is swapped, what follows is searched both ways."""

import random

import pytest

from cleanroom.decide.echo import Scrubber
from cleanroom.decide.model import Deny
from cleanroom.gateway.http1.heads import MalformedError, parse_request
from cleanroom.gateway.layers.websocket import (
    FrameReader,
    WebSocket,
    accepts,
    expected_accept,
    framed,
)
from cleanroom.gateway.wire import Abort, Ended, Expired, Finish
from tests.gateway.secret_talk import GET, PLACEHOLDER, VALUE, Keys, SecretTalk, keys
from tests.gateway.talk import SANDBOX, UPSTREAM, Talk

KEY, ACCEPT = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455 section 1.3
ASK = f"{GET}\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 13"
ASK += f"\nSec-WebSocket-Key: {KEY}"
WITH = f"{ASK}\nSec-WebSocket-Extensions: permessage-deflate\nAuthorization: Bearer $"
TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9


def switch(*more: str, accept: str = ACCEPT) -> bytes:
    lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
    return "\r\n".join([*lines, f"Sec-WebSocket-Accept: {accept}", *more, "", ""]).encode()


def masked(opcode: int, payload: bytes, *, is_final: bool = True, mask: bytes = b"abcd") -> bytes:
    """Return a frame of a client."""
    plain = framed(opcode, payload, is_final=is_final)
    head = plain[: len(plain) - len(payload)]
    hidden = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
    return bytes((head[0], head[1] | 0x80)) + head[2:] + mask + hidden


def opened(keyring: Keys | None = None) -> SecretTalk:
    """Return a connection that has switched."""
    talk = SecretTalk(keyring)
    talk.request(WITH)
    talk.answer(switch())
    return talk


def messages(data: bytes) -> list[tuple[int, bytes]]:
    """Read a server's frames as a client does: whole messages and control frames."""
    found: list[tuple[int, bytes]] = []
    kind, text, control = 0, b"", b""
    for piece in FrameReader(masked=False).feed(data):
        if piece.opcode >= CLOSE:
            control += piece.payload
            if piece.ends:
                found.append((piece.opcode, control))
                control = b""
            continue
        kind, text = piece.opcode or kind, text + piece.payload
        if piece.is_final and piece.ends:
            found.append((kind, text))
            text = b""
    return found


def test_the_handshake_has_the_value_and_asks_for_no_extension() -> None:
    talk = SecretTalk()
    sent = talk.request(WITH)
    assert b"Authorization: Bearer " + VALUE in sent
    assert b"Extensions" not in sent
    assert b"Upgrade: websocket" in sent
    assert talk.answer(switch(f"X-Said: {VALUE.decode()}")) == switch(f"X-Said: {PLACEHOLDER}")
    assert talk.codes == [""]


def test_frames_pass_both_ways_and_the_connection_ends_with_either_side() -> None:
    talk = opened()
    frames = masked(TEXT, b"hello") + masked(PING, b"") + masked(BINARY, b"x" * 70_000)
    before = len(talk.sent(UPSTREAM))
    talk.asks(frames)
    assert talk.sent(UPSTREAM)[before:] == frames
    assert talk.answer(framed(TEXT, b"hi", is_final=True)) == framed(TEXT, b"hi", is_final=True)
    assert talk.take(Expired()) == []
    assert talk.take(Ended(SANDBOX, torn=False)) == [Finish()]


def test_what_comes_with_the_answer_is_the_first_frame() -> None:
    talk = SecretTalk()
    talk.request(WITH)
    frame = framed(TEXT, b"at once", is_final=True)
    assert talk.answer(switch() + frame) == switch() + frame


@pytest.mark.parametrize("piece", [1, 3, 1 << 20])
def test_a_value_in_a_message_becomes_the_placeholder(piece: int) -> None:
    socket = WebSocket(keys())
    big = b"y" * (300 if piece < 10 else 70_000) + VALUE
    data = (
        framed(TEXT, b"a " + VALUE[:5], is_final=False)
        + framed(PING, b"?", is_final=True)
        + framed(0, VALUE[5:] + b" b", is_final=False)
        + framed(0, b"", is_final=True)
        + framed(BINARY, big, is_final=True)
        + framed(TEXT, b"", is_final=True)
    )
    answers = [socket.back(data[at : at + piece]) for at in range(0, len(data), piece)]
    got = b"".join(each for each in answers if isinstance(each, bytes))
    holder = PLACEHOLDER.encode()
    assert sorted(messages(got)) == sorted(
        [
            (PING, b"?"),
            (TEXT, b"a " + holder + b" b"),
            (BINARY, big.replace(VALUE, holder)),
            (TEXT, b""),
        ]
    )
    assert VALUE not in got


def test_tiny_parts_that_come_together_are_searched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[int] = []
    feed = Scrubber.feed

    def counted(self: Scrubber, data: bytes) -> bytes:
        searched.append(len(data))
        return feed(self, data)

    monkeypatch.setattr(Scrubber, "feed", counted)
    parts = b"".join(framed(0, b"x", is_final=False) + b"\x89\x00" for _ in range(500))
    came = opened().answer(
        framed(TEXT, b"", is_final=False) + parts + framed(0, b"y", is_final=True)
    )
    assert searched == [501]
    assert messages(came)[-1] == (TEXT, b"x" * 500 + b"y")


def test_a_control_frame_with_a_value_cuts_the_connection() -> None:
    talk = opened()
    assert talk.answer(framed(CLOSE, b"\x03\xe8" + VALUE, is_final=True)) == b""
    assert talk.commands[-1] == Abort()
    assert talk.codes[-1] == "secret_scope_violation"


@pytest.mark.parametrize("cut", [0, 9])
def test_a_placeholder_in_a_message_is_a_violation(cut: int) -> None:
    talk = opened()
    holder = PLACEHOLDER.encode()
    talk.asks(masked(TEXT, b"token " + holder[:cut], is_final=False))
    talk.asks(masked(0, holder[cut:]))
    assert talk.commands[-1] == Abort()
    assert talk.codes[-1] == "secret_scope_violation"
    assert "in a message of a WebSocket" in talk.reports[-1].reason


def test_a_ping_between_its_parts_does_not_hide_a_placeholder() -> None:
    talk = opened()
    holder = PLACEHOLDER.encode()
    talk.asks(masked(TEXT, holder[:9], is_final=False) + masked(PING, b"?"))
    talk.asks(masked(0, holder[9:]))
    assert talk.commands[-1] == Abort()
    assert talk.codes[-1] == "secret_scope_violation"


MESSES = {
    "a mask of its own": (UPSTREAM, masked(TEXT, b"x")),
    "no mask": (SANDBOX, framed(TEXT, b"x", is_final=True)),
    "a reserved bit": (UPSTREAM, b"\xc1\x00"),
    "an unknown kind": (UPSTREAM, b"\x83\x00"),
    "a continuation of nothing": (UPSTREAM, b"\x80\x00"),
    "a message within a message": (UPSTREAM, b"\x01\x00\x81\x00"),
    "a long ping": (UPSTREAM, framed(PING, b"x" * 126, is_final=True)),
    "a ping in parts": (UPSTREAM, b"\x09\x00"),
    "a negative length": (UPSTREAM, b"\x81\x7f" + b"\xff" * 8),
}


@pytest.mark.parametrize("mess", MESSES)
def test_what_is_no_frame_cuts_the_connection(mess: str) -> None:
    side, data = MESSES[mess]
    talk = opened()
    before = len(talk.sent(SANDBOX)), len(talk.sent(UPSTREAM))
    _ = talk.asks(data) if side is SANDBOX else talk.answers(data)
    assert talk.commands[-1] == Abort()
    assert talk.codes[-1] == "protocol_not_allowed"
    assert (len(talk.sent(SANDBOX)), len(talk.sent(UPSTREAM))) == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("GET /a", "POST /a"),
        ("HTTP/1.1", "HTTP/1.0"),
        ("Upgrade: websocket", "Upgrade: h2c"),
        ("Upgrade: websocket", "Upgrade: websocket, h2c"),
        ("Connection: Upgrade", "Connection: keep-alive"),
        ("Version: 13", "Version: 8"),
        (KEY, "short"),
        (KEY, "dGhlIHNhbXBsZQ=="),
        (KEY, f"{KEY}\nSec-WebSocket-Key: {KEY}"),
    ],
)
def test_another_upgrade_is_refused(old: str, new: str) -> None:
    talk = SecretTalk()
    assert talk.request(ASK.replace(old, new)) == b""
    assert talk.refusal() == (403, "protocol_not_allowed")


def test_a_connection_that_is_not_searched_has_no_websocket() -> None:
    talk = Talk()
    talk.asks(ASK.replace("\n", "\r\n").encode() + b"\r\n\r\n")
    assert talk.refusal() == (403, "protocol_not_allowed")


def test_a_handshake_behind_another_request_is_refused() -> None:
    talk = SecretTalk()
    talk.request(f"{GET}\nX-Api-Key: $")
    assert talk.request(ASK) == b""
    assert talk.codes[-1] == "protocol_not_allowed"


@pytest.mark.parametrize(
    "answer",
    [
        switch(accept="s3pPLMBiTxaQ9kYGzzhZRbK+xO0="),
        switch("Sec-WebSocket-Extensions: permessage-deflate"),
        switch().replace(b"Upgrade: websocket", b"Upgrade: h2c"),
        switch().replace(b"Connection: Upgrade", b"Connection: close"),
    ],
)
def test_an_answer_that_switches_to_something_else_is_refused(answer: bytes) -> None:
    talk = SecretTalk()
    talk.request(WITH)
    talk.answer(answer)
    assert talk.refusal() == (502, "protocol_not_allowed")
    assert talk.is_over


def test_a_server_that_does_not_switch_answers_as_ever() -> None:
    talk = SecretTalk()
    talk.request(WITH)
    got = talk.answer(b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno")
    assert got.startswith(b"HTTP/1.1 403 No\r\n")
    assert talk.is_over


def test_nothing_may_follow_before_the_answer() -> None:
    talk = SecretTalk()
    talk.request(WITH)
    talk.asks(masked(TEXT, b"early"))
    assert talk.commands[-1] == Abort()
    talk = SecretTalk()
    talk.request(WITH, body=b"x")
    assert talk.commands[-1] == Abort()


def test_the_key_of_the_standard_has_its_answer() -> None:
    head = ASK.replace("\n", "\r\n").encode() + b"\r\n\r\n"
    assert expected_accept(parse_request(head)) == ACCEPT


def test_nobody_switches_who_did_not_ask() -> None:
    talk = SecretTalk()
    talk.request(f"{GET}\nX-Api-Key: $")
    talk.answer(switch())
    assert talk.refusal() == (502, "protocol_not_allowed")
    assert accepts.__doc__


def test_whatever_comes_only_whole_frames_pass_and_no_value() -> None:
    chance = random.Random(7)  # noqa: S311 -- always the same
    for _ in range(400):
        socket = WebSocket(keys())
        data = bytes(chance.randrange(256) for _ in range(chance.randrange(40)))
        if chance.random() < 0.5:
            data = framed(TEXT, data + VALUE, is_final=True) + data
        got = socket.back(data)
        assert isinstance(got, Deny) or VALUE not in got
        try:
            list(FrameReader(masked=True).feed(data))
        except MalformedError:
            continue
