"""Token endpoints: the request's bytes, and what an answer means."""

import dataclasses
import json
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.decide.oauth2 import (
    LONGEST_S,
    UNSAID_S,
    Minted,
    read_answer,
    token_request,
    why_unmintable,
)
from cleanroom.policy.model import OAuth2

AT = OAuth2("login.test", 443, "/token", client_id="app", scope="a b")
CLIENT = dataclasses.replace(AT, grant="client_credentials")
TOKEN = "at-0123456789"  # noqa: S105 -- a test's


def form_of(request: bytes) -> tuple[str, dict[str, str]]:
    """Return the head of a request, and its form."""
    head, _, body = request.partition(b"\r\n\r\n")
    text = head.decode()
    assert f"Content-Length: {len(body)}" in text
    return text, {name: found[0] for name, found in parse_qs(body.decode()).items()}


def test_a_refresh_token_is_told_in_the_form() -> None:
    head, form = form_of(token_request(AT, b"rt&0123456789"))
    assert head.startswith("POST /token HTTP/1.1\r\nHost: login.test\r\n")
    assert form == {
        "grant_type": "refresh_token",
        "refresh_token": "rt&0123456789",
        "scope": "a b",
        "client_id": "app",
    }
    _, form = form_of(token_request(AT, b"rt&0123456789", "rotated-1234"))
    assert "rotated-1234" in form.values()


def test_a_clients_secret_is_told_in_a_field_or_in_the_form() -> None:
    head, form = form_of(token_request(CLIENT, b"cs:456789"))
    assert "Authorization: Basic YXBwOmNzJTNBNDU2Nzg5" in head  # app:cs%3A456789
    assert form == {"grant_type": "client_credentials", "scope": "a b"}
    at = dataclasses.replace(CLIENT, client_auth="body", scope="", port=8443)
    head, form = form_of(token_request(at, b"cs:456789"))
    assert "Authorization" not in head
    assert "Host: login.test:8443" in head
    assert "cs:456789" in form.values()
    assert form["client_id"] == "app"


def test_an_objects_parts_come_before_the_policys() -> None:
    parts = {"client_id": "own", "client_secret": "cs-456789", "refresh_token": "rt-456789"}
    head, form = form_of(token_request(AT, json.dumps(parts).encode()))
    assert "Authorization: Basic b3duOmNzLTQ1Njc4OQ==" in head
    assert "rt-456789" in form.values()
    assert "client_secret" not in form


@pytest.mark.parametrize(
    ("at", "value", "why"),
    [
        (AT, b"rt-456789", ""),
        (AT, b'{"client_secret":"cs-456789"}', "it has no refresh_token"),
        (CLIENT, b"cs-456789", ""),
        (CLIENT, b'{"refresh_token":"rt-456789"}', "it has no client_secret"),
        (dataclasses.replace(CLIENT, client_id=""), b"cs-456789", "nothing says the client's id"),
    ],
)
def test_what_is_missing_is_named(at: OAuth2, value: bytes, why: str) -> None:
    assert why_unmintable(at, value) == why


def answered(**fields: object) -> Minted | str:
    return read_answer(200, json.dumps({"access_token": TOKEN, **fields}).encode())


def test_a_token_and_its_time_are_read() -> None:
    assert answered() == Minted(TOKEN.encode(), UNSAID_S)
    assert answered(expires_in=60, token_type="Bearer", refresh_token="rt-456789") == Minted(  # noqa: S106
        TOKEN.encode(), 60.0, "rt-456789"
    )
    assert TOKEN not in repr(answered())


@pytest.mark.parametrize(
    ("said", "lasts_s"),
    [
        ("90", 90.0),
        (-5, 0.0),
        (10**12, LONGEST_S),
        (10**400, LONGEST_S),
        (-(10**400), 0.0),
        (float("inf"), LONGEST_S),
        (True, UNSAID_S),
        ("soon", UNSAID_S),
        (float("nan"), UNSAID_S),
        ("9" * 20, UNSAID_S),
    ],
)
def test_a_time_that_makes_no_sense_is_bounded(said: object, lasts_s: float) -> None:
    assert answered(expires_in=said) == Minted(TOKEN.encode(), lasts_s)


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (400, b'{"error": "invalid_grant", "error_description": "rt-1"}', "400 (invalid_grant)"),
        (400, b'{"error": "rt-0123456789"}', "it answers 400"),
        (400, b'{"error": ["x"]}', "it answers 400"),
        (500, b"oops", "it answers 500"),
        (200, b"[]", "its answer is no JSON object"),
        (200, b"[" * 9999, "its answer is no JSON object"),
        *(
            (
                200,
                json.dumps({"access_token": TOKEN}).encode(coding),
                "its answer is no JSON object",
            )
            for coding in ("utf-8-sig", "utf-16", "utf-16-be", "utf-32-le", "utf-32-be")
        ),
        (200, b"{}", "has no access_token"),
        (200, b'{"access_token": "\xc3\xa4-456789"}', "has no access_token"),
        (200, b'{"access_token": "short"}', "fewer than 8 bytes"),
        (200, b'{"access_token": "at-456789", "token_type": "mac"}', "other than Bearer"),
        (200, b'{"access_token": "at-456789", "token_type": 1}', "other than Bearer"),
        (200, b'{"access_token": "at-456789", "refresh_token": 1}', "cannot be used"),
        (200, b'{"access_token": "at-456789", "refresh_token": "\xc3\xa4-456789"}', "cannot be"),
    ],
)
def test_an_answer_without_a_token_says_why_in_known_words(
    status: int, body: bytes, why: str
) -> None:
    found = read_answer(status, body)
    assert isinstance(found, str)
    assert why in found
    assert "rt-" not in found


def test_a_secret_is_told_byte_for_byte() -> None:
    head, _ = form_of(token_request(CLIENT, b"cs-\xe9-456789"))
    assert "Authorization: Basic YXBwOmNzLSVFOS00NTY3ODk=" in head  # app:cs-%E9-456789
    _, form = form_of(token_request(CLIENT, b"cs-456789"))
    assert "client_secret" not in form


@given(st.binary(max_size=300), st.integers(100, 599))
def test_no_answer_of_an_endpoint_ends_the_gateway(body: bytes, status: int) -> None:
    assert isinstance(read_answer(status, body), Minted | str)


@given(
    st.dictionaries(
        st.sampled_from(["access_token", "token_type", "expires_in", "refresh_token", "error"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
            lambda each: st.lists(each, max_size=2) | st.dictionaries(st.text(), each, max_size=2),
            max_leaves=4,
        ),
    ),
    st.sampled_from([200, 400]),
)
def test_no_object_of_an_endpoint_ends_the_gateway(found: dict[str, object], status: int) -> None:
    outcome = read_answer(status, json.dumps(found).encode())
    assert isinstance(outcome, str) or 0 <= outcome.lasts_s <= LONGEST_S
