"""pnpm-lock.yaml, versions 5.3 to 9; newer writers put several documents into one file.

In: text. Out: a Reading. Never: a key's peers taken for a part of the version.
"""

import re
from typing import Final

from cleanroom.lockfile import trees
from cleanroom.lockfile.collector import LOCAL, NO_DIGEST, Collector, Entry, Held
from cleanroom.lockfile.digests import sri
from cleanroom.lockfile.model import Ecosystem, LockfileError, Reading
from cleanroom.lockfile.names import is_web
from cleanroom.lockfile.npm import hold_npm
from cleanroom.lockfile.yaml_tree import Mapping, read_documents

FORMAT: Final = "pnpm-lock.yaml"
_NAME: Final = r"(@[^/@()]+/[^/@()]+|[^/@()]+)"
_SLASHED: Final = re.compile(
    rf"(?:[^/]*\.[^/]*)?/{_NAME}/([^/_()]+)(?:_.*)?", re.DOTALL
)  # 5.3, 5.4
_AT: Final = re.compile(rf"/?{_NAME}@([^()]*)(?:\(.*\))?", re.DOTALL)  # 6, 9


def read(text: str) -> Reading:
    """Return what the file pins. Raises LockfileError."""
    found = Collector(FORMAT, Ecosystem.NPM)
    version = ""
    for document in read_documents(text):
        version = trees.word(document, "lockfileVersion") or version
        if not re.fullmatch(r"(?:5\.[34]|6\.[01]|9\.0)", version):
            message = f"cannot read lockfileVersion {version[:20]!a}: 5.3 to 9.0 are known"
            raise LockfileError(message, document.lines.get("lockfileVersion", 1))
        packages = document.get("packages") or {}
        line = document.lines.get("packages", 1)
        _read_packages(trees.table(packages, "'packages'", line), version, found)
    if not version:
        message = "cannot read it as pnpm-lock.yaml: it has no lockfileVersion"
        raise LockfileError(message)
    return found.reading(version)


def _read_packages(packages: trees.Table, version: str, found: Collector) -> None:
    lines = packages.lines if isinstance(packages, Mapping) else {}
    for key, value in packages.items():
        package = trees.table(value, f"'{key[:80]}'", lines[key])
        _add(_entry(key, package, version, lines[key]), package, found)


def _entry(key: str, package: trees.Table, version: str, line: int) -> Entry:
    """Return who a key names; its own `name` and `version` count more."""
    match = (_SLASHED if version.startswith("5.") else _AT).fullmatch(key)
    name, number = match.groups() if match else (key, "")
    name = trees.word(package, "name", line) or name
    return Entry(name, trees.word(package, "version", line) or number, line)


def _add(entry: Entry, package: trees.Table, found: Collector) -> None:
    line = entry.line
    resolution = trees.part(package, "resolution", line)
    kind = trees.word(resolution, "type", line)
    tarball = trees.word(resolution, "tarball", line)
    digests = sri(trees.word(resolution, "integrity", line))
    if kind == "git":
        repository, commit = (trees.word(resolution, key, line) for key in ("repo", "commit"))
        found.commit(entry, repository, commit)
    elif kind == "directory" or tarball.startswith("file:"):
        found.unpinned(entry, LOCAL, local=True)
    elif kind:
        found.unpinned(entry, f"its resolution is a '{kind[:20]}', not a package of a registry")
    elif is_web(tarball):
        hold_npm(entry, Held(digests, url=tarball), found)
    else:
        found.pin(entry, Held(digests), NO_DIGEST)
