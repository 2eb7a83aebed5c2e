"""The normative match semantics: which rule speaks for a name or an address on a port.

In: a compiled policy, a canonical host name or IP address, a port. Out: Allow | Deny.
Never: canonicalisation (cleanroom.policy.hosts did it), or an allow that no rule wrote.

Order: deny exact or IP, allow exact or IP, deny wildcard, allow wildcard, default deny. A wildcard
means any depth below its value and never the value itself. An IP literal is judged by IP and CIDR
rules only.
"""

from collections.abc import Collection, Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Final

from cleanroom.decide.model import Allow, Deny, Verdict
from cleanroom.errors import Code
from cleanroom.policy.model import CompiledPolicy, NetworkPolicy, Rule, RuleKind
from cleanroom.policy.opened import registries_of

Address = IPv4Address | IPv6Address
_HTTPS_PORT: Final = 443
_network = lru_cache(maxsize=8192)(ip_network)  # to read one takes ten times as long as to look


def match_name(policy: CompiledPolicy, name: str, port: int) -> Verdict:
    """Judge `name`, a canonical host name, on `port`.

    A host of an enabled registry is allowed on port 443 as if an exact rule with `inspect: true`
    said so; a rule of its own changes nothing about that.
    """
    network = policy.network
    exact = _first(network, port, RuleKind.EXACT, {name})
    if not isinstance(exact, Deny) and port == _HTTPS_PORT and registries_of(policy, name):
        return Allow(Rule(RuleKind.EXACT, name, (_HTTPS_PORT,), inspect=True))
    if exact is not None:
        return exact
    wildcard = _first(network, port, RuleKind.WILDCARD, _above(name))
    if wildcard is not None:
        return wildcard
    if registries_of(policy, name):
        reason = f"{name} is a host of a registry, which is reached over TLS on port {_HTTPS_PORT}"
        return Deny(Code.PORT_NOT_ALLOWED, reason)
    return _default(name, port, ports_of_name(policy, name))


def match_address(policy: CompiledPolicy, address: Address, port: int) -> Verdict:
    """Judge a dial to the IP literal `address` on `port`, by IP and CIDR rules only."""
    deny_rules, allow_rules = policy.network.deny_rules, policy.network.allow_rules
    for rule in deny_rules:
        if port in rule.ports and _contains(rule, address):
            return _denied(rule)
    rules = [rule for rule in allow_rules if _contains(rule, address)]
    for rule in rules:
        if port in rule.ports:
            return Allow(rule)
    return _default(str(address), port, _ports(rules))


def denied_address(policy: CompiledPolicy, address: Address, port: int) -> Deny | None:
    """Return the denial if a deny rule names `address`, which an allowed name resolved to.

    A deny rule on addresses would be worth nothing if a name could lead there.
    """
    for rule in policy.network.deny_rules:
        if port in rule.ports and _contains(rule, address):
            reason = f"the name resolves to {address}, which the rule {rule.rule_id} denies"
            return Deny(Code.ADDRESS_NOT_ALLOWED, reason, rule)
    return None


def ports_of_name(policy: CompiledPolicy, name: str) -> tuple[int, ...]:
    """Return the ports that allow rules name for `name`, sorted; deny rules may take some away."""
    rules = policy.network.allow_rules
    own = (_HTTPS_PORT,) if registries_of(policy, name) else ()
    above = _above(name)
    named = _ports(
        rule
        for rule in rules
        if (rule.kind is RuleKind.EXACT and rule.value == name)
        or (rule.kind is RuleKind.WILDCARD and rule.value in above)
    )
    return tuple(sorted({*own, *named}))


def _first(
    network: NetworkPolicy, port: int, kind: RuleKind, values: Collection[str]
) -> Verdict | None:
    # A policy may have a thousand rules, and a workload asks as often as it likes: the test that
    # nearly all fail comes first.
    for rule in network.deny_rules:
        if rule.value in values and rule.kind is kind and port in rule.ports:
            return _denied(rule)
    for rule in network.allow_rules:
        if rule.value in values and rule.kind is kind and port in rule.ports:
            return Allow(rule)
    return None


def _denied(rule: Rule) -> Deny:
    return Deny(Code.HOST_NOT_ALLOWED, f"the rule {rule.rule_id} of the policy denies it", rule)


def _above(name: str) -> frozenset[str]:
    """Return the names that lie above one: evilexample.com is not below example.com."""
    labels = name.split(".")
    return frozenset(".".join(labels[start:]) for start in range(1, len(labels)))


def _default(host: str, port: int, allowed_ports: tuple[int, ...]) -> Deny:
    if not allowed_ports:
        return Deny(
            Code.HOST_NOT_ALLOWED, f"no rule of the policy allows {host}; add it to network.allow"
        )
    listed = ", ".join(map(str, allowed_ports))
    reason = f"the policy allows {host} on port {listed} only; add port {port} to its rule"
    return Deny(Code.PORT_NOT_ALLOWED, reason)


def _contains(rule: Rule, address: Address) -> bool:
    return rule.kind is RuleKind.NETWORK and address in _network(rule.value)


def _ports(rules: Iterable[Rule]) -> tuple[int, ...]:
    return tuple(sorted({port for rule in rules for port in rule.ports}))
