"""What a policy needs of a backend, why, and whether a backend proved it.

In: a compiled policy and a probe. Out: the missing capabilities, each with what needs it, or the
refusal that names them all. Never: a downgrade, or something accepted and ignored.
"""

from collections.abc import Mapping
from typing import Final

from cleanroom.api.policy_types import MissingCapability
from cleanroom.backends.base import Probe
from cleanroom.errors import Code, Refused, UserError
from cleanroom.policy.model import Capability, CompiledPolicy

_ISOLATION: Final = {
    "namespaces": Capability.ISOLATION_NAMESPACES,
    "gvisor": Capability.ISOLATION_GVISOR,
    "vm": Capability.ISOLATION_VM,
}
_FLOORS: Final = tuple(_ISOLATION)  # weakest first

_LATER: Final = {
    Capability.REGISTRY_ENFORCEMENT: "registries are parsed and explained, not enforced yet",
    Capability.SECRET_ISOLATION: "secrets are parsed and explained, not injected yet",
    Capability.CUSTOM_IMAGE: "custom images are not supported yet",
    Capability.MISE_BOOTSTRAP: "mise is parsed and explained, not bootstrapped yet",
    Capability.TLS_INSPECTION: "opening TLS is not supported yet",
    Capability.ISOLATION_GVISOR: "gVisor sandboxes are not supported yet",
    Capability.ISOLATION_VM: "virtual machines are not supported yet",
}


def isolation_floor(policy: CompiledPolicy, asked: str | None) -> str:
    """Return the stronger of the policy's floor and the caller's. Raises UserError."""
    if asked is None:
        return policy.sandbox.isolation
    if asked not in _FLOORS:
        message = f"cannot isolate by '{asked[:40]}'"
        hint = f"one of: {', '.join(_FLOORS)}"
        raise UserError(Code.REQUEST_INVALID, message, hint)
    return max(policy.sandbox.isolation, asked, key=_FLOORS.index)


def needs_of(policy: CompiledPolicy, isolation: str) -> frozenset[Capability]:
    """Return all that must be proven to run this policy with this isolation floor."""
    return frozenset(policy.required_capabilities) | {_ISOLATION[isolation]}


def missing(
    policy: CompiledPolicy, needs: frozenset[Capability], probe: Probe
) -> list[MissingCapability]:
    """Return what is needed and was not proven, in a stable order."""
    reasons = _reasons(policy)
    return [
        MissingCapability(
            capability=need,
            needed_by=reasons.get(need, _default_reason(need)),
            reason=_why_missing(need, probe.missing),
        )
        for need in sorted(needs - probe.capabilities)
    ]


def refusal(backend: str, absent: list[MissingCapability]) -> Refused:
    """Return the error that names each missing capability and what needs it."""
    listed = "; ".join(
        f"{each.capability} (needed by {each.needed_by}): {each.reason}" for each in absent
    )
    return Refused(
        Code.BACKEND_CAPABILITY_MISMATCH,
        f"cannot run this policy on '{backend}': {listed}",
        "change the policy, or run: cleanroom doctor",
    )


def _why_missing(need: Capability, missing_by_backend: Mapping[str, str]) -> str:
    if need in missing_by_backend:
        return missing_by_backend[need]
    return _LATER.get(need, "this host did not prove it")


def _default_reason(need: Capability) -> str:
    return "--isolation" if need in _ISOLATION.values() else "every policy"


def _reasons(policy: CompiledPolicy) -> dict[Capability, str]:
    """Return which words of the policy need a capability."""
    found: dict[Capability, str] = {
        _ISOLATION[policy.sandbox.isolation]: f"sandbox.isolation: {policy.sandbox.isolation}"
    }
    enabled = [each.manager for each in policy.registries if each.enabled]
    if enabled:
        found[Capability.REGISTRY_ENFORCEMENT] = ", ".join(
            f"registries.{manager}.enable: true" for manager in enabled
        )
    if policy.secrets:
        found[Capability.SECRET_ISOLATION] = "secrets"
    if policy.sandbox.image is not None:
        found[Capability.CUSTOM_IMAGE] = "sandbox.image"
    if policy.sandbox.mise.enabled:
        found[Capability.MISE_BOOTSTRAP] = "sandbox.mise.enabled: true"
    inspected = [rule for rule in policy.network.allow_rules if rule.inspect]
    if inspected:
        found[Capability.TLS_INSPECTION] = f"inspect: true (line {inspected[0].place.line})"
    return found | _limit_reasons(policy)


def _limit_reasons(policy: CompiledPolicy) -> dict[Capability, str]:
    limits = policy.sandbox.limits
    asked = {
        Capability.LIMIT_MEMORY: ("memory", limits.memory_bytes),
        Capability.LIMIT_PIDS: ("pids", limits.pids),
        Capability.LIMIT_CPU: ("cpus", limits.cpus),
        Capability.LIMIT_DISK: ("disk", limits.disk_bytes),
        Capability.LIMIT_OPEN_FILES: ("open_files", limits.open_files),
        Capability.LIMIT_OUTPUT: ("output", limits.output_bytes),
    }
    return {
        capability: f"sandbox.resources.{word}"
        for capability, (word, value) in asked.items()
        if value is not None
    }
