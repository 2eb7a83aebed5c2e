"""Refusals -> the smallest rules that would have let them through, for a person to judge.

In: what a run was refused, and its policy. Out: rules, and notes for what no rule can grant.
Never: a wildcard, a port nobody asked for, or a rule that contradicts a deny rule.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cleanroom.errors import Code
from cleanroom.policy.hosts import InvalidHostError, canonical_host, canonical_network
from cleanroom.policy.model import CompiledPolicy, Rule, RuleKind
from cleanroom.policy.opened import registries_of
from cleanroom.policy.presets import PORT, presets_with
from cleanroom.policy.suggest_packages import RefusedPackage, advice

MAX_RULES: Final = 50
MAX_PACKAGES: Final = 5  # that notes name, of those refused with one code

# A name that was only asked for, never connected to: the port is a guess, the commonest.
_UNKNOWN_PORT: Final = 443
_LOOKUP: Final = "dns"

_NOTES: Final = {
    Code.ECH_NOT_ALLOWED: "hides its name (ECH): turn that off in the client, or write 'ech: allow'"
    " on its rule",
    Code.SNI_MISMATCH: "was asked for by one name and spoken to by another: no rule allows that",
    Code.HOST_HEADER_MISMATCH: "got a request for another host: no rule allows that",
    Code.PROTOCOL_NOT_ALLOWED: "got neither TLS nor HTTP: another protocol needs its own port",
    Code.SECRET_SCOPE_VIOLATION: "got a placeholder that it may not have: no network rule allows"
    " that, see docs/secrets.md",
    Code.OFFLINE_MISS: "is not asked offline: run without --offline",
}
_BROUGHT: Final = (
    "a package brings what it depends on into the lock file: add those that you asked for"
)
_LIFTED: Final = (Code.HOST_NOT_ALLOWED, Code.PORT_NOT_ALLOWED)  # by a rule


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refused connection or lookup. `name` "" means it was dialled by `address` alone."""

    name: str
    port: int
    address: str = ""
    protocol: str = "tcp"
    code: str = Code.HOST_NOT_ALLOWED
    reason: str = ""
    artifact: str = ""  # of a registry
    registry: str = ""  # which one


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Rules to add, sorted, and one sentence for each refusal that no rule lifts."""

    rules: tuple[Rule, ...]
    notes: tuple[str, ...] = ()


class _Notes:
    """Each sentence once, and of the packages refused with one code the first few."""

    def __init__(self) -> None:
        self._said: dict[str, None] = {}
        self._packages: dict[str, set[str]] = {}

    def add(self, note: str, refusal: Refusal | None = None) -> None:
        """Take a sentence, and what it is about where it is about a package."""
        if refusal is not None and refusal.artifact:
            named = self._packages.setdefault(refusal.code, set())
            named.add(refusal.artifact)
            if len(named) > MAX_PACKAGES:
                return
        self._said.setdefault(note)

    def told(self) -> tuple[str, ...]:
        """Return what was said, how many packages were not named, and which need not be added."""
        counts = {code: len(named) - MAX_PACKAGES for code, named in self._packages.items()}
        rest = [_likewise(code, count) for code, count in counts.items() if count > 0]
        if len(self._packages.get(Code.LOCKFILE_VIOLATION, ())) > 1:
            rest.append(_BROUGHT)
        return (*self._said, *rest)


def suggest_rules(refusals: Iterable[Refusal], policy: CompiledPolicy) -> Suggestion:
    """Return what to add to `policy` so that these refusals do not happen again."""
    ports: dict[tuple[RuleKind, str], set[int]] = {}
    notes = _Notes()
    for refusal in refusals:
        target = _target(refusal)
        if target is None:
            continue
        port = _UNKNOWN_PORT if refusal.protocol == _LOOKUP else refusal.port
        note = _note(refusal, policy, target, port)
        if note:
            notes.add(note, refusal)
        elif port and refusal.code in _LIFTED and not _is_allowed(policy, target, port):
            ports.setdefault(target, set()).add(port)
            if (presets := presets_with(target[1])) and port == PORT:
                named = ", ".join(presets)
                notes.add(
                    f"{target[1]} is one of the hosts that sandbox.network.presets: [{named}] names"
                )
    rules = [Rule(*target, tuple(sorted(ports[target]))) for target in sorted(ports)]
    if len(rules) > MAX_RULES:
        notes.add(f"only the first {MAX_RULES} of {len(rules)} hosts are suggested")
    return Suggestion(tuple(rules[:MAX_RULES]), notes.told())


def _likewise(code: str, count: int) -> str:
    """Return what is said of the packages that are too many to name."""
    return f"{count} more are not named ({code}): cleanroom audit --denied"


def _is_allowed(policy: CompiledPolicy, target: tuple[RuleKind, str], port: int) -> bool:
    """Return whether the file allows it by now: it was edited after the run."""
    _, value = target
    if port == PORT and registries_of(policy, value):
        return True
    return any(
        port in rule.ports
        and (
            (rule.kind, rule.value) == target
            or (rule.kind is RuleKind.WILDCARD and value.endswith(f".{rule.value}"))
        )
        for rule in policy.network.allow_rules
    )


def _target(refusal: Refusal) -> tuple[RuleKind, str] | None:
    try:
        if refusal.name:
            return RuleKind.EXACT, canonical_host(refusal.name)
        return RuleKind.NETWORK, canonical_network(refusal.address)
    except InvalidHostError:
        return None  # no rule can name it


def _note(refusal: Refusal, policy: CompiledPolicy, target: tuple[RuleKind, str], port: int) -> str:
    """Return why no rule would help; "" if one would, or nothing needs to be said."""
    kind, value = target
    registries = registries_of(policy, value)
    if registries and refusal.code not in _LIFTED:
        ours = (each for each in registries if each.manager == refusal.registry)
        refused = RefusedPackage(refusal.artifact, refusal.code, refusal.reason)
        return advice(refused, next(ours, registries[0]))
    if refusal.protocol == "udp":
        return f"{value}: UDP other than DNS is never allowed"
    if refusal.code in _NOTES:
        return f"{value} {_NOTES[Code(refusal.code)]}"
    for rule in policy.network.deny_rules:
        if (rule.kind, rule.value) == (kind, value) and port in rule.ports:
            return f"{value} is denied by line {rule.place_of(port).line} of the policy"
    if refusal.code in _LIFTED:
        return _pinned(policy, value) if port == PORT else ""
    told = f"{value} was refused, and no rule lifts that: cleanroom explain {refusal.code}"
    # The guard's reason names the operator's line, where there is one.
    return refusal.reason if refusal.code == Code.ADDRESS_NOT_ALLOWED else told


def _pinned(policy: CompiledPolicy, host: str) -> str:
    """Return that a host has packages of a lock file: a rule would reach it past that file."""
    for registry in policy.registries:
        for pin in registry.artifact_allowlist if registry.enabled else ():
            if f"://{host}/" in pin.url:
                file = pin.source.rpartition(":")[0]
                key = f"registries.{registry.manager}.allowed_hosts"
                return f"{host} has packages that {file} pins: add it to {key}"
    return ""
