"""Kinds of secrets: what a value must look like, and what of it is looked for."""

import pytest

from cleanroom.decide.kinds import KINDS, read_parts

REFRESH = "rt-0123456789"


def test_a_static_value_is_what_is_sent() -> None:
    assert KINDS["static"].why_unusable(b"12345678") == ""
    assert KINDS["static"].why_unusable(b"1234") == "it has fewer than 8 bytes"
    assert KINDS["static"].words(b"12345678") == (b"12345678",)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"me:password", ""),
        (b"me:pass:word", ""),
        (b"", "it is empty"),
        (b"password1", "it is not written user:password"),
        (b":password", "it is not written user:password"),
        (b"somebody:pass", "its password has fewer than 8 bytes"),
    ],
)
def test_basic_is_user_and_password(value: bytes, why: str) -> None:
    assert KINDS["basic"].why_unusable(value) == why


def test_of_basic_the_password_alone_is_looked_for_too() -> None:
    assert KINDS["basic"].words(b"me:pass:word") == (b"me:pass:word", b"pass:word")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (REFRESH.encode(), ""),
        (b'{"refresh_token":"%b","type":"x"}' % REFRESH.encode(), ""),
        (b"short", "it has fewer than 8 bytes"),
        (b'{"type":"x"}', "it is a JSON object without"),
        (b'{"refresh_token": 12}', "it is a JSON object without"),
        (b'{"refresh_token": ""}', "it is a JSON object without"),
        (b'{"refresh_token": "\xc3\xa4"}', "it is a JSON object without"),
        (b'{"refresh_token":', "it is a JSON object without"),
        (b"{" * 9999, "it is a JSON object without"),
        (b'{"refresh_token": "short"}', "it has fewer than 8 bytes (its refresh_token)"),
        (b'{"client_id": "x", "client_secret": "a\\nb456789"}', "control character (its client"),
    ],
)
def test_tokens_are_minted_with_a_text_or_an_object(value: bytes, why: str) -> None:
    found = KINDS["oauth2"].why_unusable(value)
    assert why in found if why else not found


def test_of_an_object_the_secret_parts_are_looked_for() -> None:
    value = b'{"client_id":"public-name","client_secret":"cs-456789","refresh_token":"rt-456789"}'
    assert KINDS["oauth2"].words(value) == (b"rt-456789", b"cs-456789")
    assert KINDS["oauth2"].words(b"rt-456789") == (b"rt-456789",)
    assert read_parts(b"rt-456789") == {}
