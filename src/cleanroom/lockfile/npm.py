"""package-lock.json and npm-shrinkwrap.json, versions 1 to 3.

In: text. Out: a Reading. Never: an entry without a digest as a pin (npm would take whatever comes).
"""

from collections.abc import Iterator
from typing import Final

from cleanroom.lockfile import trees
from cleanroom.lockfile.collector import LOCAL, NO_DIGEST, TARBALL, Collector, Entry, Held
from cleanroom.lockfile.digests import sri
from cleanroom.lockfile.model import LIMITS, Ecosystem, LockfileError, Reading
from cleanroom.lockfile.names import is_web, registry_package

FORMAT: Final = "package-lock.json"
_FOLDER: Final = "node_modules/"
_GIT: Final = ("git+", "git:", "git@", "ssh:", "github:", "gitlab:", "bitbucket:", "gist:")


def read(text: str) -> Reading:
    """Return what the file pins. Raises LockfileError."""
    root = trees.read_json(text)
    version = trees.version_of(root.get("lockfileVersion", 1))
    if version not in ("1", "2", "3"):
        message = f"cannot read lockfileVersion {version!a}: 1, 2 and 3 are known"
        raise LockfileError(message)
    found = Collector(FORMAT, Ecosystem.NPM)
    lines = trees.KeyLines(text, "{")
    if "packages" in root:
        _read_packages(trees.part(root, "packages"), lines, found)
    else:
        _read_dependencies(root, lines, found)
    return found.reading(version)


def _read_packages(packages: trees.Table, lines: trees.KeyLines, found: Collector) -> None:
    for key, value in packages.items():
        line = lines.of(key)
        package = trees.table(value, f"'{key[:80]}'", line)
        _, installed, last = key.rpartition(_FOLDER)
        entry = Entry(
            trees.word(package, "name", line) or last, trees.word(package, "version", line), line
        )
        if package.get("link") is True or not installed:
            if key:
                found.unpinned(entry, LOCAL, local=True)
        elif package.get("inBundle") is True:
            found.unpinned(entry, "it is inside another package", local=True)
        else:
            _add(entry, package, found)


def _read_dependencies(root: trees.Table, lines: trees.KeyLines, found: Collector) -> None:
    for name, package, line in _nested(root, lines):
        version = trees.word(package, "version", line)
        if version.startswith("npm:"):
            name, _, version = version.removeprefix("npm:").rpartition("@")  # noqa: PLW2901
        entry = Entry(name, version, line)
        if package.get("bundled") is True:
            found.unpinned(entry, "it is inside another package", local=True)
        else:
            _add(entry, package, found)


def _nested(root: trees.Table, lines: trees.KeyLines) -> Iterator[tuple[str, trees.Table, int]]:
    """Yield each dependency of version 1, in the order of the file."""
    levels = [iter(trees.part(root, "dependencies").items())]
    while levels:
        name, value = next(levels[-1], ("", None))
        if value is None:
            levels.pop()
            continue
        line = lines.of(name)
        package = trees.table(value, f"'{name[:80]}'", line)
        yield name, package, line
        if len(levels) >= LIMITS.depth:
            message = "cannot read it: its dependencies are too deep"
            raise LockfileError(message, line)
        levels.append(iter(trees.part(package, "dependencies", line).items()))


def _add(entry: Entry, package: trees.Table, found: Collector) -> None:
    line = entry.line
    resolved = package.get("resolved")
    url = resolved if isinstance(resolved, str) else ""
    where = url or entry.version
    digests = sri(trees.word(package, "integrity", line))
    if where.startswith(("file:", "link:")):
        found.unpinned(entry, LOCAL, local=True)
    elif where.startswith(_GIT):
        found.commit(entry, where)
    else:
        hold_npm(entry, Held(digests, url=where if is_web(where) else ""), found)


def hold_npm(entry: Entry, held: Held, found: Collector) -> None:
    """Note a package of an npm registry, or of an address of its own."""
    served = registry_package(held.url)
    if served and served != entry.name:
        found.unpinned(entry, f"its address is that of another package, {served[:80]}")
    else:
        found.pin(entry, held, TARBALL if held.url and not served else NO_DIGEST)
