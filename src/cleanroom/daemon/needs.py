"""What a policy needs of a backend, why, and whether a backend proved it.

In: a compiled policy and a probe. Out: the missing capabilities, each with what needs it, or the
refusal that names them all. Never: a downgrade, or something accepted and ignored.
"""

from typing import Final

from cleanroom.api.policy_types import MissingCapability
from cleanroom.backends.base import Probe
from cleanroom.errors import Code, Refused, UserError
from cleanroom.policy.capabilities import ISOLATION, needs
from cleanroom.policy.demands import Capability
from cleanroom.policy.explain import NOT_ENFORCED_YET
from cleanroom.policy.model import CompiledPolicy

_FLOORS: Final = tuple(ISOLATION)  # weakest first


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
    return frozenset(policy.required_capabilities) | {ISOLATION[isolation]}


def missing(
    policy: CompiledPolicy, needed: frozenset[Capability], probe: Probe
) -> list[MissingCapability]:
    """Return what is needed and was not proven, in a stable order."""
    because = needs(policy.network, policy.registries, policy.secrets, policy.sandbox)
    return [
        MissingCapability(
            capability=each,
            needed_by=because.get(each, "--isolation"),
            reason=_why_missing(each, probe),
        )
        for each in sorted(needed - probe.capabilities)
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


def _why_missing(need: Capability, probe: Probe) -> str:
    if need in probe.missing:
        return probe.missing[need]
    return "not enforced yet" if need in NOT_ENFORCED_YET else "this host did not prove it"
