"""Which commits of a git repository may be had, by lock files and exceptions.

In: a registry's policy, a host, a repository's path, the day. Out: Commits. Never: a commit by
anything but its whole name; a branch.

A commit's name is the digest of its files and of all commits before it: who has that has them all.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cleanroom.decide.exception import valid
from cleanroom.lockfile.repositories import canonical_repository
from cleanroom.policy.git_purl import read_git_purl
from cleanroom.policy.model import RegistryPolicy


@dataclass(frozen=True, slots=True)
class Commit:
    """One that may be had: why, and where that is written. `name` "": whichever it is."""

    name: str
    strength: str  # as of Grant
    pin: str = ""


UNLOCKED: Final = Commit("", "unlocked")


@dataclass(frozen=True, slots=True)
class Commits:
    """What may be had of one repository. `others` None: only what is named."""

    named: tuple[Commit, ...]  # sorted by name
    others: Commit | None
    lockfiles: str  # as a sentence names them

    @property
    def names(self) -> tuple[str, ...]:
        """The commits, by name."""
        return tuple(each.name for each in self.named)

    def find(self, name: str) -> Commit | None:
        """Return why this one may be had, None if it may not."""
        return next((each for each in self.named if each.name == name), self.others)


Locked = Mapping[str, tuple[Commit, ...]]  # by "HOST/PATH"


def index_commits(policy: RegistryPolicy) -> Locked:
    """Return what the lock files pin, to be looked up often."""
    found: dict[str, list[Commit]] = {}
    if policy.lockfile.enabled and policy.lockfile.mode != "off":
        for pin in policy.artifact_allowlist:
            commit = Commit(pin.version, "lockfile", pin.source)
            found.setdefault(pin.name, []).append(commit)
    return {name: tuple(commits) for name, commits in found.items()}


def commits_of(policy: RegistryPolicy, locked: Locked, host: str, path: str, today: str) -> Commits:
    """Return what may be had of the repository at `path` of a host."""
    name = canonical_repository(f"{host}/{path}")
    found = {each.name: each for each in locked.get(name, ())}
    is_strict = policy.lockfile.enabled and policy.lockfile.mode == "deny_unknown"
    others = None if is_strict else UNLOCKED
    for each in valid(policy, today):
        excepted = read_git_purl(each.purl)
        if excepted is None or excepted[0] != name:
            continue
        commit = Commit(excepted[1], "exception", f"exceptions: {each.purl}")
        if commit.name:
            found.setdefault(commit.name, commit)
        else:
            others = commit
    named = tuple(found[name] for name in sorted(found))
    return Commits(named, others, ", ".join(policy.lockfile.lockfiles))
