"""Connections and dials."""

from dataclasses import replace
from ipaddress import ip_address

import pytest

from cleanroom.decide.address import Guard, make_guard
from cleanroom.decide.model import Allow, Deny
from cleanroom.decide.tcp import (
    decide_connection,
    decide_dial,
    decide_target,
    is_judged_alike,
    parse_address,
)
from cleanroom.policy.hosts import InvalidHostError
from cleanroom.policy.model import CompiledPolicy, RegistryPolicy, SecretBinding
from tests.decide.policies import policy, rule

EXAMPLE = policy("a.test:443", "203.0.113.0/24:22", "2001:db8::/32:22")


@pytest.mark.parametrize(
    ("host", "port", "allowed"),
    [
        ("a.test", 443, True),
        ("A.TEST.", 443, True),
        ("203.0.113.5", 22, True),
        ("[2001:db8::1]", 22, True),
        ("2001:db8::1", 22, True),
        ("203.0.113.5", 443, False),
        ("b.test", 443, False),
    ],
)
def test_a_target_is_judged_as_a_person_writes_it(host: str, port: int, allowed: bool) -> None:  # noqa: FBT001
    assert isinstance(decide_target(EXAMPLE, Guard(), host, port), Allow) is allowed


def test_an_address_that_would_not_be_dialled_is_refused_although_a_rule_allows_it() -> None:
    private = policy("10.0.0.0/8:443", "169.254.169.254:443")
    refused = decide_target(private, Guard(), "10.0.0.1", 443)
    assert isinstance(refused, Deny)
    assert refused.code == "address_not_allowed"
    excepted = make_guard(["10.0.0.1", "169.254.169.254"], [])
    assert isinstance(decide_target(private, excepted, "10.0.0.1", 443), Allow)
    assert isinstance(decide_target(private, excepted, "10.0.0.2", 443), Deny)
    assert isinstance(decide_target(private, excepted, "169.254.169.254", 443), Deny)
    unlisted = decide_target(private, Guard(), "192.168.0.1", 443)
    assert isinstance(unlisted, Deny)
    assert unlisted.code == "host_not_allowed"


@pytest.mark.parametrize("host", ["", "127.1", "0x7f.1", "2130706433", "a\0.test", "a..test"])
def test_what_names_no_host_is_an_error(host: str) -> None:
    with pytest.raises(InvalidHostError):
        decide_target(EXAMPLE, Guard(), host, 443)


def test_a_connection_is_judged_by_its_name_first() -> None:
    assert isinstance(decide_connection(EXAMPLE, "a.test", "198.18.0.16", 443), Allow)
    assert isinstance(decide_connection(EXAMPLE, "b.test", "203.0.113.5", 22), Deny)
    assert isinstance(decide_connection(EXAMPLE, "", "203.0.113.5", 22), Allow)
    assert isinstance(decide_connection(EXAMPLE, "", "198.18.0.16", 443), Deny)
    assert isinstance(decide_connection(EXAMPLE, "", "", 443), Deny)


def test_a_dial_is_judged_by_guard_and_deny_rules() -> None:
    denying = policy("a.test:443", deny=("203.0.113.7:443",))
    assert decide_dial(denying, Guard(), "a.test", ip_address("203.0.113.8"), 443) is None
    assert decide_dial(denying, Guard(), "a.test", ip_address("203.0.113.7"), 443) is not None
    assert decide_dial(denying, Guard(), "a.test", ip_address("127.0.0.1"), 443) is not None
    translated = make_guard(["64:ff9b::/96"], [])
    inner = ip_address("64:ff9b::203.0.113.7")
    assert decide_dial(denying, translated, "a.test", inner, 443) is not None
    assert decide_dial(denying, translated, "a.test", ip_address("64:ff9b::8.8.8.8"), 443) is None
    by_chance = ip_address("2001:db8::203.0.113.7")  # carries nothing
    assert decide_dial(denying, translated, "a.test", by_chance, 443) is None


@pytest.mark.parametrize("text", ["127.1", "0x7f.1", "017.0.0.1", "1", "", "fe80::1%lo", "a.test"])
def test_short_and_odd_addresses_are_none(text: str) -> None:
    assert parse_address(text) is None


NPM = RegistryPolicy("npm", enabled=True, allowed_hosts=("npm.test",))
WHOLE = replace(
    policy("a.test:443,5000", "b.test:443", deny=("198.51.100.0/24:443",)),
    registries=(NPM,),
    secrets=(SecretBinding("gh", "GH", ("a.test",)),),
)


@pytest.mark.parametrize(
    ("new", "otherwise"),
    [
        (WHOLE, ""),
        (replace(WHOLE, network=policy("a.test:443,5000", "b.test:443").network), "all"),
        (replace(WHOLE, network=policy("b.test:443", deny=("198.51.100.0/24:443",)).network),
         "a.test:443 a.test:5000"),
        (replace(WHOLE, network=replace(WHOLE.network, allow_rules=(
            rule("a.test:443,5000", inspect=True), rule("b.test:443", ech=True)))), "a.test:443"
         " a.test:5000 b.test:443"),
        (replace(WHOLE, network=replace(WHOLE.network, deny_rules=(
            *WHOLE.network.deny_rules, rule("c.test:443")))), ""),
        (replace(WHOLE, secrets=()), "a.test:443"),
        (replace(WHOLE, registries=(replace(NPM, cooldown_s=1),)), "npm.test:443"),
        (replace(WHOLE, registries=(replace(NPM, enabled=False),)), "npm.test:443"),
    ],
)  # fmt: skip
def test_a_connection_goes_on_only_if_all_that_is_judged_on_it_is_the_same(
    new: CompiledPolicy, otherwise: str
) -> None:
    places = [("a.test", 443), ("a.test", 5000), ("b.test", 443), ("npm.test", 443)]
    found = [f"{n}:{p}" for n, p in places if not is_judged_alike(WHOLE, new, n, "198.18.0.16", p)]
    assert found == ([f"{n}:{p}" for n, p in places] if otherwise == "all" else otherwise.split())
    assert not is_judged_alike(new, WHOLE, "never.test", "198.18.0.17", 443)


def test_a_connection_to_a_host_of_two_registries_is_judged_by_both() -> None:
    npm = replace(NPM, allowed_hosts=("npm.test/npm",))
    git = RegistryPolicy("git", enabled=True, allowed_hosts=("npm.test",))
    both = replace(WHOLE, registries=(git, npm))
    for less in (
        (replace(git, fallback="direct"), npm),
        (git, replace(npm, cooldown_s=1)),
        (git,),
        (npm,),
    ):
        new = replace(both, registries=less)
        assert not is_judged_alike(both, new, "npm.test", "198.18.0.16", 443)
    assert is_judged_alike(both, replace(both), "npm.test", "198.18.0.16", 443)
