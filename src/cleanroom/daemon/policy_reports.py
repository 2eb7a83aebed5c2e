"""Compiled policies and verdicts as messages of the API. Pure.

In: a CompiledPolicy and where it would run. Out: PolicyReport, PolicyRule, PolicyCheck.
Never: a secret's value; there is none in a policy.
"""

from collections.abc import Iterable
from typing import Final

from cleanroom.api.policy_types import (
    GitReport,
    PolicyChange,
    PolicyCheck,
    PolicyCheckRequest,
    PolicyReport,
    PolicyRule,
    PushReport,
    RegistryReport,
    SandboxReport,
    SecretReport,
)
from cleanroom.daemon.backends import Place
from cleanroom.decide.model import Allow, Deny, Verdict
from cleanroom.policy.demands import Limits
from cleanroom.policy.explain import explain, first_seen, packages, unpinned_text
from cleanroom.policy.model import CompiledPolicy, Rule, RuleKind, SecretBinding
from cleanroom.policy.opened import registries_of
from cleanroom.policy.widening import Difference

_UNPINNED: Final = 1000  # entries that a report lists


def report_of(policy: CompiledPolicy, place: Place, notes: Iterable[str]) -> PolicyReport:
    """Return the effective plan of a policy at a place."""
    return PolicyReport(
        policy_hash=policy.policy_hash,
        path=policy.source_path,
        default_action=policy.network.default_action,
        allow=[rule_of(rule) for rule in policy.network.allow_rules],
        deny=[rule_of(rule) for rule in policy.network.deny_rules],
        registries=_registries(policy),
        secrets=list(map(_secret, policy.secrets)),
        sandbox=SandboxReport(
            ttl_s=policy.sandbox.ttl_s,
            isolation=policy.sandbox.isolation,
            image=policy.sandbox.image,
            resources=_resources(policy.sandbox.limits),
            mise=policy.sandbox.mise.enabled,
        ),
        backend=place.name,
        required_capabilities=sorted(policy.required_capabilities),
        missing_capabilities=place.missing,
        runnable=not place.missing,
        notes=[*notes, *explain(policy).notes],
        project=dict(policy.labels.project),
        metadata=dict(policy.labels.metadata),
    )


def _secret(binding: SecretBinding) -> SecretReport:
    git, push = binding.git, binding.git.push if binding.git else None
    pushed = PushReport(list(push.branches), push.force, push.delete) if push else None
    said = GitReport(list(git.repositories), pushed) if git else None
    return SecretReport(binding.secret_id, binding.env, list(binding.allowed_hosts), said)


def rule_of(rule: Rule) -> PolicyRule:
    """Return one rule."""
    return PolicyRule(
        rule=rule.rule_id,
        kind=rule.kind,
        host=f"*.{rule.value}" if rule.kind is RuleKind.WILDCARD else rule.value,
        ports=list(rule.ports),
        line=rule.place.line,
        inspect=rule.inspect,
        ech=rule.ech_allowed,
    )


def changes_of(found: Difference) -> list[PolicyChange]:
    """Return what differs, the wider first."""
    wider = [PolicyChange(effect="wider", text=each.text()) for each in found.wider]
    narrower = [PolicyChange(effect="narrower", text=each.text()) for each in found.narrower]
    return wider + narrower


def check_of(policy: CompiledPolicy, verdict: Verdict, request: PolicyCheckRequest) -> PolicyCheck:
    """Return the verdict on a target."""
    rule = verdict.rule
    spoken = rule.rule_id if rule is not None else ""
    line = rule.place_of(request.port).line if rule is not None else 0
    match verdict:
        case Allow():
            registries = registries_of(policy, rule.value) if rule is not None else ()
            return PolicyCheck(
                allowed=True,
                host=request.host,
                port=request.port,
                rule=spoken,
                line=line,
                registry=" and ".join(packages(policy, each) for each in registries),
            )
        case Deny(code=code, reason=reason):
            return PolicyCheck(
                allowed=False,
                host=request.host,
                port=request.port,
                rule=spoken,
                line=line,
                code=code,
                reason=reason,
            )


def _registries(policy: CompiledPolicy) -> list[RegistryReport]:
    return [
        RegistryReport(
            manager=each.manager,
            enabled=each.enabled,
            allowed_hosts=list(each.allowed_hosts),
            cache_ref=each.cache_ref,
            fallback=each.fallback,
            lockfile_mode=each.lockfile.in_force,
            lockfiles=list(each.lockfile.lockfiles),
            pinned=len(each.artifact_allowlist) - first_seen(each),
            first_seen=first_seen(each),
            unpinned=[unpinned_text(entry) for entry in each.unpinned[:_UNPINNED]],
        )
        for each in policy.registries
    ]


def _resources(limits: Limits) -> dict[str, float]:
    asked = {
        "memory": limits.memory_bytes,
        "pids": limits.pids,
        "cpus": limits.cpus,
        "disk": limits.disk_bytes,
        "open_files": limits.open_files,
        "output": limits.output_bytes,
    }
    return {name: value for name, value in asked.items() if value is not None}
