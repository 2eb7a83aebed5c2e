"""Which names are opened."""

from dataclasses import replace

from cleanroom.policy.model import CompiledPolicy, RegistryPolicy, Rule, RuleKind, SecretBinding
from cleanroom.policy.opened import (
    OpenedName,
    is_opened,
    is_told,
    opened_names,
    opens_all,
    registries_of,
)
from tests.decide.policies import policy, rule

RELAYED = rule("a.test:443")
NPM = RegistryPolicy("npm", enabled=True, allowed_hosts=("npm.test",))


def with_registries(*registries: RegistryPolicy) -> CompiledPolicy:
    return replace(policy(RELAYED), registries=registries)


def test_rules_registries_and_secrets_name_what_is_opened() -> None:
    rules = (RELAYED, rule("b.test:443", inspect=True), rule("*.c.test:443", inspect=True))
    secret = SecretBinding("token", "TOKEN", ("s.test",))
    opened = replace(policy(*rules), registries=(NPM,), secrets=(secret,))
    assert opened_names(opened) == (
        OpenedName("b.test"),
        OpenedName("c.test", below=True),
        OpenedName("npm.test"),
        OpenedName("s.test"),
    )
    assert opened_names(policy(RELAYED)) == ()


def test_a_registry_that_is_not_enabled_opens_nothing() -> None:
    off = with_registries(replace(NPM, enabled=False))
    assert opened_names(off) == ()
    assert registries_of(off, "npm.test") == ()
    assert registries_of(with_registries(NPM), "npm.test") == (NPM,)
    assert registries_of(with_registries(NPM), "x.npm.test") == ()


def test_a_connection_is_opened_for_its_rule_its_registry_or_its_secret() -> None:
    assert not is_opened(policy(RELAYED), RELAYED, "a.test", 443)
    inspected = rule("a.test:8443", inspect=True)
    assert is_opened(policy(inspected), inspected, "a.test", 8443)
    allowed = Rule(RuleKind.EXACT, "npm.test", (443,))
    assert is_opened(with_registries(NPM), allowed, "npm.test", 443)
    secret = SecretBinding("token", "TOKEN", ("a.test",))
    bound = replace(policy(RELAYED), secrets=(secret,))
    assert is_opened(bound, RELAYED, "a.test", 443)
    assert not is_opened(bound, RELAYED, "a.test", 22)
    assert is_told(bound, "a.test")
    assert not is_told(bound, "b.test")


def test_an_address_is_never_opened() -> None:
    inspected = rule("203.0.113.0/24:443", inspect=True)
    assert not is_opened(policy(inspected), inspected, "", 443)


def test_all_is_opened_only_where_no_rule_lets_tls_pass_as_it_is() -> None:
    inspected, below = rule("b.test:443", inspect=True), rule("*.c.test:443", inspect=True)
    secret = SecretBinding("token", "TOKEN", ("s.test",))
    assert opens_all(replace(policy(), registries=(NPM,)))
    assert opens_all(policy(inspected, below))
    assert opens_all(replace(policy(rule("npm.test:443")), registries=(NPM,)))
    assert not opens_all(replace(policy(rule("s.test:443")), secrets=(secret,)))
    assert not opens_all(policy())
    assert not opens_all(with_registries(NPM))
    assert not opens_all(policy(inspected, rule("203.0.113.0/24:443")))
    above = replace(NPM, allowed_hosts=("c.test",))
    assert not opens_all(replace(policy(rule("*.c.test:443")), registries=(above,)))
