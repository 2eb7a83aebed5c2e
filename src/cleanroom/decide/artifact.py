"""May a sandbox fetch this from a registry, and what must its bytes be?

In: the registries of a compiled policy with their pins, a request's host, method and target, the
day. Out: Grant | Refusal. Never: a file, a clock; an artifact of a host that `allowed_hosts` does
not name, whatever a lock file says; a method that writes, where the registry is read-only.
"""

from dataclasses import dataclass, replace
from typing import Final, assert_never

from cleanroom.decide import locked as packages
from cleanroom.decide.commits import Commits, commits_of
from cleanroom.decide.exception import digests_of
from cleanroom.decide.model import Deny
from cleanroom.decide.question import (
    PACKAGES,
    Artifact,
    Metadata,
    Push,
    Service,
    Sound,
    Talk,
    Unsound,
)
from cleanroom.decide.registries import Found, Registries, Registry, find_registry
from cleanroom.errors import Code
from cleanroom.policy.patterns import covered

PASSES: Final = "mode: warn lets it pass"  # how a warning ends
SHOWN: Final = "git is shown branches where lock files pin their commits, wherever hosts have them"
FORBIDDEN: Final = 403
BAD_REQUEST: Final = 400
_READING: Final = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Grant:
    """Yes. `digests` non-empty: the bytes must have one of them ("sha512:<hex>")."""

    manager: str
    kind: str  # "metadata", "artifact", "service"; "talk", "push": a body is still to be judged
    path: str  # the target in its one spelling, without its query
    name: str = ""
    version: str = ""
    file: str = ""
    digests: tuple[str, ...] = ()
    strength: str = ""  # "lockfile", "first-seen", "exception", "unlocked"; artifacts only
    pin: str = ""  # where it is pinned, e.g. "package-lock.json:12"
    cooldown_s: int = 0  # 0: its age does not matter
    has_versions: bool = False  # metadata that lists versions, from which young ones are removed
    excepted: tuple[str, ...] = ()  # versions that stay in it, however young
    sites: tuple[str, ...] = ()  # of its registry: where its dates are, where redirects may lead
    beside: tuple[str, ...] = ()  # sites of other registries at their hosts
    fallback: str = "deny"  # "direct": without the store too
    body: bytes = b""  # what is sent to a git host, in its one spelling; it is asked by POST then
    protocol: str = ""  # the Git-Protocol field
    form: str = ""  # of several answers under one path; "": the client's Accept decides
    commits: Commits | None = None  # of a git repository, that may be had
    is_lasting: bool = True  # the answer to this very request never changes, so it may be kept
    prefix: str = ""  # what the paths of its site begin with

    @property
    def label(self) -> str:
        """What people call it, e.g. "left-pad 1.3.0"."""
        return f"{self.name} {self.version}".strip() or self.file or self.path


@dataclass(frozen=True, slots=True)
class Refusal:
    """No, and with which status the client is told."""

    deny: Deny
    status: int = FORBIDDEN
    label: str = ""


def decide_request(
    registries: Registries, host: str, method: str, target: str, today: str
) -> Grant | Refusal:
    """Judge one request to `host`, a canonical name. `today` is a date in UTC, "2027-01-31"."""
    found = find_registry(registries, host, target)
    if not isinstance(found, Found):
        return _of_none(registries, host, target) if found is None else _unsound(found)
    registry, question = found.registry, found.ask(host)
    if isinstance(question, Unsound):
        return _unsound(question)
    verdict = _judge(registry, question, method, host, today)
    if isinstance(verdict, Grant) and (found.prefix or registry.beside):
        verdict = replace(verdict, prefix=found.prefix, beside=registry.beside)
    is_git = registry.policy.manager == "git"
    if is_git and isinstance(verdict, Grant) and verdict.kind in ("metadata", "talk"):
        return _held(registry, verdict, host, today)
    return verdict


def _unsound(question: Unsound) -> Refusal:
    reason = f"the request has more than one reading: {question.why}"
    return Refusal(Deny(Code.PROTOCOL_NOT_ALLOWED, reason), BAD_REQUEST)


def _of_none(registries: Registries, host: str, target: str) -> Refusal:
    if host not in registries:
        reason = f"{host} is in allowed_hosts of no enabled registry"
        return Refusal(Deny(Code.REGISTRY_NOT_ALLOWED, reason))
    named = ", ".join(f"{host}{prefix}" for prefix in sorted(registries[host]))
    reason = f"of {host} {target.partition('?')[0]} is of no registry: allowed_hosts has {named}"
    return Refusal(Deny(Code.REGISTRY_NOT_ALLOWED, reason))


def _judge(
    registry: Registry, question: Sound, method: str, host: str, today: str
) -> Grant | Refusal:
    match question:
        case Metadata() | Artifact() if method not in _READING:
            return _no_service(method, host)
        case Metadata():
            return _metadata(registry, question, today)
        case Artifact():
            return _artifact(registry, question, today)
        case Push() | Talk() | Service():
            return _service(registry, question, method, host)
        case _:
            assert_never(question)


def _talk(registry: Registry, question: Talk, method: str) -> Grant | Refusal:
    policy, name, path = registry.policy, question.name, question.path
    if method != "POST":
        reason = f"{path} is asked by POST, not by {method}"
        return Refusal(Deny(Code.REGISTRY_NOT_ALLOWED, reason), label=name)
    sites, fallback = policy.allowed_hosts, policy.fallback
    return Grant(policy.manager, "talk", path, name=name, sites=sites, fallback=fallback)


def _push(registry: Registry, question: Push, method: str, host: str) -> Grant | Refusal:
    name, path = question.name, question.path
    known = [pattern for at, pattern in registry.pushed if at == host]
    if not covered(known, name.removesuffix(".git")):
        code, why = Code.REGISTRY_NOT_ALLOWED, "repositories are read there, and nothing may be"
        if known:
            code, why = Code.PUSH_NOT_ALLOWED, f"only {', '.join(known)} may be"
        reason = f"of {host} {path.partition('?')[0]} may not be had: {why} pushed"
        return Refusal(Deny(code, reason), label=name)
    if method != question.method:
        reason = f"{path} is asked by {question.method}, not by {method}"
        return Refusal(Deny(Code.PUSH_NOT_ALLOWED, reason), label=name)
    return Grant(registry.policy.manager, "push", path, name=name)


def _held(registry: Registry, grant: Grant, host: str, today: str) -> Grant | Refusal:
    """Hold a repository that is read to its commits; if none is known, it is not asked at all."""
    name = f"{host}/{grant.name}"
    commits = commits_of(registry.policy, registry.commits, registry.excepted, name, today)
    if commits.is_none:
        reason = f"{grant.name} of {host} is in no lock file: {commits.lockfiles} pins no commit"
        return Refusal(Deny(Code.LOCKFILE_VIOLATION, f"{reason} of it"), label=grant.name)
    return replace(grant, commits=commits)


def _service(
    registry: Registry, question: Push | Talk | Service, method: str, host: str
) -> Grant | Refusal:
    if isinstance(question, Push):
        return _push(registry, question, method, host)
    if isinstance(question, Talk):
        return _talk(registry, question, method)
    if question.why:
        reason = f"of {host} {question.path} may not be had: {question.why}"
        return Refusal(Deny(Code.REGISTRY_NOT_ALLOWED, reason))
    policy = registry.policy
    # SECURITY: a package's file at a place that we cannot read has no pin, whatever it is called.
    is_file = question.path.rstrip("/").lower().endswith(PACKAGES)
    is_unpinned = is_file and policy.lockfile.in_force == "deny_unknown"
    if policy.read_only or method not in _READING or is_unpinned:
        return _no_service(method, host)
    sites, fallback = policy.allowed_hosts, policy.fallback
    return Grant(policy.manager, "service", question.path, sites=sites, fallback=fallback)


def _no_service(method: str, host: str) -> Refusal:
    # Writing stays refused under `read_only: false` too: a body to a registry is not judged yet.
    what = "packages are read there" if method in _READING else f"not {method}: packages are read"
    reason = f"of {host} only packages and their metadata may be had ({what}, nothing else)"
    return Refusal(Deny(Code.REGISTRY_NOT_ALLOWED, reason))


def _metadata(registry: Registry, question: Metadata, today: str) -> Grant | Refusal:
    policy = registry.policy
    if not _may_be_asked(registry, question, today):
        return _unlocked(registry, question)
    excepted = registry.excepted.versions(question.name, today)
    cooldown_s = 0 if "" in excepted or question.of_registry else policy.cooldown_s or 0
    if cooldown_s and not question.versions and not question.of_file:
        reason = f"{question.path} has no dates: under a cooldown only pages with dates are read"
        return Refusal(Deny(Code.COOLDOWN_ACTIVE, reason), label=question.name)
    return Grant(
        policy.manager,
        "metadata",
        question.path,
        name=question.name,
        version=question.version,
        cooldown_s=cooldown_s if question.versions else 0,
        has_versions=question.versions,
        excepted=tuple(sorted(excepted)),
        sites=policy.allowed_hosts,
        fallback=policy.fallback,
    )


def _may_be_asked(registry: Registry, question: Metadata, today: str) -> bool:
    """Tell whether the registry may learn that somebody asks for this."""
    policy = registry.policy
    is_strict = policy.lockfile.in_force == "deny_unknown"
    if question.of_registry or registry.grammar.is_open or not is_strict:
        return True
    name, version = question.name, question.version
    grammar = registry.grammar
    if version:
        is_excepted = registry.excepted.find(name, grammar.version(version), today) is not None
        return is_excepted or (name, version) in registry.locked.versions
    # Clients look for the module of a package among all the parts of its name.
    excepted = registry.excepted.names(today)
    return registry.locked.leads_to(name) or any(
        f"{each}/".startswith(f"{name}/") for each in excepted
    )


def _artifact(registry: Registry, question: Artifact, today: str) -> Grant | Refusal:
    policy, version = registry.policy, registry.grammar.version(question.version)
    exception = registry.excepted.find(question.name, version, today)
    cooldown_s = 0 if exception else policy.cooldown_s or 0
    held = registry.locked.hold(question.name, question.version, question.file)
    digests = held.digests if held is not None else ()
    excepted = digests_of(exception, policy, question)
    if exception is not None and (excepted or not digests):
        digests = excepted
        strength, pin = "exception", f"exceptions: {exception.purl}"
    elif held is not None and (digests or held.is_first_seen):
        strength = "lockfile" if digests else "first-seen"
        pin = held.source
    elif policy.lockfile.in_force == "deny_unknown":
        return _unlocked(registry, question, held)
    else:
        strength, pin, digests = "unlocked", "", ()
    return Grant(
        policy.manager,
        "artifact",
        question.path,
        name=question.name,
        version=question.version,
        file=question.file,
        digests=digests,
        strength=strength,
        pin=pin,
        cooldown_s=cooldown_s,
        sites=policy.allowed_hosts,
        fallback=policy.fallback,
    )


def _unlocked(
    registry: Registry, question: Artifact | Metadata, held: packages.Hold | None = None
) -> Refusal:
    named, locked = registry.lockfiles, registry.locked
    label = f"{question.name} {question.version}".strip()
    why = locked.why_unpinned(question.name, question.version)
    if held is not None:
        reason = f"{label} has no digest in {named} that can be checked"
    elif why:
        reason = f"{label} is not pinned by {named}: {why}"
    elif isinstance(question, Artifact) and _knows_version(registry, question):
        reason = f"{label} is in {named}, but not its file {question.file}"
    elif locked.has(question.name):
        reason = f"{label} is not in {named}, which pins other versions of it"
    else:
        reason = f"{label} is not in {named}"
    return Refusal(Deny(Code.LOCKFILE_VIOLATION, reason), label=label)


def _knows_version(registry: Registry, question: Artifact) -> bool:
    """Tell whether a version is locked of which this file is not: each of Go's has its digest."""
    is_locked = (question.name, question.version) in registry.locked.versions
    return is_locked and not registry.grammar.is_open


def warns_of(registry: Registry, grant: Grant) -> str:
    """Return what a person should know of what passes: that `mode: warn` lets it, or that a list of
    branches is not the host's; "" if nothing."""
    if grant.kind == "metadata" and grant.commits is not None and grant.commits.others is None:
        is_list = bool(grant.body) or not grant.protocol  # version 2 lists them when asked
        return SHOWN if is_list else ""
    if grant.strength != "unlocked" or registry.policy.lockfile.in_force != "warn":
        return ""
    return f"{grant.label} is not in {registry.lockfiles}; {PASSES}"
