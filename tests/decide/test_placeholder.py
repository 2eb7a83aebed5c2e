import base64
import json
import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.decide.placeholder import (
    ENTROPY_BYTES,
    LEAST,
    MOST,
    placeholder_like,
    why_unusable,
)

JWT = b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        (b"ghp_" + b"a" * 36, r"ghp_[0-9A-Za-z]{36}"),
        (b"github_pat_" + b"a" * 82, r"github_pat_[0-9A-Za-z]{82}"),
        (b"sk-ant-api03-abc", r"sk-ant-api03-[0-9A-Za-z]{95}"),
        (b"sk-abcdefgh", r"sk-[0-9A-Za-z]{48}"),
        (b"npm_abcdefgh", r"npm_[0-9A-Za-z]{36}"),
        (b"anything else", r"cleanroom_[0-9A-Za-z]{32}"),
    ],
)
def test_a_placeholder_looks_like_the_real_thing(value: bytes, shape: str) -> None:
    placeholder = placeholder_like(value, os.urandom(ENTROPY_BYTES))
    assert re.fullmatch(shape, placeholder)
    assert placeholder.encode() != value


def test_a_token_of_three_parts_can_be_decoded_by_clients() -> None:
    head, claims, signature = placeholder_like(JWT, os.urandom(ENTROPY_BYTES)).split(".")
    assert len(signature) == 43
    decoded = [json.loads(base64.urlsafe_b64decode(f"{part}==")) for part in (head, claims)]
    assert decoded[0]["typ"] == "JWT"
    assert decoded[1]["iss"] == "cleanroom"
    assert decoded[1]["exp"] > 4_000_000_000


@given(st.binary(min_size=LEAST, max_size=60))
def test_two_of_one_value_differ_and_neither_shows_it(value: bytes) -> None:
    one, two = (placeholder_like(value, os.urandom(ENTROPY_BYTES)) for _ in range(2))
    assert one != two
    assert value not in one.encode()
    assert one.isascii()
    assert len(re.sub("^[a-z_-]*", "", one)) >= 16


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"", "it is empty"),
        (b"1234567", "fewer than 8 bytes"),
        (b"1234\r\n5678", "a line end"),
        (b"1234\n5678", "a line end"),
        (b"1234\x005678", "a NUL"),
        (b"1234\x7f5678", "control character"),
        (b"a" * (MOST + 1), "more than"),
    ],
)
def test_what_cannot_be_a_secret_is_said_without_it(value: bytes, why: str) -> None:
    said = why_unusable(value)
    assert why in said
    assert "1234" not in said


@pytest.mark.parametrize("value", [b"12345678", b"pass word.*%41$", "pässwörd".encode(), JWT])
def test_exact_bytes_are_good(value: bytes) -> None:
    assert why_unusable(value) == ""
