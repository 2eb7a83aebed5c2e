"""The registries of a policy, indexed: which of them a request belongs to, and what it asks there.

In: a compiled policy; a request's host and target. Out: one registry, with the target as its
grammar reads it. Never: two registries for one request; a path that is of one registry here, and of
another for a server that reads it otherwise.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from cleanroom.decide import locked as packages
from cleanroom.decide.commits import Locked, index_commits
from cleanroom.decide.exception import Excepted, index_excepted
from cleanroom.decide.grammar import GRAMMARS, Grammar
from cleanroom.decide.question import Question, Unsound, read_path
from cleanroom.policy.model import CompiledPolicy, RegistryPolicy
from cleanroom.policy.sites import hosts_of, is_own, is_respelt, prefix_of, split_site


@dataclass(frozen=True, slots=True)
class Registry:
    """One enabled registry, with what its lock files and its exceptions say.

    `beside`: the sites of other registries at its hosts.
    `commits`: those of git, by repository. `pins`: a digest of what is pinned, by any of them.
    `pushed`: the hosts and patterns of repositories that some secret may push to.
    """

    policy: RegistryPolicy
    grammar: Grammar
    locked: packages.Locked
    excepted: Excepted
    beside: tuple[str, ...] = ()
    pushed: tuple[tuple[str, str], ...] = ()
    commits: Locked = field(default_factory=dict)
    pins: str = ""

    @property
    def lockfiles(self) -> str:
        """The lock files as a sentence names them."""
        return ", ".join(self.policy.lockfile.lockfiles)


# By host, then by what the paths of a site begin with; "" is the whole host.
Registries = Mapping[str, Mapping[str, Registry]]


class Judged(NamedTuple):
    """By what requests are judged: a policy, and what its lock files pin, to be looked up.

    `policy` may be without its pins then.
    """

    policy: CompiledPolicy
    registries: Registries

    def pins(self, host: str) -> tuple[tuple[str, str], ...]:
        """Return a digest of what is pinned for each site of a host."""
        sites = self.registries.get(host, {})
        return tuple(sorted((prefix, each.pins) for prefix, each in sites.items()))


class Index(NamedTuple):
    """What the lock files of one registry say, to be looked up. `digest`: of what they pin."""

    locked: packages.Locked
    commits: Locked
    digest: str


@dataclass(frozen=True, slots=True)
class Found:
    """The registry that a request is of. `target` is what its grammar reads.

    `prefix` is what the paths of its site begin with, `before` what was taken off the target.
    """

    registry: Registry
    target: str
    prefix: str = ""
    before: str = ""

    def ask(self, host: str) -> Question:
        """Return what the registry is asked for, with its whole path."""
        question = self.registry.grammar.ask(self.target)
        if not isinstance(question, Unsound) and self.before:
            question = replace(question, path=f"{self.before}{question.path}")
        if isinstance(question, Unsound) or not self.registry.beside:
            return question
        # SECURITY: a page is asked for by its own spelling, which is not the one it was found by.
        place = f"{host}{question.path.partition('?')[0]}"
        if is_own(self.registry.policy.allowed_hosts, self.registry.beside, place):
            return question
        return Unsound("the page's own address is that of another registry")


def judge_by(policy: CompiledPolicy, indexes: Iterable[Index | None] | None = None) -> Judged:
    """Return what requests are judged by. `indexes`: one a registry; None: they are made."""
    made = map(index_registry, policy.registries) if indexes is None else indexes
    found: dict[str, dict[str, Registry]] = {}
    for each, index in zip(policy.registries, made, strict=True):
        if index is None:
            continue
        registry = _open(each, index, policy)
        for host, prefix in map(split_site, each.allowed_hosts):
            # No policy that was parsed has two registries at one site.
            found.setdefault(host, {})[prefix] = registry
    return Judged(policy, found)


def index_registry(policy: RegistryPolicy) -> Index | None:
    """Index what lock files say, which is long; None of a registry that is not to be asked."""
    grammar = GRAMMARS.get(policy.manager)
    if grammar is None or not policy.enabled:
        return None
    commits = index_commits(policy) if policy.manager == "git" else {}
    return Index(packages.index_locked(policy, grammar), commits, packages.digest_pins(policy))


def find_registry(registries: Registries, host: str, target: str) -> Found | Unsound | None:
    """Return the registry that has a path of a host: that of the longest site that it lies below.

    None: no registry has it.
    """
    sites = registries.get(host, {})
    if list(sites) == [""]:
        return Found(sites[""], target)
    path = read_path(target)
    if isinstance(path, Unsound):
        return path
    if is_respelt(sites, path):
        return Unsound("its path is that of another registry but for capital letters or dots")
    prefix = prefix_of(sites, path)
    if prefix is None:
        return None
    if not prefix or not sites[prefix].grammar.is_below:
        return Found(sites[prefix], target, prefix)
    return Found(sites[prefix], path.removeprefix(prefix) or "/", prefix, before=prefix)


def _open(policy: RegistryPolicy, index: Index, whole: CompiledPolicy) -> Registry:
    hosts = hosts_of(policy.allowed_hosts)
    others = (each for each in whole.registries if each.enabled and each is not policy)
    beside = tuple(
        site for each in others for site in each.allowed_hosts if split_site(site)[0] in hosts
    )
    pushed = tuple(
        (host, name)
        for secret in whole.secrets
        if secret.git is not None and secret.git.push is not None
        for host in secret.allowed_hosts
        for name in secret.git.repositories
    )
    locked, commits, digest = index
    excepted = index_excepted(policy, locked.grammar)
    return Registry(policy, locked.grammar, locked, excepted, beside, pushed, commits, digest)
