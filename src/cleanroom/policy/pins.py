"""(Policy, lock files) -> the policy with the pins of each registry.

In: a policy as written; what was read of each lock file, by its path relative to the policy. Out:
Pinned, or every lock file that cannot be read with its place. Never: a host that only a lock file
names; a policy that enforces lock files of which none is there.
"""

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Final

from cleanroom.lockfile.collector import GIT
from cleanroom.lockfile.digests import without_weak
from cleanroom.lockfile.model import Ecosystem, LockfileError, Pin, Reading, Strength, Unpinned
from cleanroom.lockfile.names import host_of, registry_package
from cleanroom.lockfile.paths import MAX_FILES, beside, matches
from cleanroom.policy.artifact_pin import ArtifactPin
from cleanroom.policy.model import RegistryPolicy, UnpinnedArtifact
from cleanroom.policy.problems import START, PolicyErrors, Problem
from cleanroom.policy.sites import hosts_of
from cleanroom.policy.written import Policy

# Characters of paths, one path an entry: a path may have 4096, and 60,000 entries.
MAX_PLACES: Final = 32 * 1024 * 1024
_FOREIGN: Final = "it is a tarball from a host that allowed_hosts does not name"
_ELSEWHERE: Final = "it is a repository of a host that allowed_hosts does not name"
_NO_COMMIT: Final = "it comes from a git repository, and no whole commit of it is named"

# Members of an enum are looked up slowly, and there are many pins.
_GIT: Final = Ecosystem.GIT
_LOCKFILE: Final = str(Strength.LOCKFILE)
_FIRST_SEEN: Final = str(Strength.FIRST_SEEN)

_Key = tuple[str, str, str, str]  # name, version, file, URL
Outcomes = Mapping[str, Reading | LockfileError]


@dataclass(frozen=True, slots=True)
class Pinned:
    """The policy with its pins; `notes` are what a person should know of the lock files."""

    policy: Policy
    notes: tuple[str, ...]


def lock_patterns(policy: Policy) -> tuple[str, ...]:
    """Return the paths and globs whose files have to be read for this policy, sorted."""
    found = {
        each for registry in policy.registries if _holds(registry) for each in _patterns(registry)
    }
    return tuple(sorted(found))


def pin_policy(policy: Policy, found: Outcomes) -> Pinned:
    """Return the policy with what the lock files pin. Raises PolicyErrors."""
    problems = list(_too_long(found))
    notes: list[str] = []
    registries = []
    for registry in () if problems else policy.registries:
        if _holds(registry):
            readings = dict(_readings(registry, found, problems, notes))
            if not readings and not problems:
                problems.append(_none(policy, registry))
            registries.append(_with_pins(registry, readings))
        else:
            registries.append(registry)
    if problems:
        raise PolicyErrors(problems)
    return Pinned(dataclasses.replace(policy, registries=tuple(registries)), tuple(notes))


def _too_long(found: Outcomes) -> Iterator[Problem]:
    """Yield the file that is too much: each entry is kept with its place, so with its path."""
    kept = {
        path: len(path) * (len(reading.pins) + len(reading.unpinned))
        for path, reading in found.items()
        if isinstance(reading, Reading)
    }
    if sum(kept.values()) > MAX_PLACES:
        longest = max(kept, key=kept.__getitem__)
        message = "cannot keep where its entries stand: they are too many for so long a path"
        hint = "name fewer lock files, or move this one to a shorter path"
        yield Problem(longest, START.line, START.column, message, hint)


def _holds(registry: RegistryPolicy) -> bool:
    return registry.enabled and registry.lockfile.in_force != "off"


def _patterns(registry: RegistryPolicy) -> tuple[str, ...]:
    return registry.lockfile.lockfiles


def _none(policy: Policy, registry: RegistryPolicy) -> Problem:
    manager, named = registry.manager, ", ".join(_patterns(registry))[:200]
    message = f"cannot enforce the lock files of registries.{manager}: none of them exists: {named}"
    hint = "make one with the package manager, or turn lockfile_enforcement off"
    return Problem(policy.path, START.line, START.column, message, hint)


def _readings(
    registry: RegistryPolicy, found: Outcomes, problems: list[Problem], notes: list[str]
) -> Iterator[tuple[str, Reading]]:
    """Yield each file that the registry's patterns, or files already read, name."""
    waiting = _named(registry, found, notes)
    seen: set[str] = set()
    while waiting:
        path = waiting.pop(0)
        if path in seen:
            continue
        seen.add(path)
        if len(seen) > MAX_FILES:
            message = f"cannot read more than {MAX_FILES} lock files for one registry"
            problems.append(Problem(path, 1, 1, message))
            return
        reading = found[path]
        if isinstance(reading, LockfileError):
            problems.append(Problem(path, reading.line, reading.column, reading.message))
            continue
        yield path, reading
        for include in reading.includes:
            other = beside(path, include)
            if other in found:
                waiting.append(other)
            else:
                notes.append(f"{path} names {include[:80]}, which was not read and pins nothing")


def _named(registry: RegistryPolicy, found: Outcomes, notes: list[str]) -> list[str]:
    """Return the files that the patterns name; note each pattern that names none."""
    named: list[str] = []
    for pattern in _patterns(registry):
        paths = sorted(path for path in found if matches(pattern, path))
        if not paths:
            notes.append(
                f"registries.{registry.manager}: {pattern} does not exist and pins nothing"
            )
        named += paths
    return named


def _with_pins(registry: RegistryPolicy, readings: Mapping[str, Reading]) -> RegistryPolicy:
    merged: dict[_Key, tuple[str, list[tuple[str, ...]]]] = {}
    unpinned: set[UnpinnedArtifact] = set()
    hosts = frozenset(hosts_of(registry.allowed_hosts))
    for path, reading in sorted(readings.items()):
        for pin in reading.pins:
            if pin.ecosystem != registry.manager:
                continue
            source = f"{path}:{pin.line}"
            foreign = _foreign(pin, registry.manager, hosts)
            if foreign:
                unpinned.add(UnpinnedArtifact(pin.name, pin.version, foreign, source))
            else:
                # Any of the digests that several entries say of one artifact holds it.
                key = (pin.name, pin.version, pin.file, pin.url)
                merged.setdefault(key, (source, []))[1].append(pin.digests)
        for entry in reading.unpinned:
            reason = _unpinned(entry, registry)
            if reason:
                where = f"{path}:{entry.line}"
                unpinned.add(UnpinnedArtifact(entry.name, entry.version, reason, where))
    return dataclasses.replace(
        registry,
        artifact_allowlist=tuple(_pin(key, *merged[key]) for key in sorted(merged)),
        unpinned=tuple(sorted(unpinned, key=lambda each: (each.source, str(each)))),
    )


def _unpinned(entry: Unpinned, registry: RegistryPolicy) -> str:
    """Return why an entry is not held for this registry, "" if it is none of its."""
    if registry.manager == "git":
        return _NO_COMMIT if entry.reason == GIT else ""
    return entry.reason if entry.ecosystem == registry.manager and not entry.local else ""


def _foreign(pin: Pin, manager: str, hosts: Collection[str]) -> str:
    """Return why what is pinned is not of this registry, "" if it is.

    A tarball at an address of its own is an artifact of the registry only at its hosts.
    """
    if pin.ecosystem is _GIT:
        return "" if pin.name.partition("/")[0] in hosts else _ELSEWHERE
    if manager != "npm" or not pin.url or host_of(pin.url) in hosts:
        return ""
    return "" if registry_package(pin.url) else _FOREIGN


def _pin(key: _Key, source: str, said: list[tuple[str, ...]]) -> ArtifactPin:
    digests = without_weak(said[0] if len(said) == 1 else tuple(chain.from_iterable(said)))
    return ArtifactPin(*key, digests, _LOCKFILE if digests else _FIRST_SEEN, source)
