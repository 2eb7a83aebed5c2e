"""The keys that leave: found whatever the cut, and nothing else is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.client.detach import DEFAULT, DetachKeys, Typed, read_keys
from cleanroom.errors import UsageError


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        (DEFAULT, b"\x10\x11"),
        ("ctrl-],ctrl-]", b"\x1d\x1d"),
        ("ctrl-@", b"\0"),
        ("~,.", b"~."),
        ("a", b"a"),
        ("none", b""),
    ],
)
def test_keys_are_read(text: str, keys: bytes) -> None:
    assert read_keys(text) == keys


@pytest.mark.parametrize("text", ["", "ctrl-", "ctrl-P", "ctrl-p,", "ab", "é", "\x01", "ctrl-é"])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--detach-keys"):
        read_keys(text)


def test_what_came_before_the_keys_is_sent() -> None:
    assert DetachKeys(b"\x10\x11").typed(b"ls\r\x10\x11rest") == Typed(b"ls\r", leave=True)


def test_a_beginning_is_held_until_the_rest_or_another_key() -> None:
    keys = DetachKeys(b"\x10\x11")
    assert keys.typed(b"a\x10") == Typed(b"a", leave=False)
    assert keys.held == b"\x10"
    assert keys.typed(b"b") == Typed(b"\x10b", leave=False)
    assert keys.typed(b"\x10") == Typed(b"", leave=False)
    assert keys.give_up() == b"\x10"
    assert keys.held == b""
    assert keys.typed(b"\x11") == Typed(b"\x11", leave=False)


def test_without_keys_everything_passes() -> None:
    assert DetachKeys(b"").typed(b"\x10\x11") == Typed(b"\x10\x11", leave=False)


@given(st.lists(st.binary(max_size=6)), st.sampled_from([b"\x10\x11", b"aab", b"a"]))
def test_any_cut_means_the_same(pieces: list[bytes], keys: bytes) -> None:
    whole = b"".join(pieces)
    before, found, _ = whole.partition(keys)
    seen, sent, left = DetachKeys(keys), b"", False
    for piece in pieces:
        data, left = seen.typed(piece)
        sent += data
        if left:
            break
    assert left is bool(found)
    assert sent + seen.give_up() == before
