"""`secrets[].oauth2`, and which kinds it belongs to."""

import dataclasses

import pytest

from cleanroom.policy.compile import compile_policy
from cleanroom.policy.model import OAuth2, SecretBinding
from cleanroom.policy.parse import parse_policy
from tests.policy.reading import PATH, problems_in

HEAD = "version: 1\nsecrets:\n- {id: a, env: A, allowed_hosts: [a.example]"
URL = "token_url: 'https://Login.example/oauth/token'"


def bindings(rest: str) -> tuple[SecretBinding, ...]:
    return parse_policy(f"{HEAD}, {rest}}}\n", PATH).secrets


def test_where_tokens_are_minted_is_read_whole() -> None:
    more = "grant: client_credentials, client_id: app, scope: a b, client_auth: body"
    (found,) = bindings(f"kind: oauth2, oauth2: {{{URL}, {more}}}")
    assert found.oauth2 == OAuth2(
        "login.example", 443, "/oauth/token", "client_credentials", "app", "a b", "body"
    )
    assert found.told_hosts == ("a.example", "login.example")
    (found,) = bindings("kind: oauth2, oauth2: {token_url: 'https://a.example:8443/t'}")
    assert found.oauth2 == OAuth2("a.example", 8443, "/t")
    assert found.told_hosts == ("a.example",)


def test_basic_goes_in_basic_credentials() -> None:
    (found,) = bindings("kind: basic")
    assert (found.kind, found.target) == ("basic", ("basic",))


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ("kind: oauth2", "cannot mint tokens: nothing says where"),
        (f"oauth2: {{{URL}}}", "cannot use this for the kind static"),
        ("kind: basic, in: [query]", "the kind basic goes in Authorization"),
        ("kind: basic, header: X-Y", "the kind basic goes in Authorization"),
        ("kind: other", "it is static, basic or oauth2"),
        ("kind: oauth2, oauth2: {grant: refresh_token}", "token_url"),
        ("kind: oauth2, oauth2: {token_url: 'http://a.example/t'}", "without a query"),
        ("kind: oauth2, oauth2: {token_url: 'https://a.example/t?x'}", "without a query"),
        ("kind: oauth2, oauth2: {token_url: 'https://me@a.example/t'}", "without a query"),
        ("kind: oauth2, oauth2: {token_url: 'https://a.example'}", "without a query"),
        ("kind: oauth2, oauth2: {token_url: 'https://a.example:99999/t'}", "without a query"),
        ("kind: oauth2, oauth2: {token_url: 'https://a_b.example/t'}", "letters"),
    ],
)
def test_what_does_not_fit_is_said(rest: str, message: str) -> None:
    assert any(message in problem.message for problem in problems_in(f"{HEAD}, {rest}}}\n"))


def test_a_static_bindings_hash_is_what_it_was_before_there_were_kinds() -> None:
    policy = parse_policy(f"{HEAD}}}\n", PATH)
    before = compile_policy(policy).policy_hash
    (binding,) = policy.secrets
    basic = dataclasses.replace(policy, secrets=(dataclasses.replace(binding, kind="basic"),))
    assert before == "sha256:1959bfcacd352f2ff9cc4a0442b31d568675b2dc1d0028be2138cbf687c1a040"
    assert compile_policy(basic).policy_hash != before
