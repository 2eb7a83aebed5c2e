"""Which rule speaks: the normative order, as a table."""

from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.decide.match import denied_address, match_address, match_name, ports_of_name
from cleanroom.decide.model import Allow, Deny
from cleanroom.policy.model import CompiledPolicy, RegistryPolicy
from tests.decide.policies import policy

EXAMPLE = policy(
    "a.test:443",
    "*.wild.test:443,8443",
    "deep.no.wild.test:443",
    "both.wild.test:22",
    deny=("*.no.wild.test:443", "bad.wild.test:443"),
)


@pytest.mark.parametrize(
    ("name", "port", "expected"),
    [
        ("a.test", 443, "a.test:443"),
        ("a.test", 80, "port_not_allowed"),
        ("xa.test", 443, "host_not_allowed"),
        ("x.a.test", 443, "host_not_allowed"),
        ("x.wild.test", 443, "*.wild.test:443,8443"),
        ("x.y.z.wild.test", 8443, "*.wild.test:443,8443"),
        ("wild.test", 443, "host_not_allowed"),  # never the apex
        ("evilwild.test", 443, "host_not_allowed"),  # a suffix is no label
        ("x.no.wild.test", 443, "host_not_allowed"),  # deny wildcard before allow wildcard
        ("x.no.wild.test", 8443, "*.wild.test:443,8443"),  # the deny is on 443 only
        ("deep.no.wild.test", 443, "deep.no.wild.test:443"),  # allow exact before deny wildcard
        ("bad.wild.test", 443, "host_not_allowed"),  # deny exact first of all
        ("both.wild.test", 443, "*.wild.test:443,8443"),  # exact on another port says nothing
        ("both.wild.test", 25, "port_not_allowed"),
        ("", 443, "host_not_allowed"),
    ],
)
def test_a_name_is_judged_in_the_normative_order(name: str, port: int, expected: str) -> None:
    match match_name(EXAMPLE, name, port):
        case Allow(rule):
            assert rule.rule_id == expected
        case Deny(code=code):
            assert code == expected


@pytest.mark.parametrize(
    ("address", "port", "expected"),
    [
        ("203.0.113.9", 5432, "203.0.113.0/24:5432"),
        ("203.0.113.9", 80, "port_not_allowed"),
        ("203.0.113.7", 5432, "host_not_allowed"),
        ("198.51.100.1", 443, "host_not_allowed"),  # `*.test` is about names
        ("2001:db8::5", 443, "2001:db8::/32:443"),
        ("::ffff:203.0.113.9", 5432, "host_not_allowed"),
    ],
)
def test_an_address_is_judged_by_address_rules_only(address: str, port: int, expected: str) -> None:
    rules = ("203.0.113.0/24:5432", "2001:db8::/32:443", "*.test:443", "a.test:443")
    example = policy(*rules, deny=("203.0.113.7:5432",))
    match match_address(example, ip_address(address), port):
        case Allow(rule):
            assert rule.rule_id == expected
        case Deny(code=code):
            assert code == expected


def test_a_denial_names_the_rule_that_spoke_or_what_to_add() -> None:
    denied = match_name(EXAMPLE, "bad.wild.test", 443)
    assert isinstance(denied, Deny)
    assert denied.rule is not None
    assert denied.rule.place.line == 7
    unknown = match_name(EXAMPLE, "b.test", 443)
    assert isinstance(unknown, Deny)
    assert "add it to network.allow" in unknown.reason
    port = match_name(EXAMPLE, "x.wild.test", 80)
    assert isinstance(port, Deny)
    assert "443, 8443" in port.reason


def test_a_name_cannot_lead_to_an_address_that_a_rule_denies() -> None:
    example = policy("a.test:443", deny=("203.0.113.0/24:443",))
    denied = denied_address(example, ip_address("203.0.113.9"), 443)
    assert denied is not None
    assert denied.code == "address_not_allowed"
    assert denied_address(example, ip_address("203.0.113.9"), 80) is None
    assert denied_address(example, ip_address("203.0.114.9"), 443) is None


def test_the_ports_of_a_name_are_those_of_all_its_rules() -> None:
    assert ports_of_name(EXAMPLE, "both.wild.test") == (22, 443, 8443)
    assert ports_of_name(EXAMPLE, "b.test") == ()


@given(st.text(alphabet="ab.*-", max_size=12), st.integers(1, 65535))
def test_an_empty_policy_allows_nothing(name: str, port: int) -> None:
    empty = CompiledPolicy("sha256:0", "")
    assert isinstance(match_name(empty, name, port), Deny)
    assert isinstance(match_address(empty, ip_address(port), port), Deny)


def test_a_registrys_host_is_allowed_on_443_and_opened_whatever_a_rule_says() -> None:
    npm = RegistryPolicy("npm", enabled=True, allowed_hosts=("npm.test",))
    for rules in ((), ("npm.test:80,443",), ("*.test:443",)):
        verdict = match_name(replace(policy(*rules), registries=(npm,)), "npm.test", 443)
        assert isinstance(verdict, Allow)
        assert verdict.rule.inspect
    alone = replace(policy(), registries=(npm,))
    refused = match_name(alone, "npm.test", 80)
    assert isinstance(refused, Deny)
    assert refused.code == "port_not_allowed"
    assert "npm.test is a host of a registry" in refused.reason  # no rule would help
    assert isinstance(match_name(alone, "x.npm.test", 443), Deny)
    denied = replace(policy(deny=("npm.test:443",)), registries=(npm,))
    assert isinstance(match_name(denied, "npm.test", 443), Deny)
    off = replace(alone, registries=(replace(npm, enabled=False),))
    assert isinstance(match_name(off, "npm.test", 443), Deny)
