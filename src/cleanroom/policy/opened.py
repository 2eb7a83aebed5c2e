"""Which names have their TLS opened: only those that the policy must see into.

In: a compiled policy. Out: the names a sandbox's certificate authority may speak for; whether one
connection is opened, or every one. Never: an address, or a name that no allow rule, registry or
secret names.
"""

from dataclasses import dataclass

from cleanroom.policy.model import CompiledPolicy, RegistryPolicy, Rule, RuleKind, SecretBinding
from cleanroom.policy.sites import hosts_of


@dataclass(frozen=True, slots=True, order=True)
class OpenedName:
    """A canonical host name; with `below` every name under it, not itself."""

    value: str
    below: bool = False


def opened_names(policy: CompiledPolicy) -> tuple[OpenedName, ...]:
    """Return every name that may be opened, sorted; () if the policy opens nothing."""
    inspected = {
        OpenedName(rule.value, rule.kind is RuleKind.WILDCARD)
        for rule in policy.network.allow_rules
        if rule.inspect
    }
    registries = set(map(OpenedName, registry_hosts(policy)))
    secrets = {OpenedName(host) for secret in policy.secrets for host in secret.allowed_hosts}
    return tuple(sorted(inspected | registries | secrets))


def registry_hosts(policy: CompiledPolicy) -> frozenset[str]:
    """Return the hosts of the enabled registries."""
    enabled = (registry for registry in policy.registries if registry.enabled)
    return frozenset(host for registry in enabled for host in hosts_of(registry.allowed_hosts))


def registries_of(policy: CompiledPolicy, name: str) -> tuple[RegistryPolicy, ...]:
    """Return the enabled registries that this name is a host of: each has its own paths."""
    return tuple(
        each for each in policy.registries if each.enabled and name in hosts_of(each.allowed_hosts)
    )


def is_opened(policy: CompiledPolicy, rule: Rule, name: str, port: int) -> bool:
    """Tell whether TLS of a connection to `name`, allowed by `rule`, is to be opened."""
    if not name:
        return False
    return (
        rule.inspect or bool(registries_of(policy, name)) or bool(bindings_of(policy, name, port))
    )


def opens_all(policy: CompiledPolicy) -> bool:
    """Tell whether no TLS passes unopened: then no other authority is met than the sandbox's.

    What only a secret opens does not count: a living sandbox may lose that, and keep the host.
    """
    return bool(opened_names(policy)) and all(
        rule.inspect or (rule.kind is RuleKind.EXACT and bool(registries_of(policy, rule.value)))
        for rule in policy.network.allow_rules
    )


def bindings_of(policy: CompiledPolicy, name: str, port: int) -> tuple[SecretBinding, ...]:
    """Return the secrets that may go to a port of a host."""
    return tuple(
        each for each in policy.secrets if name in each.allowed_hosts and port in each.ports
    )


def is_told(policy: CompiledPolicy, name: str) -> bool:
    """Tell whether a secret may go to a host, at whatever port."""
    return any(name in secret.allowed_hosts for secret in policy.secrets)
