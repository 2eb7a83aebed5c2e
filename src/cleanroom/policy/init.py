"""A first cleanroom.yaml: what this repository's package managers need, and nothing else.

In: facts that the client found. Out: the text of a policy that parses. Never: a host known to us:
every host comes from the facts, and the text says from which.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from cleanroom.policy.hosts import InvalidHostError
from cleanroom.policy.lock_hosts import (
    Target,
    cargo_hosts,
    hosts_in_lockfile,
    kind_of,
    target_of,
)
from cleanroom.policy.model import Rule, RuleKind
from cleanroom.policy.parse_registries import MAX_HOSTS
from cleanroom.policy.parse_sandbox import MAX_PATHS, RELATIVE_PATH
from cleanroom.policy.render import block_rule, quoted_text
from cleanroom.policy.sites import canonical_site, folded
from cleanroom.policy.values import MAX_TEXT

SCHEMA_FILE: Final = "cleanroom.schema.json"

_HEAD: Final = f"""\
# yaml-language-server: $schema=./{SCHEMA_FILE}
# (editors complete and check this file after: cleanroom schema > {SCHEMA_FILE})
#
# What commands run by `cleanroom exec` may reach. Everything else is refused, and said.
# Check this file:          cleanroom policy validate
# Ask about one target:     cleanroom policy check HOST:PORT
# After a refusal:          cleanroom policy suggest
version: 1
"""
_NETWORK: Final = """
sandbox:
  ttl_minutes: 30
  network:
    default: deny
"""
_INDENT: Final = " " * 6

# Managers that read another one's configuration when they have none of their own.
_SAME_AS: Final = {
    "yarn": "npm",
    "pnpm": "npm",
    "bun": "npm",
    "uv": "pip",
    "poetry": "pip",
    "pdm": "pip",
    "pipenv": "pip",
    "pypi": "pip",
}


# Which registry a package manager is of, and which one a lock file holds.
_REGISTRIES: Final = {
    **dict.fromkeys(("npm", "yarn", "pnpm", "bun"), "npm"),
    **dict.fromkeys(("uv", "poetry", "pdm", "pipenv", "pip", "pypi"), "pypi"),
    "cargo": "cargo",
    "go": "go",
}
_LOCKED: Final = {
    "package-lock.json": "npm",
    "npm-shrinkwrap.json": "npm",
    "yarn.lock": "npm",
    "pnpm-lock.yaml": "npm",
    "bun.lock": "npm",
    "uv.lock": "pypi",
    "poetry.lock": "pypi",
    "pdm.lock": "pypi",
    "Pipfile.lock": "pypi",
    "pylock.toml": "pypi",
    "requirements.txt": "pypi",
    "Cargo.lock": "cargo",
    "go.sum": "go",
}
_HASHED: Final = "--hash"  # without one in it, requirements.txt may be a wish, not a lock file
_HTTPS: Final = 443


class Reason(NamedTuple):
    """A target, the fact it comes from, and the registry it would be a host of, or "".

    `site` is what that registry would name: the host, with what its addresses begin with.
    """

    origin: str
    target: Target
    registry: str
    site: str


@dataclass(frozen=True, slots=True)
class InitFacts:
    """What the client found. Hosts are `host` or `host:port`; without a port it is 443.

    Those of registries have a path behind them if all their addresses do.

    `lockfiles` are (path, text); `managers` are those whose files are in the workspace;
    `configured` and `defaults` map a manager to the hosts of its configured registries and to those
    it uses when nothing is said, file hosts included. `repositories` maps a lock file to the hosts
    of the git repositories whose commits it names.
    """

    project: str = ""
    lockfiles: tuple[tuple[str, str], ...] = ()
    managers: tuple[str, ...] = ()
    configured: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    defaults: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    git_remotes: tuple[str, ...] = ()
    repositories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def init_policy(facts: InitFacts) -> str:
    """Return the text of a first policy; every host stands under a comment that says why.

    A package manager whose lock files are there gets a registry that holds it to them; what is not
    on port 443, and everything of the others, gets network rules.
    """
    locked = locked_registries(facts)
    rules: list[Reason] = []
    opened: dict[str, list[Reason]] = {}
    for each in _fitting(facts):
        ours = opened.setdefault(each.registry, [])
        fits = each.registry in locked and each.target[1] == _HTTPS and len(ours) < MAX_HOSTS
        (ours if fits else rules).append(each if each.registry in locked else _loose(each))
    lines = list(_rules(rules))
    allow = ["    allow:", *lines] if lines else ["    allow: []"]
    registries = [
        line
        for name, files in locked.items()
        for line in _registry(name, files, opened.get(name, []))
    ]
    head = ["", "registries:"] if registries else []
    return "\n".join([*_opening(facts), *allow, *_remotes(facts), *head, *registries, ""])


def locked_registries(facts: InitFacts) -> dict[str, list[str]]:
    """Return each registry that lock files hold and that has a host, with those files."""
    found: dict[str, list[str]] = {}
    for path, text in facts.lockfiles:
        kind = kind_of(path.rpartition("/")[2])
        is_wish = kind == "requirements.txt" and _HASHED not in text
        if kind in _LOCKED and not is_wish and _is_named(path):
            found.setdefault(_LOCKED[kind], []).append(path)
    if repositories := list(_repositories(facts)):
        found["git"] = repositories
    reached = {each.registry for each in _fitting(facts) if each.target[1] == _HTTPS}
    return {name: _named(files) for name, files in found.items() if name in reached}


def _loose(reason: Reason) -> Reason:
    """Say of a registry's host that all it has may come, as no lock file was found."""
    said = f"{reason.origin}: any package, until a lock file pins them (docs/registries.md)"
    return reason._replace(origin=said) if reason.registry else reason


def _named(files: list[str]) -> list[str]:
    """Return the files, or patterns for them where they are too many to be named one by one."""
    if len(files) <= MAX_PATHS:
        return files
    return list(dict.fromkeys(f"**/{path.rpartition('/')[2]}" for path in files))[:MAX_PATHS]


def _registry(name: str, files: Iterable[str], reasons: Iterable[Reason]) -> Iterator[str]:
    """Yield the lines of one registry."""
    yield f"  {name}:"
    yield "    enable: true"
    yield "    allowed_hosts:"
    origins: dict[str, str] = {}
    for each in reasons:
        origins.setdefault(each.site, each.origin)
    said = ""
    for site, origin in origins.items():
        if origin != said:
            yield f"{_INDENT}# {origin}"
            said = origin
        yield f"{_INDENT}- {quoted_text(site)}"
    yield "    lockfile_enforcement:"
    yield "      enabled: true"
    yield "      mode: deny_unknown  # `warn` lets pass what no lock file pins, and says so"
    yield f"      lockfiles: [{', '.join(map(quoted_text, files))}]"


def _opening(facts: InitFacts) -> list[str]:
    name = "".join(filter(str.isprintable, facts.project))[:MAX_TEXT]
    project = ["project:", f"  name: {quoted_text(name)}"] if name else []
    return [_HEAD, *project, _NETWORK.rstrip("\n")]


def _fitting(facts: InitFacts) -> Iterator[Reason]:
    """Yield the reasons that can stand beside each other: a path is of one registry.

    Where a registry is configured below a path, the host that its lock file names is that too.
    """
    owners: dict[str, str] = {}
    below: set[tuple[str, str]] = set()
    for each in _reasons(facts):
        host, slash, _ = each.site.partition("/")
        if each.registry and each.target[1] == _HTTPS:
            if not slash and (each.registry, host) in below:
                continue
            if owners.setdefault(folded(each.site), each.registry) != each.registry:
                continue
            if slash:
                below.add((each.registry, host))
        yield each


def _reasons(facts: InitFacts) -> Iterator[Reason]:
    """Yield each target with the fact it comes from."""
    for manager in dict.fromkeys(facts.managers):
        for origin, sites in _hosts_of(manager, facts):
            registry = _REGISTRIES.get(manager, "")
            found = ((target_of(each), each) for each in sites)
            yield from (
                Reason(origin, target, registry, _site(target, text))
                for target, text in found
                if target is not None
            )
    repositories = _repositories(facts)
    for path, names in repositories.items():
        origin = f"git repositories named in {_one_line(path)}"
        yield from (Reason(origin, (name, _HTTPS), "git", name) for name in names)
    theirs = {name for names in repositories.values() for name in names}
    for path, text in facts.lockfiles:
        for registry, targets in _named_in(path.rpartition("/")[2], text):
            origin = f"packages named in {_one_line(path)}"
            others = (target for target in targets if target[0] not in theirs)
            yield from (Reason(origin, target, registry, target[0]) for target in others)


def _site(target: Target, text: str) -> str:
    """Return what a registry names of `host[:port]/path`: without the port, which is its own."""
    path = text.partition("://")[2] or text
    try:
        return canonical_site(f"{target[0]}/{path.partition('/')[2]}")
    except InvalidHostError:
        return target[0]


def _repositories(facts: InitFacts) -> dict[str, list[str]]:
    """Return the hosts of the git repositories whose commits each lock file names.

    A host that packages come from is none, but where those have a path of their own.
    """
    packages = {
        target[0]
        for manager in dict.fromkeys(facts.managers)
        for _, sites in _hosts_of(manager, facts)
        for text in sites
        if (target := target_of(text)) is not None and _site(target, text) == target[0]
    }
    found: dict[str, list[str]] = {}
    for path, names in facts.repositories.items():
        hosts = {host for host, _ in _targets(names)} - packages
        if hosts and _is_named(path):
            found[path] = sorted(hosts)
    return found


def _is_named(path: str) -> bool:
    """Tell whether a policy can name it."""
    return re.fullmatch(RELATIVE_PATH, path[:MAX_TEXT]) is not None


def _named_in(name: str, text: str) -> Iterator[tuple[str, tuple[Target, ...]]]:
    """Yield the hosts that a lock file names, by the registry that they would be hosts of."""
    registry = _LOCKED.get(kind_of(name), "")
    if registry == "cargo":
        sparse, others = cargo_hosts(text)
        yield registry, sparse
        yield "", others  # of git dependencies
    else:
        yield registry, hosts_in_lockfile(name, text)


def _hosts_of(manager: str, facts: InitFacts) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name in (manager, _SAME_AS.get(manager, manager)):
        if facts.configured.get(name):
            yield f"{_one_line(manager)}: the registry it is configured for", facts.configured[name]
            return
        if facts.defaults.get(name):
            yield f"{_one_line(manager)}: its own default registry", facts.defaults[name]
            return


def _targets(hosts: Iterable[str]) -> Iterator[Target]:
    yield from (target for target in map(target_of, hosts) if target is not None)


def _rules(reasons: Iterable[Reason]) -> Iterator[str]:
    """Yield the lines of all rules: one rule a host, under the first reason for it."""
    ports: dict[str, set[int]] = {}
    origins: dict[str, str] = {}
    for origin, (host, port), *_ in reasons:
        ports.setdefault(host, set()).add(port)
        origins.setdefault(host, origin)
    said = ""
    for host, origin in origins.items():
        if origin != said:
            yield f"{_INDENT}# {origin}"
            said = origin
        rule = Rule(RuleKind.EXACT, host, tuple(sorted(ports[host])))
        yield from block_rule(rule, _INDENT)


def _remotes(facts: InitFacts) -> Iterator[str]:
    """Yield the git remotes as comments: reaching one is a way out for the repository's content."""
    targets = sorted(set(_targets(facts.git_remotes)))
    if targets:
        yield ""
        yield "# Git remotes of this repository; to fetch or push inside, move them under 'allow':"
    for host, port in targets:
        yield from block_rule(Rule(RuleKind.EXACT, host, (port,)), f"#{_INDENT[1:]}")


def _one_line(text: str) -> str:
    return "".join(filter(str.isprintable, text))[:80]
