"""uv.lock, version 1: each file by its whole address.

In: text. Out: a Reading. Never: a file without a digest as a pin.
"""

from typing import Final

from cleanroom.lockfile import trees
from cleanroom.lockfile.collector import LOCAL, Collector
from cleanroom.lockfile.model import Ecosystem, LockfileError, Reading
from cleanroom.lockfile.python_files import add_files, entry_of

FORMAT: Final = "uv.lock"
_LOCAL: Final = frozenset({"path", "directory", "editable", "virtual"})


def read(text: str) -> Reading:
    """Return what the file pins. Raises LockfileError."""
    root = trees.read_toml(text)
    version = trees.version_of(root.get("version"))
    if version != "1":
        message = f"cannot read version {version!a} of uv.lock: 1 is known"
        raise LockfileError(message)
    packages = trees.tables(root, "package")
    found = Collector(FORMAT, Ecosystem.PYPI)
    lines = trees.array_lines(text, "package", len(packages))
    for package, line in zip(packages, lines, strict=True):
        entry = entry_of(package, line)
        source = trees.part(package, "source", line)
        if "git" in source:
            found.commit(entry, trees.word(source, "git", line))
        elif not _LOCAL.isdisjoint(source):
            found.unpinned(entry, LOCAL, local=True)
        else:
            sdist = [trees.part(package, "sdist", line)] if "sdist" in package else []
            # a private index may leave out the addresses: `filename` or `path` names the file
            add_files(entry, sdist + trees.tables(package, "wheels", line), found)
    return found.reading(version)
