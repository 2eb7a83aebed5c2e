"""Refused packages -> what a person may do about each. No rule of the network is the answer.

In: a refusal of a registry's host, and the policy with its pins. Out: one sentence. Never: a
command with a word of the sandbox in it that a shell would take for more than a word; a command
that runs the package's own code, where its package manager has one that does not.
"""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from cleanroom.errors import Code
from cleanroom.lockfile.formats import format_of
from cleanroom.policy.git_purl import EXAMPLE, GIT_EXCEPTIONS, exception_line
from cleanroom.policy.model import PURL_TYPES, RegistryPolicy

_WORD: Final = re.compile(r"@?[A-Za-z0-9][A-Za-z0-9._/+!-]{0,200}")

# How a package gets into a lock file.
_ADD: Final = {
    "package-lock.json": "npm install --package-lock-only {name}@{version}",
    "npm-shrinkwrap.json": "npm install --package-lock-only {name}@{version}",
    "yarn.lock": "yarn add --ignore-scripts {name}@{version}",
    "pnpm-lock.yaml": "pnpm add --lockfile-only {name}@{version}",
    "bun.lock": "bun add --lockfile-only {name}@{version}",
    "uv.lock": "uv add --no-sync {name}=={version}",
    "poetry.lock": "poetry add --lock {name}@{version}",
    "pdm.lock": "pdm add --no-sync {name}=={version}",
    "Pipfile.lock": "pipenv install {name}=={version}",
    "requirements.txt": "add {name}=={version} with its --hash (pip-compile --generate-hashes)",
    "Cargo.lock": "cargo add {name}@{version}",
    "go.sum": "go get {name}@{version}",
}
_YARN_4: Final = "yarn add --mode=update-lockfile {name}@{version}"
_OTHERS: Final = {
    Code.INTEGRITY_MISMATCH: "nothing allows that: find out who changed it",
    Code.OFFLINE_MISS: "or fetch all that is pinned: cleanroom cache warm",
    Code.PUSH_NOT_ALLOWED: "what may be pushed stands in the secret's `git.push` (docs/git.md)",
    Code.REGISTRY_NOT_ALLOWED: "no rule allows more of a registry; one that begins below a path is "
    "HOST/PATH in allowed_hosts",
}


@dataclass(frozen=True, slots=True)
class RefusedPackage:
    """One refused request to a registry. `artifact` is "NAME VERSION", a page's name, or ""."""

    artifact: str
    code: str
    reason: str


def advice(refused: RefusedPackage, registry: RegistryPolicy) -> str:
    """Return what was refused and what may be done, "" if the lock files pin it by now."""
    if refused.code == Code.LOCKFILE_VIOLATION:
        return _unlocked(refused, registry)
    if refused.code == Code.COOLDOWN_ACTIVE:
        return f"{refused.reason}; it may pass with {_exception(refused.artifact, registry)}"
    after = _OTHERS.get(Code(refused.code), "")
    return f"{refused.reason}; {after}" if after else refused.reason


def _exception(artifact: str, registry: RegistryPolicy) -> str:
    """Return the line of the policy that lets this version pass."""
    name, _, version = artifact.rpartition(" ")
    kind = PURL_TYPES.get(registry.manager)
    if not kind or not _WORD.fullmatch(name) or not _WORD.fullmatch(version):
        return f"an entry of registries.{registry.manager}.exceptions, which says until when"
    purl = f"pkg:{kind}/{quote(name, safe='/')}@{quote(version, safe='')}"
    return exception_line(registry.manager, purl)


def _commit(refused: RefusedPackage, registry: RegistryPolicy) -> str:
    """Return what may be done about a repository: which dependency it is of, nobody can tell."""
    if GIT_EXCEPTIONS in refused.reason:
        return refused.reason  # it is pinned, and too large; that says which line lets it pass
    path, _, begin = refused.artifact.partition(" ")
    for pin in registry.artifact_allowlist:
        is_it = pin.name.partition("/")[2] == path.removesuffix(".git")
        if is_it and pin.version.startswith(begin):
            return ""
    after = "name its commit in a lock file, or in registries.git.exceptions as"
    return f"{refused.reason}; if it should be: {after} {EXAMPLE}"


def _unlocked(refused: RefusedPackage, registry: RegistryPolicy) -> str:
    if registry.manager == "git":
        return _commit(refused, registry)
    name, _, version = refused.artifact.rpartition(" ")
    if any((pin.name, pin.version) == (name, version) for pin in registry.artifact_allowlist):
        return ""
    command = _command(registry) if _WORD.fullmatch(name) and _WORD.fullmatch(version) else ""
    if not command:
        return refused.reason
    return f"{refused.reason}; if it should be: {command.format(name=name, version=version)}"


def _command(registry: RegistryPolicy) -> str:
    """Return how the lock file that pins most is added to, else the first that is named."""
    pins = Counter(pin.source.rpartition(":")[0] for pin in registry.artifact_allowlist)
    most = [path for path, _ in pins.most_common(1)]
    for path in (*most, *registry.lockfile.lockfiles):
        known = format_of(path)
        if known == "yarn.lock" and not _has_digests(registry, path):
            return _YARN_4
        if known in _ADD:
            return _ADD[known]
    return ""


def _has_digests(registry: RegistryPolicy, path: str) -> bool:
    """Tell the yarn.lock of yarn 1: later ones have digests of archives that yarn makes itself."""
    pins = [pin for pin in registry.artifact_allowlist if pin.source.rpartition(":")[0] == path]
    return not pins or any(pin.digests for pin in pins)
