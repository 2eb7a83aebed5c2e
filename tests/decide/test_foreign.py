"""Names and shapes of credentials that are no placeholder; everyday words are none of them."""

import pytest

from cleanroom.decide.foreign import is_name, is_name_among, is_shaped

WORD = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" * 2


@pytest.mark.parametrize(
    "name",
    [
        b"access_token", b"Access-Token", b"accessToken", b"api_key", b"apikey", b"X-Api-Key",
        b"private_token", b"PASSWORD", b"client_secret", b"access_token[]", b"subscription-key",
    ],
)  # fmt: skip
def test_a_name_that_is_used_for_nothing_else_is_a_credentials(name: bytes) -> None:
    assert is_name(name)


@pytest.mark.parametrize(
    "name",
    [
        b"", b"token", b"key", b"page_token", b"nextPageToken", b"csrf_token", b"code", b"state",
        b"sig", b"X-Amz-Signature", b"X-Amz-Credential", b"client_id", b"id_token_hint", b"q",
        b"\xff", b"has_password", b"password_field",
    ],
)  # fmt: skip
def test_any_other_name_is_none(name: bytes) -> None:
    assert not is_name(name)


@pytest.mark.parametrize(
    ("pairs", "found"),
    [
        (b"access_token=x", True), (b"a=1&X-Api-Key=x", True), (b"a=1;private token=x", True),
        (b" theme=dark; PASSWORD=x", True), (b"", False), (b"access_token", False),
        (b"my_access_token=x", False), (b"q=access_token&key=x", False),
    ],
)  # fmt: skip
def test_among_pairs_a_credentials_name_is_seen_at_once(pairs: bytes, found: bool) -> None:  # noqa: FBT001
    assert is_name_among(pairs) is found


@pytest.mark.parametrize(
    "prefix",
    [
        b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_", b"glpat-", b"sk-ant-api03-",
        b"sk-ant-oat01-", b"sk-proj-", b"sk-svcacct-", b"sk-or-v1-",
        b"sk-", b"sk_live_", b"AIza", b"hf_", b"npm_", b"pypi-", b"xoxb-", b"xoxp-",
    ],
)  # fmt: skip
@pytest.mark.parametrize("around", [b"%b", b"Bearer %b", b"a=%b;b", b"x:%b@"])
def test_a_word_of_an_issuers_shape_is_a_credential(prefix: bytes, around: bytes) -> None:
    assert is_shaped(around % (prefix + WORD))
    assert not is_shaped(around % (b"x" + prefix + WORD))
    assert not is_shaped(around % prefix)


@pytest.mark.parametrize(
    "text",
    [
        b"", b"*/*", b"text/html,application/xhtml+xml;q=0.9", b"/sk-10-najlepsich-miest-v-meste-a",
        b"0123456789abcdef0123456789abcdef01234567", b"ghp_short", b"task-" + WORD,
        b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", b"/npm_modules/" + WORD,
        b"AKIA0123456789ABCDEF/20260101/eu/s3/aws4_request",
    ],
)  # fmt: skip
def test_words_of_everyday_are_none(text: bytes) -> None:
    assert not is_shaped(text)
