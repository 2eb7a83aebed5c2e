"""What a policy needs of a backend, and which of its words need it.

In: the parts of a compiled policy. Out: capabilities with their reasons. Never: a need left out:
what is not needed is not proven, and what is not proven may not be enforced.
"""

from collections.abc import Iterator
from typing import Final

from cleanroom.policy.demands import Capability
from cleanroom.policy.model import (
    CONTENT_CACHE,
    NetworkPolicy,
    RegistryPolicy,
    SandboxPolicy,
    SecretBinding,
)

ALWAYS: Final = (
    Capability.NETWORK_DEFAULT_DENY,
    Capability.NETWORK_HOST_PORT_FILTERING,
    Capability.DNS_CONTROL_OR_EQUIVALENT,
    Capability.POLICY_IMMUTABILITY,
    Capability.AUDIT_EVENT_EMISSION,
)
# A backend that proves a stronger level proves the weaker ones with it.
ISOLATION: Final = {
    "namespaces": Capability.ISOLATION_NAMESPACES,
    "gvisor": Capability.ISOLATION_GVISOR,
    "vm": Capability.ISOLATION_VM,
}


def needs(
    network: NetworkPolicy,
    registries: tuple[RegistryPolicy, ...],
    secrets: tuple[SecretBinding, ...],
    sandbox: SandboxPolicy,
) -> dict[Capability, str]:
    """Return each needed capability with the words of the policy that need it, in enum order."""
    found = dict.fromkeys(ALWAYS, "every policy")
    found.update(_registry_needs([each for each in registries if each.enabled]))
    if secrets:
        found[Capability.SECRET_ISOLATION] = "secrets"
    for rule in network.allow_rules:
        if rule.inspect:
            found.setdefault(Capability.TLS_INSPECTION, f"inspect: true of {rule.rule_id}")
    found.update(_sandbox_needs(sandbox))
    return {need: found[need] for need in Capability if need in found}


def _registry_needs(registries: list[RegistryPolicy]) -> dict[Capability, str]:
    found: dict[Capability, str] = {}
    for each in registries:
        key = f"registries.{each.manager}"
        found.setdefault(Capability.REGISTRY_ENFORCEMENT, f"{key}.enable: true")
        # No host says when a commit came to it: the dates in commits are their authors' word.
        if each.manager == "git" and each.cooldown_s:
            found[Capability.REGISTRY_GIT] = f"{key}.cooldown"
        if each.cache_ref not in (None, CONTENT_CACHE):
            found.setdefault(Capability.NAMED_CACHE, f"{key}.cache_ref: {each.cache_ref}")
    return found


def _sandbox_needs(sandbox: SandboxPolicy) -> Iterator[tuple[Capability, str]]:
    yield ISOLATION[sandbox.isolation], f"sandbox.isolation: {sandbox.isolation}"
    if sandbox.image is not None:
        yield Capability.CUSTOM_IMAGE, "sandbox.image"
    if sandbox.mise.enabled:
        yield Capability.MISE_BOOTSTRAP, "sandbox.mise.enabled: true"
    limits = sandbox.limits
    asked = (
        ("memory", limits.memory_bytes, Capability.LIMIT_MEMORY),
        ("pids", limits.pids, Capability.LIMIT_PIDS),
        ("cpus", limits.cpus, Capability.LIMIT_CPU),
        ("disk", limits.disk_bytes, Capability.LIMIT_DISK),
        ("open_files", limits.open_files, Capability.LIMIT_OPEN_FILES),
        ("output", limits.output_bytes, Capability.LIMIT_OUTPUT),
    )
    for key, value, capability in asked:
        if value is not None:
            yield capability, f"sandbox.resources.{key}"
