"""Pipfile.lock, version 6.

In: text. Out: a Reading. Never: a version without a digest as a pin.
"""

from typing import Final

from cleanroom.lockfile import trees
from cleanroom.lockfile.collector import LOCAL, NO_DIGEST, Collector, Entry, Held
from cleanroom.lockfile.digests import strong
from cleanroom.lockfile.model import Ecosystem, LockfileError, Reading

FORMAT: Final = "Pipfile.lock"
_VCS: Final = ("git", "hg", "svn", "bzr")


def read(text: str) -> Reading:
    """Return what the file pins. Raises LockfileError."""
    root = trees.read_json(text)
    version = trees.version_of(trees.part(root, "_meta").get("pipfile-spec"))
    if version != "6":
        message = f"cannot read pipfile-spec {version!a}: 6 is known"
        raise LockfileError(message)
    found = Collector(FORMAT, Ecosystem.PYPI)
    lines = trees.KeyLines(text, "{")
    for group in root:
        if group != "_meta":
            lines.of(group)
            for name, value in trees.part(root, group).items():
                line = lines.of(name)
                _add(name, trees.table(value, f"'{name[:80]}'", line), line, found)
    return found.reading(version)


def _add(name: str, package: trees.Table, line: int, found: Collector) -> None:
    wanted = trees.word(package, "version", line)
    entry = Entry(name, wanted.removeprefix("=="), line)
    digests = strong(trees.words(package, "hashes", line))
    if any(kind in package for kind in _VCS):
        address, commit = (trees.word(package, key, line) for key in ("git", "ref"))
        found.commit(entry, address, commit)
    elif "path" in package or ("file" in package and not wanted):
        found.unpinned(entry, LOCAL, local=True)
    elif not wanted.startswith("=="):
        found.unpinned(entry, "it has no exact version ('==')")
    else:
        found.pin(entry, Held(digests), NO_DIGEST)
