"""Names and shapes of credentials that are no placeholder; everyday words are none of them."""

import pytest

from cleanroom.decide.foreign import (
    MOST_GIVEN,
    Cookies,
    has_jwt,
    is_field,
    is_name,
    is_name_among,
    is_session,
    is_shaped,
)

WORD = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" * 2


@pytest.mark.parametrize(
    "name",
    [
        b"access_token", b"Access-Token", b"accessToken", b"api_key", b"apikey", b"X-Api-Key",
        b"private_token", b"PASSWORD", b"client_secret", b"access_token[]", b"subscription-key",
        b"access_token[0]", b"api_key.0", b"access_token[1][]", b"authorization",
        b"x-authorization",
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
        b"password2", b"access_token[a]", b"[0]", b"authorizations", b"x",
    ],
)  # fmt: skip
def test_any_other_name_is_none(name: bytes) -> None:
    assert not is_name(name)


@pytest.mark.parametrize(
    ("pairs", "found"),
    [
        (b"access_token=x", True), (b"a=1&X-Api-Key=x", True), (b"a=1;private token=x", True),
        (b" theme=dark; PASSWORD=x", True), (b"", False), (b"access_token", False),
        (b"access_token[0]=x", True), (b"a;x-authorization=x", True),
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


@pytest.mark.parametrize(
    "name",
    [
        "authorization", "x-authorization", "x_authorization", "access-token", "api-token",
        "dd-api-key", "ocp-apim-subscription-key", "x-nuget-apikey", "x-rollbar-access-token",
        "x-oauth-token", "x-client-secret", "cf-access-jwt-assertion",
    ],
)  # fmt: skip
def test_a_field_of_such_a_name_or_a_vendors_ending_holds_a_credential(name: str) -> None:
    assert is_field(name)


@pytest.mark.parametrize(
    "name",
    [
        "", "accept", "cookie", "x-csrf-token", "x-xsrf-token", "x-request-token", "if-match",
        "idempotency-key", "sec-websocket-key", "x-goog-api-client", "openai-organization",
        "anthropic-version", "x-stainless-lang", "x-amz-date", "npm-auth-type", "git-protocol",
        "proxy-authorization", "x-skip-authorization", "x-api-key-id", "x-github-api-version",
    ],
)  # fmt: skip
def test_a_field_of_another_name_does_not(name: str) -> None:
    assert not is_field(name)


SIGNED = b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
SEALED = b"eyJhbGciOiJkaXIifQ..aXYtaXYtaXYt.Y2lwaGVy.dGFn"


@pytest.mark.parametrize("name", [b"session", b"__Host-next-auth.session-token", b"JWT", b"sso"])
@pytest.mark.parametrize("value", [SIGNED, SEALED, b'"%b"' % SIGNED, b"Bearer " + SIGNED])
def test_a_jwt_in_a_cookie_that_says_it_is_a_session_is_a_credential(
    name: bytes, value: bytes
) -> None:
    assert is_session(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"id", SIGNED), (b"session", b""), (b"session", b"0123456789abcdef"),
        (b"session", b"eyJhIjoxfQ.Z1abcd.c2lnbmF0dXJl"),  # as Flask signs it
        (b"session", b"eyJhIjoxfQ:1abcde:c2lnbmF0dXJl"),  # as Django does
        (b"session", b"x" + SIGNED), (b"session", SIGNED + b".x"),
    ],
)  # fmt: skip
def test_any_other_cookie_is_somebodys_own_matter(name: bytes, value: bytes) -> None:
    assert not is_session(name, value)


def test_each_is_looked_for_once_however_long_the_text_is() -> None:
    assert not is_name(b"[]" * 30_000 + b"x")
    for text in (b"eyJ" * 20_000, b"eyJa." * 12_000, b"eyJ." * 16_000, b"eyJe.e" * 10_000):
        assert not has_jwt(b"session=" + text + b"..")


def test_a_host_may_have_back_what_it_gave() -> None:
    cookies = Cookies()
    assert not cookies.has("a.test", SIGNED)
    cookies.give("a.test", b" session=" + SIGNED + b"; Path=/")
    cookies.give("a.test", b"session=" + SIGNED)
    assert cookies.has("a.test", SIGNED)
    assert cookies.has("a.test", b'"%b" ' % SIGNED)
    assert not cookies.has("b.test", SIGNED)
    assert not cookies.has("a.test", SEALED)


def test_no_more_is_remembered_than_the_newest() -> None:
    cookies = Cookies()
    for number in range(MOST_GIVEN + 1):
        cookies.give("a.test", b"access_token=%d; Path=/" % number)
        cookies.give("a.test", b"theme=dark%d; Path=/" % number)
    assert not cookies.has("a.test", b"0")
    assert cookies.has("a.test", b"1")
    assert cookies.has("a.test", b"%d" % MOST_GIVEN)
    assert not cookies.has("a.test", b"dark%d" % MOST_GIVEN)
