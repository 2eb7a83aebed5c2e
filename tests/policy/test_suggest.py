from dataclasses import replace

from cleanroom.errors import Code
from cleanroom.policy.artifact_pin import ArtifactPin
from cleanroom.policy.compile import compile_nothing
from cleanroom.policy.model import CompiledPolicy, RegistryPolicy
from cleanroom.policy.suggest import (
    MAX_PACKAGES,
    MAX_RULES,
    Refusal,
    Suggestion,
    suggest_rules,
)
from tests.policy.reading import compiled, network

NOTHING = compile_nothing()


def suggested(*refusals: Refusal, policy: CompiledPolicy = NOTHING) -> list[str]:
    return [rule.rule_id for rule in suggest_rules(refusals, policy).rules]


def notes(*refusals: Refusal, policy: CompiledPolicy = NOTHING) -> tuple[str, ...]:
    suggestion = suggest_rules(refusals, policy)
    assert suggestion.rules == ()
    return suggestion.notes


def test_one_rule_a_host_with_the_ports_that_were_asked_for() -> None:
    assert suggested(
        Refusal("b.example", 443),
        Refusal("A.example.", 8443),
        Refusal("a.example", 443),
        Refusal("a.example", 443),
        Refusal("a.example", 80, code=Code.PORT_NOT_ALLOWED),
    ) == ["a.example:80,443,8443", "b.example:443"]


def test_a_name_that_was_only_looked_up_gets_the_commonest_port() -> None:
    assert suggested(Refusal("a.example", 53, protocol="dns")) == ["a.example:443"]


def test_an_address_that_was_dialled_gets_an_address_rule() -> None:
    assert suggested(Refusal("", 5432, "192.0.2.1")) == ["192.0.2.1:5432"]


def test_what_no_rule_can_name_is_left_out() -> None:
    odd = (Refusal("a_b.example", 443), Refusal("", 443, ""), Refusal("a.example", 0))
    assert suggest_rules(odd, NOTHING) == Suggestion(())


def test_what_no_rule_would_lift_is_explained() -> None:
    assert notes(
        Refusal("a.example", 443, "10.0.0.1", code=Code.ADDRESS_NOT_ALLOWED, reason="private: [a]"),
        Refusal("b.example", 443, code=Code.ECH_NOT_ALLOWED),
        Refusal("", 123, "192.0.2.1", protocol="udp"),
        Refusal("", 123, "192.0.2.1", protocol="udp"),
    ) == (
        "private: [a]",
        "b.example hides its name (ECH): turn that off in the client, "
        "or write 'ech: allow' on its rule",
        "192.0.2.1: UDP other than DNS is never allowed",
    )


def test_a_host_of_locked_packages_is_no_rule_but_a_host_of_their_registry() -> None:
    """A rule would reach it past the lock file."""
    pin = ArtifactPin("ms", "2", url="https://cdn.example/ms.tgz", source="web/yarn.lock:7")
    npm = RegistryPolicy("npm", enabled=True, allowed_hosts=("r.test",), artifact_allowlist=(pin,))
    policy = replace(NOTHING, registries=(replace(npm, manager="pypi", enabled=False), npm))
    looked_up = Refusal("cdn.example", 53, protocol="dns")
    assert notes(Refusal("cdn.example", 443), looked_up, policy=policy) == (
        "cdn.example has packages that web/yarn.lock pins: add it to registries.npm.allowed_hosts",
    )
    assert suggested(Refusal("n.example", 443), Refusal("cdn.example", 80), policy=policy) == [
        "cdn.example:80",
        "n.example:443",
    ]


def test_what_the_file_allows_by_now_is_not_suggested_again() -> None:
    policy = compiled(network("{host: a.example, ports: [443]}"))
    assert suggested(Refusal("a.example", 443), policy=policy) == []
    assert suggested(Refusal("a.example", 80), policy=policy) == ["a.example:80"]
    below = compiled(network("{host: '*.example.net', ports: [443]}"))
    assert suggested(Refusal("a.example.net", 443), policy=below) == []
    assert suggested(Refusal("example.net", 443), policy=below) == ["example.net:443"]


def test_a_registry_that_was_enabled_since_needs_no_rule() -> None:
    host = "{enable: true, allowed_hosts: [npm.example]}"
    policy = compiled(f"version: 1\nregistries:\n  npm: {host}\n")
    assert suggested(Refusal("npm.example", 53, protocol="dns"), policy=policy) == []
    assert suggested(Refusal("npm.example", 80), policy=policy) == ["npm.example:80"]
    disabled = compiled(f"version: 1\nregistries:\n  npm: {host.replace('true', 'false')}\n")
    assert suggested(Refusal("npm.example", 443), policy=disabled) == ["npm.example:443"]


def test_a_deny_rule_is_not_contradicted() -> None:
    policy = compiled(network("{host: ads.example, ports: [443]}", section="deny"))
    assert notes(Refusal("ads.example", 443), policy=policy) == (
        "ads.example is denied by line 5 of the policy",
    )
    assert suggested(Refusal("ads.example", 80), policy=policy) == ["ads.example:80"]


def test_a_flood_of_names_does_not_become_a_flood_of_rules() -> None:
    flood = [Refusal(f"data{n:03}.example", 443) for n in range(200)]
    suggestion = suggest_rules(flood, NOTHING)
    assert len(suggestion.rules) == MAX_RULES
    assert suggestion.notes == ("only the first 50 of 200 hosts are suggested",)


def test_of_a_registry_packages_are_said_and_no_rule_suggested() -> None:
    registry = "registries: {npm: {enable: true, allowed_hosts: [r.example]}}"
    policy = compiled(f"version: 1\n{registry}")
    package = Refusal(
        "r.example",
        443,
        code=Code.LOCKFILE_VIOLATION,
        artifact="ms 1.0",
        reason="ms 1.0 is not in package-lock.json",
    )
    assert notes(package, policy=policy) == ("ms 1.0 is not in package-lock.json",)
    assert suggested(Refusal("r.example", 80), policy=policy) == ["r.example:80"]


def test_of_many_packages_some_are_named() -> None:
    npm = RegistryPolicy("npm", enabled=True, allowed_hosts=("r.example",))
    policy = replace(NOTHING, registries=(npm,))

    def many(code: Code) -> list[Refusal]:
        return [
            Refusal("r.example", 443, code=code, reason=f"p{n} 1.0 is not there", artifact=f"p{n}")
            for n in range(MAX_PACKAGES + 2)
            for _ in range(2)
        ]

    told = notes(*many(Code.LOCKFILE_VIOLATION), policy=policy)
    brought = "a package brings what it depends on into the lock file: add those that you asked for"
    assert told[:-2] == tuple(f"p{n} 1.0 is not there" for n in range(MAX_PACKAGES))
    assert told[-2:] == (
        "2 more are not named (lockfile_violation): cleanroom audit --denied",
        brought,
    )
    told = notes(*many(Code.OFFLINE_MISS), policy=policy)
    assert len(told) == MAX_PACKAGES + 1
    assert told[-1] == "2 more are not named (offline_miss): cleanroom audit --denied"
    some = many(Code.LOCKFILE_VIOLATION)
    few = notes(*some[: 2 * MAX_PACKAGES], policy=policy)
    assert len(few) == MAX_PACKAGES + 1
    assert few[-1] == brought
    assert notes(*some[:2], policy=policy) == ("p0 1.0 is not there",)


def test_what_no_rule_lifts_is_not_suggested() -> None:
    assert notes(
        Refusal("a.example", 443, code=Code.SECRET_SCOPE_VIOLATION),
        Refusal("b.example", 443, code=Code.OFFLINE_MISS),
        Refusal("c.example", 443, code=Code.UPSTREAM_CERTIFICATE_INVALID),
    ) == (
        "a.example got a placeholder that it may not have: no network rule allows that,"
        " see docs/secrets.md",
        "b.example is not asked offline: run without --offline",
        "c.example was refused, and no rule lifts that:"
        " cleanroom explain upstream_certificate_invalid",
    )
