"""A compiled policy in words: what may be reached, what is refused, what it needs to run.

In: a compiled policy. Out: a Plan of sentences. Never: anything the policy does not enforce said as
if it did.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cleanroom.lockfile.model import Strength
from cleanroom.policy.capabilities import needs
from cleanroom.policy.demands import Capability
from cleanroom.policy.merge import host_text
from cleanroom.policy.model import (
    CompiledPolicy,
    NetworkPolicy,
    Place,
    RegistryPolicy,
    Rule,
    RuleKind,
    SecretBinding,
    UnpinnedArtifact,
)
from cleanroom.policy.widening_secrets import secret_text

# What is parsed today and enforced by no backend: a policy that needs it refuses to run.
NOT_ENFORCED_YET: Final = frozenset(
    {
        Capability.REGISTRY_GIT,
        Capability.NAMED_CACHE,
        Capability.CUSTOM_IMAGE,
        Capability.ISOLATION_GVISOR,
        Capability.ISOLATION_VM,
    }
)

_SHOWN: Final = 10  # entries of lock files that notes list

# Where a cooldown has its dates from, if a person would not guess it.
_DATES: Final = {
    "cargo": "`pubtime` of the index, and hides crates without one: some registries have none",
    "go": "the date of a version's commit, which its author can set; lists have none: refused",
}


@dataclass(frozen=True, slots=True)
class Need:
    """A capability a backend must prove, and which words of the policy need it."""

    capability: Capability
    because: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Sentences by subject, without full stop."""

    reach: tuple[str, ...]
    refused: tuple[str, ...]
    sandbox: tuple[str, ...]
    needs: tuple[Need, ...]
    notes: tuple[str, ...]

    def lines(self) -> tuple[str, ...]:
        """Return the whole plan as lines for a terminal."""
        return (
            "May be reached:",
            *_indented(self.reach or ("nothing",)),
            "Is refused:",
            *_indented(self.refused),
            "The sandbox:",
            *_indented(self.sandbox),
            "A backend must prove:",
            *_indented(tuple(f"{need.capability} ({need.because})" for need in self.needs)),
        )


def explain(policy: CompiledPolicy) -> Plan:
    """Return what `policy` means for whoever reads it."""
    found = needs(policy.network, policy.registries, policy.secrets, policy.sandbox)
    wanted = tuple(Need(capability, because) for capability, because in found.items())
    return Plan(
        reach=(
            *map(_reach, policy.network.allow_rules),
            *_packages(policy),
            *map(_secret, policy.secrets),
        ),
        refused=(*map(_refused, policy.network.deny_rules), "everything else"),
        sandbox=tuple(_sandbox(policy)),
        needs=wanted,
        notes=tuple(_notes(policy, wanted)),
    )


def rule_words(rule: Rule) -> str:
    """Return who a rule names and on which ports: `api.example on ports 80 and 443`."""
    who = _who(rule)
    ports = list(map(str, rule.ports))
    if len(ports) == 1:
        return f"{who} on port {ports[0]}"
    return f"{who} on ports {', '.join(ports[:-1])} and {ports[-1]}"


def _who(rule: Rule) -> str:
    if rule.kind is RuleKind.EXACT:
        return rule.value
    if rule.kind is RuleKind.WILDCARD:
        return f"every name below {rule.value}, not {rule.value} itself,"
    return f"{'addresses in' if '/' in rule.value else 'address'} {rule.value}"


def _reach(rule: Rule) -> str:
    inspected = ", TLS opened" if rule.inspect else ""
    hidden = ", hidden names (ECH) allowed" if rule.ech_allowed else ""
    return f"{rule_words(rule)}{inspected}{hidden}{_at(rule.place)}"


def _at(place: Place) -> str:
    """Return who says so and where, in brackets; a recipe stands in no line."""
    words = [place.preset, f"line {place.line}" if place.line else ""]
    said = ", ".join(filter(None, words))
    return f" ({said})" if said else ""


def _packages(policy: CompiledPolicy) -> Iterator[str]:
    for registry in policy.registries:
        if registry.enabled:
            yield packages(policy, registry, f" at {', '.join(registry.allowed_hosts)}")


def packages(policy: CompiledPolicy, registry: RegistryPolicy, where: str = "") -> str:
    """Return what an enabled registry gives: `packages of npm, TLS opened, only what …`."""
    if registry.manager == "git":
        held = f"{_but(policy)}{_held(registry, 'commit')}{_aged(registry)}"
        return f"git repositories{where}, TLS opened, read only{held or ', whatever they have'}"
    return f"packages of {registry.manager}{where}, TLS opened{_held(registry)}{_aged(registry)}"


def _but(policy: CompiledPolicy) -> str:
    """Git repositories may be written with a secret only, which has a line of its own."""
    pushes = any(each.git is not None and each.git.push is not None for each in policy.secrets)
    return " but for what a secret may push" if pushes else ""


def _secret(binding: SecretBinding) -> str:
    if binding.git is not None:
        return f"the secret {secret_text(binding)}, in git's requests{_at(binding.place)}"
    field = f"header {binding.header}" if binding.header else "header"
    where = ", ".join(field if spot == "header" else spot for spot in binding.target)
    methods = f"{', '.join(binding.methods)} " if binding.methods else ""
    below = f" below {', '.join(binding.paths)}" if binding.paths else ""
    once = ", once" if binding.single_use else ""
    sent = f"in {where} of {methods}requests{below}{once}, TLS opened{_at(binding.place)}"
    return f"the secret {secret_text(binding)}, {sent}"


def _held(registry: RegistryPolicy, what: str = "artifact") -> str:
    lockfile = registry.lockfile
    named = ", ".join(lockfile.lockfiles)
    if lockfile.in_force == "off":
        return ", whatever it has" if registry.manager != "git" else ""
    loose = first_seen(registry)
    some = f", {loose} by name and version only" if loose else ""
    count = len(registry.artifact_allowlist)
    verb = "pins" if len(lockfile.lockfiles) == 1 else "pin"
    pinned = f"{named} {verb} ({count} {what}{'' if count == 1 else 's'}{some})"
    if lockfile.mode == "warn":
        return f", with a warning about all but what {pinned}"
    return f", only what {pinned}"


def _aged(registry: RegistryPolicy) -> str:
    # Of git it is not enforced: the policy does not run.
    days = (registry.cooldown_s or 0) / 86_400 if registry.manager != "git" else 0
    old = f", published {days:g} days ago or earlier" if days else ""
    past = ", from the registry itself if the cache fails" if registry.fallback == "direct" else ""
    excepted = [f"{each.purl} until {each.expires}" for each in registry.exceptions]
    more = [f"{len(excepted) - _SHOWN} more"] if len(excepted) > _SHOWN else []
    by_name = f"; also {', '.join([*excepted[:_SHOWN], *more])}" if excepted else ""
    return f"{old}{past}{by_name}"


def first_seen(registry: RegistryPolicy) -> int:
    """Return how many artifacts are held to the digest that is seen first."""
    return sum(pin.strength == Strength.FIRST_SEEN for pin in registry.artifact_allowlist)


def unpinned_text(entry: UnpinnedArtifact) -> str:
    """Return an entry of a lock file that nothing can be held to, as a person reads it."""
    name = f"{entry.name} {entry.version}".strip()
    return f"{entry.source}: {name} is not pinned: {entry.reason}"


def _refused(rule: Rule) -> str:
    return f"{rule_words(rule)} (line {rule.place.line})"


def _sandbox(policy: CompiledPolicy) -> Iterator[str]:
    sandbox = policy.sandbox
    yield f"lives {sandbox.ttl_s // 60} minutes at most"
    yield f"is isolated by {sandbox.isolation} or stronger"
    if sandbox.image is not None:
        yield f"has the root file system of {sandbox.image}"
    overrides = "may" if policy.backends.allow_overrides else "may not"
    yield f"runs on {policy.backends.default}; --backend {overrides} name another place"


def _notes(policy: CompiledPolicy, wanted: tuple[Need, ...]) -> Iterator[str]:
    for need in wanted:
        if need.capability in NOT_ENFORCED_YET:
            yield f"{need.because} is parsed, not enforced yet: this policy cannot run"
    has_registry = any(each.enabled for each in policy.registries)
    if policy.source_path and not policy.network.allow_rules and not has_registry:
        yield "sandbox.network allows nothing: every connection is refused"
    yield from _half_denied(policy.network)
    for registry in policy.registries:
        if not registry.enabled:
            yield f"registries.{registry.manager} is not enabled: its hosts need network rules"
        elif registry.cooldown_s and registry.manager in _DATES:
            yield f"registries.{registry.manager}.cooldown goes by {_DATES[registry.manager]}"
        yield from map(unpinned_text, registry.unpinned[:_SHOWN])
        if (rest := len(registry.unpinned) - _SHOWN) > 0:
            yield f"registries.{registry.manager}: {rest} more entries of lock files are not pinned"


def _half_denied(network: NetworkPolicy) -> Iterator[str]:
    """Name deny rules that leave a port open: without `ports` they deny 80 and 443 only."""
    for deny in network.deny_rules:
        allowed = {
            port for rule in network.allow_rules if _covers(rule, deny) for port in rule.ports
        }
        left = sorted(allowed.difference(deny.ports))
        if left:
            ports = ", ".join(map(str, left))
            who = host_text(deny)
            yield f"{who} stays allowed on port {ports}: its deny rule names other ports"


def _covers(allow: Rule, deny: Rule) -> bool:
    above = allow.kind is RuleKind.WILDCARD and deny.value.endswith(f".{allow.value}")
    return above or (allow.kind, allow.value) == (deny.kind, deny.value)


def _indented(lines: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"  {line}" for line in lines)
