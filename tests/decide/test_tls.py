"""Server names and ECH."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.decide.model import Allow, Deny
from cleanroom.decide.tls import decide_client_hello, same_name
from tests.decide.policies import rule

PLAIN, OPEN = rule("a.test:443"), rule("a.test:443", ech=True)


@pytest.mark.parametrize(
    ("name", "sni", "expected"),
    [
        ("a.test", "a.test", "allowed"),
        ("a.test", "A.Test.", "allowed"),
        ("a.test", "", "sni_mismatch"),
        ("a.test", "b.test", "sni_mismatch"),
        ("a.test", "a.test..", "sni_mismatch"),
        ("a.test", "xa.test", "sni_mismatch"),
        ("a.test", "203.0.113.5", "sni_mismatch"),
        ("", "", "allowed"),  # under an IP rule the absent name is the match
        ("", "a.test", "sni_mismatch"),
    ],
)
def test_the_server_name_must_be_the_connections(name: str, sni: str, expected: str) -> None:
    verdict = decide_client_hello(PLAIN, name, sni, ech_present=False)
    assert expected == (verdict.code if isinstance(verdict, Deny) else "allowed")


def test_ech_is_refused_unless_the_rule_says_so() -> None:
    refused = decide_client_hello(PLAIN, "a.test", "a.test", ech_present=True)
    assert isinstance(refused, Deny)
    assert refused.code == "ech_not_allowed"
    assert isinstance(decide_client_hello(OPEN, "a.test", "a.test", ech_present=True), Allow)
    # The outer name must still be the right one.
    assert isinstance(decide_client_hello(OPEN, "a.test", "b.test", ech_present=True), Deny)


@given(st.text())
def test_what_a_peer_wrote_is_shown_safely(sni: str) -> None:
    verdict = decide_client_hello(PLAIN, "a.test", sni, ech_present=False)
    if isinstance(verdict, Deny):
        assert verdict.reason.isprintable()
        assert verdict.reason.isascii()
        assert len(verdict.reason) < 3000


def test_letters_that_only_look_alike_are_other_letters() -> None:
    assert not same_name("\u212a.test", "k.test")  # KELVIN SIGN lower-cases to k
