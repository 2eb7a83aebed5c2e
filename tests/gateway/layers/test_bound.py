"""Secrets in the heads of requests: swapped where they may stand, and nowhere else (S1-S4, S9)."""

import base64

import pytest

from cleanroom.decide.secret import Foreign
from cleanroom.gateway.layers.bound import MAX_USES
from tests.gateway.secret_talk import (
    CHUNKED_OK,
    GET,
    OK,
    PLACEHOLDER,
    REF,
    VALUE,
    Keys,
    SecretTalk,
    bound,
    keys,
    wire,
)
from tests.gateway.talk import UPSTREAM


@pytest.mark.parametrize(
    "field",
    [
        "Authorization: Bearer $",
        "authorization: token $",
        "AUTHORIZATION:$",
        "X-Api-Key: $",
        "private-token:  $ ",
        "Authorization: AWS4 Credential=$/2026, Signature=$",
    ],
)
def test_a_placeholder_in_a_header_is_swapped_exactly(field: str) -> None:
    talk = SecretTalk()
    sent = talk.request(f"{GET}\nX-Before: 1\n{field}\nX-After: 2")
    assert sent == wire(f"{GET}\nX-Before: 1\n{field}\nX-After: 2")
    assert talk.codes == [""]
    assert talk.keys.taken[0] == (REF, (5, 1))
    assert talk.answer(OK) == CHUNKED_OK


def test_each_request_is_one_of_its_own_to_the_keyring() -> None:
    talk = SecretTalk()
    for _ in range(2):
        talk.request(f"{GET}\nAuthorization: Bearer $")
        talk.answer(OK)
    assert [request for _, request in talk.keys.taken] == [(5, 1), (5, 2)]


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC  "])
@pytest.mark.parametrize("strip", [False, True])
def test_basic_credentials_are_decoded_swapped_and_encoded(scheme: str, strip: bool) -> None:  # noqa: FBT001
    talk = SecretTalk()
    token = base64.b64encode(f"me:{PLACEHOLDER}!".encode()).decode()
    token = token.rstrip("=") if strip else token
    sent = talk.request(f"{GET}\nAuthorization: {scheme} {token}")
    real = base64.b64encode(b"me:" + VALUE + b"!").decode()
    assert sent == wire(f"{GET}\nAuthorization: {scheme} {real}")


def test_basic_credentials_that_are_no_base64_are_a_credential_of_their_own() -> None:
    talk = SecretTalk()
    talk.request(f"{GET}\nAuthorization: Basic %%%%x")
    assert talk.refusal() == (403, "secret_scope_violation")


def test_query_and_cookie_where_the_binding_says_so() -> None:
    talk = SecretTalk(keys(b"a b&c=d/e%", target=("query",)))
    sent = talk.request("GET /a?x=1&key=$&y HTTP/1.1\nHost: a.test")
    assert sent.startswith(b"GET /a?x=1&key=a%20b%26c%3Dd%2Fe%25&y HTTP/1.1\r\n")
    talk = SecretTalk(keys(target=("cookie",)))
    sent = talk.request(f"{GET}\nCookie: a=1; session=$; b=2")
    assert sent == wire(f"{GET}\nCookie: a=1; session=$; b=2")


@pytest.mark.parametrize("name", ["Range", "If-Range", "Accept-Encoding", "Expect", "Content-Type"])
def test_no_binding_fills_a_field_that_is_taken_out_or_says_how_to_read(name: str) -> None:
    talk = SecretTalk(keys(header=name))
    assert talk.request(f"{GET}\nX-Before: 1\n{name}: $") == b""
    assert talk.codes == ["secret_scope_violation"]
    assert VALUE not in talk.sent(UPSTREAM)


@pytest.mark.parametrize(
    ("head", "why"),
    [
        (f"{GET}\nX-Other: $", "in the field x-other"),
        (f"{GET}\nReferer: https://a.test/$", "in the field referer"),
        (f"{GET}\nUser-Agent: $", "in the field user-agent"),
        (f"{GET}\nProxy-Authorization: Bearer $", "in the field proxy-authorization"),
        (f"{GET}\nCookie: a=$", "in the cookie"),
        (f"{GET}\nX-Cookie: a=$", "in the field x-cookie"),
        (f"{GET}\nX-$: a", "in the field name"),
        (f"{GET}\nX-{PLACEHOLDER.upper()}: a", "in the field name"),
        ("GET /$ HTTP/1.1\nHost: a.test", "in the path"),
        ("GET /a?b=$ HTTP/1.1\nHost: a.test", "in the query"),
        (f"GET /a?b=%63{PLACEHOLDER[1:]} HTTP/1.1\nHost: a.test", "in the path"),
        (f"GET /%63{PLACEHOLDER[1:]} HTTP/1.1\nHost: a.test", "in the path"),
        (f"{GET}\nAuthorization_: $", "in the field authorization_"),
    ],
)
def test_anywhere_else_is_a_violation_that_goes_nowhere(head: str, why: str) -> None:
    talk = SecretTalk()
    assert talk.request(head) == b""
    assert talk.refusal() == (403, "secret_scope_violation")
    [event] = talk.reports
    assert why in event.reason
    assert PLACEHOLDER not in f"{event.reason} {event.path}"
    assert not event.ends_sandbox
    assert talk.keys.taken == []


def test_basic_in_another_field_is_seen_too() -> None:
    token = base64.b64encode(f"me:{PLACEHOLDER}".encode()).decode()
    for field in ("X-Other", "Proxy-Authorization"):
        talk = SecretTalk()
        assert talk.request(f"{GET}\n{field}: Basic {token}") == b""
        assert field.lower() in talk.reports[0].reason


@pytest.mark.parametrize(
    ("binding", "head", "why"),
    [
        ({"methods": ("POST",)}, f"{GET}\nAuthorization: $", "with the method GET"),
        ({"paths": ("/api",)}, f"{GET}\nAuthorization: $", "below a path"),
        ({"paths": ("/a",)}, "GET /a%252e%252e/b HTTP/1.1\nHost: a.test\nAuthorization: $", "path"),
        ({"header": "X-Token"}, f"{GET}\nAuthorization: $", "in the field authorization"),
        ({"ports": (8443,)}, f"{GET}\nAuthorization: $", "to port 443"),
        ({"allowed_hosts": ("b.test",)}, f"{GET}\nAuthorization: $", "to a.test"),
    ],
)
def test_method_path_and_header_are_the_bindings(
    binding: dict[str, object], head: str, why: str
) -> None:
    talk = SecretTalk(keys(VALUE, on_violation="terminate", **binding))
    assert talk.request(head) == b""
    assert why in talk.reports[0].reason
    assert talk.reports[0].ends_sandbox


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X_HTTP_Method", "x-method-override"])
def test_no_field_makes_another_method_of_a_request_that_is_bound_to_methods(name: str) -> None:
    asked = f"{GET}\nAuthorization: Bearer $\n{name}: DELETE"
    talk = SecretTalk(keys(methods=("GET",)))
    assert talk.request(asked) == b""
    assert talk.refusal() == (403, "secret_scope_violation")
    assert SecretTalk().request(asked) != b""
    assert SecretTalk(keys(methods=("GET",))).request(f"{GET}\nAuthorization: Bearer $") != b""


def test_a_request_that_names_another_host_is_a_violation() -> None:
    talk = SecretTalk()
    assert talk.request("GET / HTTP/1.1\nHost: evil.test\nAuthorization: $") == b""
    assert talk.codes == ["secret_scope_violation"]
    assert "names another host" in talk.reports[0].reason
    talk = SecretTalk()
    assert talk.request("GET / HTTP/1.1\nHost: evil.test") == b""
    assert talk.codes == ["host_header_mismatch"]


@pytest.mark.parametrize(
    ("fields", "code", "why"),
    [
        ("Authorization: Bearer ghp_pasted", "secret_scope_violation", "no placeholder"),
        ("X-Api-Key: pasted", "secret_scope_violation", "field x-api-key"),
        ("X_Api_Key: pasted", "secret_scope_violation", "field x_api_key"),
        ("Authorization: $\nX-Api-Key: pasted", "secret_scope_violation", "field x-api-key"),
        ("Authorization: $\nAuthorization: x", "protocol_not_allowed", "comes twice"),
        ("Authorization: $\nAuthorization: $", "protocol_not_allowed", "comes twice"),
    ],
)
def test_a_credential_of_its_own_does_not_pass(fields: str, code: str, why: str) -> None:
    talk = SecretTalk()
    assert talk.request(f"{GET}\n{fields}") == b""
    assert talk.codes == [code]
    assert why in talk.reports[0].reason
    assert "pasted" not in talk.reports[0].reason


def test_a_header_of_the_binding_is_a_credential_too() -> None:
    talk = SecretTalk(keys(header="X-Mine"))
    assert talk.request(f"{GET}\nX-Mine: pasted") == b""
    assert talk.request(f"{GET}\nX-Mine: $") == b""  # the refusal ended the connection
    talk = SecretTalk(keys(header="X-Mine"))
    assert talk.request(f"{GET}\nX-Mine: $") == wire(f"{GET}\nX-Mine: $")


def test_a_folded_field_is_refused() -> None:
    talk = SecretTalk()
    assert talk.request(f"{GET}\nAuthorization: Bearer\n  $") == b""
    assert talk.codes == ["protocol_not_allowed"]


@pytest.mark.parametrize(
    ("value", "target", "head", "why"),
    [
        (b" blank at the border", "header", f"{GET}\nAuthorization: $", "with a blank"),
        (b"letters; no cookie", "cookie", f"{GET}\nCookie: a=$", "in a cookie"),
    ],
)
def test_what_cannot_stand_at_its_place_is_not_sent(
    value: bytes, target: str, head: str, why: str
) -> None:
    talk = SecretTalk(keys(value, target=(target,)))
    assert talk.request(head) == b""
    assert talk.codes == ["secret_unavailable"]
    assert why in talk.reports[0].reason
    assert value.decode() not in talk.reports[0].reason


def test_a_value_that_is_gone_is_said() -> None:
    talk = SecretTalk(Keys({REF: b""}))
    assert talk.request(f"{GET}\nAuthorization: $, $") == b""
    assert talk.codes == ["secret_unavailable"]
    assert talk.refusal() == (403, "secret_unavailable")


def test_more_placeholders_than_anybody_needs_are_refused() -> None:
    talk = SecretTalk()
    assert talk.request(f"{GET}\nAuthorization: " + "$ " * (MAX_USES + 1)) == b""
    assert talk.codes == ["resource_limit"]


@pytest.mark.parametrize("field", ["Authorization: Bearer mine", "x_api_key: mine"])
def test_the_operator_may_have_another_credential_taken_out_or_let_through(field: str) -> None:
    keyring = keys()
    head = f"{GET}\nX-Before: 1\n{field}\nPrivate-Token: $"
    stripped = SecretTalk(keyring, bound(keyring, Foreign.STRIP)).request(head)
    assert stripped == wire(f"{GET}\nX-Before: 1\nPrivate-Token: $")
    passed = SecretTalk(keyring, bound(keyring, Foreign.PASS)).request(head)
    assert passed == wire(head)


@pytest.mark.parametrize("foreign", [Foreign.STRIP, Foreign.PASS])
def test_a_field_with_a_placeholder_comes_once_whatever_the_operator_says(foreign: Foreign) -> None:
    keyring = keys()
    talk = SecretTalk(keyring, bound(keyring, foreign))
    assert talk.request(f"{GET}\nX-Api-Key: $\nx_api_key: mine") == b""
    assert talk.codes == ["protocol_not_allowed"]


def test_basic_credentials_of_their_kind_are_put_in_whole() -> None:
    talk = SecretTalk(keys(b"someone:pass-word", kind="basic", target=("basic",)))
    for said in (f"me:{PLACEHOLDER}", f"{PLACEHOLDER}:", f"{PLACEHOLDER}:{PLACEHOLDER}"):
        token = base64.b64encode(said.encode()).decode()
        sent = talk.request(f"{GET}\nAuthorization: Basic {token}")
        whole = base64.b64encode(b"someone:pass-word").decode()
        assert sent == wire(f"{GET}\nAuthorization: Basic {whole}")
        talk.answer(OK)
    talk.request(f"{GET}\nAuthorization: Bearer $")
    assert talk.codes[-1] == "secret_scope_violation"
