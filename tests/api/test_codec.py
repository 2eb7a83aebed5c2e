"""JSON of hostile clients -> messages, or one clean error."""

import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.api import codec
from cleanroom.api.streams import CancelMessage, ExitLine, ResizeMessage, SignalMessage
from cleanroom.api.types import RunRequest, SignalRequest
from cleanroom.errors import Code, UserError


def refused(body: bytes) -> str:
    """Return why a RunRequest of this text is refused."""
    with pytest.raises(UserError) as caught:
        codec.decode(body, RunRequest)
    assert caught.value.code is Code.REQUEST_INVALID
    return caught.value.message


def test_a_request_is_read_with_its_defaults() -> None:
    request = codec.decode(b'{"workspace": "/w", "command": ["true"]}', RunRequest)
    assert (request.command, request.options.rows, request.policy.text) == (["true"], 24, None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"workspace": "/w"}',
        b'{"workspace": "/w", "command": []}',
        b'{"workspace": "/w", "command": "true"}',
        b'{"workspace": "/w", "command": ["true"], "surprise": 1}',
        b'{"workspace": "/w", "command": ["true"], "options": {"timeout_s": NaN}}',
        b'{"workspace": "/w", "command": ["true"], "options": {"timeout_s": 0}}',
        b'{"workspace": "/w", "command": ["true"], "options": {"sandbox": "../x"}}',
        b'{"workspace": "/w", "command": ' + b"[" * 100_000,
        b'{"surprise": ' + b'{"a": ' * 100_000,
        b"\xff\xfe",
        b'{"workspace": "\xff", "command": ["true"]}',
    ],
)
def test_what_is_no_request_is_refused(body: bytes) -> None:
    assert refused(body).startswith("cannot read the request")


def test_a_member_that_occurs_twice_is_refused_at_any_depth() -> None:
    twice = b'{"workspace": "/w", "command": ["a"], "command": ["b"]}'
    deep = b'{"workspace": "/w", "command": ["a"], "options": {"tty": true, "tty": false}}'
    assert refused(twice) == refused(deep) == "cannot read the request: an object has a field twice"


def test_a_refusal_never_quotes_the_value() -> None:
    assert "hunter2" not in refused(b'{"workspace": "/w", "command": "hunter2"}')


@pytest.mark.parametrize("name", ["TERM", "USR1"])
def test_a_signal_is_named_in_capitals(name: str) -> None:
    assert codec.decode(json.dumps({"signal": name}).encode(), SignalRequest).signal == name


@pytest.mark.parametrize("name", ["term", "9", "TERM\n", "", "A" * 40])
def test_other_spellings_of_a_signal_are_refused(name: str) -> None:
    with pytest.raises(UserError):
        codec.decode(json.dumps({"signal": name}).encode(), SignalRequest)


def test_attach_messages_are_told_apart_by_their_type() -> None:
    resize = codec.decode_attach(b'{"type": "resize", "rows": 5, "columns": 6}')
    assert resize == ResizeMessage(rows=5, columns=6)
    assert codec.decode_attach(b'{"type": "signal", "signal": "INT"}') == SignalMessage(
        signal="INT"
    )
    assert codec.decode_attach(b'{"type": "cancel"}') == CancelMessage()


@pytest.mark.parametrize("text", [b"{}", b'{"type": "exit"}', b"cancel", b"[" * 100_000])
def test_other_attach_messages_are_refused(text: bytes) -> None:
    with pytest.raises(UserError):
        codec.decode_attach(text)


def test_a_message_is_written_as_it_is_read() -> None:
    written = codec.encode(SignalRequest(signal="HUP"))
    assert codec.decode(written, SignalRequest) == SignalRequest(signal="HUP")


def test_a_line_begins_with_its_type_and_ends_with_a_line_feed() -> None:
    line = codec.encode_line(ExitLine(lines=3))
    assert line.startswith(b'{"type":"exit"')
    assert line.endswith(b"\n")


def test_output_is_text_if_it_is_utf8_and_base64_otherwise() -> None:
    assert codec.output_line(1, 7, "né".encode()).text == "né"
    line = codec.output_line(2, 0, b"\xff\x00")
    assert line.text is None
    assert line.base64 is not None
    assert base64.b64decode(line.base64) == b"\xff\x00"


@given(st.text(min_size=1), st.integers(0, 3))
def test_a_cut_character_waits_for_its_rest(text: str, cut: int) -> None:
    data = text.encode("utf-8", "ignore")
    part = data[: len(data) - cut] if cut < len(data) else data
    whole = codec.whole_characters(part)
    part[:whole].decode()  # never in the middle of a character
    assert len(part) - whole <= 3


@pytest.mark.parametrize("data", [b"\x80\x80\x80\x80\x80", b"abc", b"", b"a\xff"])
def test_bytes_that_are_no_text_are_not_held_back(data: bytes) -> None:
    assert codec.whole_characters(data) == len(data)


@given(st.binary(max_size=200))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(UserError):  # anything else is a bug
        codec.decode(body, RunRequest)
