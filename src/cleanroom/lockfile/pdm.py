"""pdm.lock, version 4.

In: text. Out: a Reading. Never: a file without a digest as a pin.
"""

from typing import Final

from cleanroom.lockfile import trees
from cleanroom.lockfile.collector import LOCAL, Collector
from cleanroom.lockfile.model import Ecosystem, Reading
from cleanroom.lockfile.python_files import add_files, entry_of

FORMAT: Final = "pdm.lock"
_VCS: Final = ("git", "hg", "svn", "bzr")


def read(text: str) -> Reading:
    """Return what the file pins. Raises LockfileError."""
    root = trees.read_toml(text)
    metadata = trees.part(root, "metadata")
    separate = trees.part(metadata, "files")  # where older ones keep them, by "name version"
    packages = trees.tables(root, "package")
    found = Collector(FORMAT, Ecosystem.PYPI)
    lines = trees.array_lines(text, "package", len(packages))
    for package, line in zip(packages, lines, strict=True):
        entry = entry_of(package, line)
        if any(kind in package for kind in _VCS):
            address, commit = (trees.word(package, key, line) for key in ("git", "revision"))
            found.commit(entry, address, commit)
        elif "path" in package:
            found.unpinned(entry, LOCAL, local=True)
        else:
            own = trees.tables(package, "files", line)
            key = f"{entry.name} {entry.version}"
            add_files(entry, own or trees.tables(separate, key, line), found)
    return found.reading(trees.word(metadata, "lock_version"))
