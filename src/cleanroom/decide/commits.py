"""Which commits of a git repository may be had, by lock files and exceptions.

In: a registry's policy, a host, a repository's path, the day. Out: Commits. Never: a commit by
anything but its whole name; a branch.

A commit's name is the digest of its files and of all commits before it: who has that has them all.
"""

import hashlib
import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from cleanroom.decide.exception import Excepted
from cleanroom.lockfile.repositories import canonical_repository
from cleanroom.policy.model import RegistryPolicy


@dataclass(frozen=True, slots=True)
class Commit:
    """One that may be had: why, and where that is written. `name` "": whichever it is."""

    name: str
    strength: str  # as of Grant
    pin: str = ""


UNLOCKED: Final = Commit("", "unlocked")


@dataclass(frozen=True, slots=True)
class Named:
    """Commits by name, sorted.

    SECURITY: lock files name tens of thousands, and requests come as often as a sandbox likes: none
    of them looks at all. `digest` is of the names, so that equal ones are known by it alone.
    """

    digest: str
    by_name: Mapping[str, Commit] = field(compare=False)


def name_commits(commits: Iterable[Commit]) -> Named:
    """Return them as they are looked up."""
    by_name = {each.name: each for each in sorted(commits, key=lambda each: each.name)}
    return Named(hashlib.sha256("\n".join(by_name).encode()).hexdigest(), by_name)


NONE_NAMED: Final = name_commits(())


@dataclass(frozen=True, slots=True)
class Commits:
    """What may be had of one repository. `others` None: only what is named."""

    pinned: Named
    others: Commit | None
    lockfiles: str  # as a sentence names them
    excepted: Named = NONE_NAMED

    @property
    def is_none(self) -> bool:
        """Whether nothing may be had."""
        return self.others is None and not self.pinned.by_name and not self.excepted.by_name

    def names(self) -> Iterator[str]:
        """Yield the commits that are named, sorted."""
        pinned, excepted = self.pinned.by_name, self.excepted.by_name
        return heapq.merge(pinned, (name for name in excepted if name not in pinned))

    def find(self, name: str) -> Commit | None:
        """Return why this one may be had, None if it may not."""
        return self.pinned.by_name.get(name) or self.excepted.by_name.get(name) or self.others


Locked = Mapping[str, Named]  # by "HOST/PATH"


def index_commits(policy: RegistryPolicy) -> Locked:
    """Return what the lock files pin, to be looked up often."""
    found: dict[str, list[Commit]] = {}
    if policy.lockfile.in_force != "off":
        for pin in policy.artifact_allowlist:
            commit = Commit(pin.version, "lockfile", pin.source)
            found.setdefault(pin.name, []).append(commit)
    return {name: name_commits(commits) for name, commits in found.items()}


def commits_of(
    policy: RegistryPolicy, locked: Locked, excepted: Excepted, repository: str, today: str
) -> Commits:
    """Return what may be had of a repository, as "HOST/PATH"."""
    name = canonical_repository(repository)
    found: list[Commit] = []
    is_strict = policy.lockfile.in_force == "deny_unknown"
    others = None if is_strict else UNLOCKED
    for excepted_commit, each in excepted.of(name, today):
        commit = Commit(excepted_commit, "exception", f"exceptions: {each.purl}")
        if commit.name:
            found.append(commit)
        else:
            others = commit
    lockfiles = ", ".join(policy.lockfile.lockfiles)
    return Commits(locked.get(name, NONE_NAMED), others, lockfiles, name_commits(found))
