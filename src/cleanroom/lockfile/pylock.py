"""pylock.toml (PEP 751), version 1.0. Real tools break its rules; what can be pinned is.

In: text. Out: a Reading. Never: a file without a digest as a pin.
"""

from typing import Final

from cleanroom.lockfile import trees
from cleanroom.lockfile.collector import LOCAL, Collector
from cleanroom.lockfile.model import Ecosystem, LockfileError, Reading
from cleanroom.lockfile.python_files import add_files, entry_of

FORMAT: Final = "pylock.toml"


def read(text: str) -> Reading:
    """Return what the file pins. Raises LockfileError."""
    root = trees.read_toml(text)
    version = trees.version_of(root.get("lock-version"))
    if not version.startswith("1."):
        message = f"cannot read lock-version {version!a}: 1.0 is known"
        raise LockfileError(message)
    packages = trees.tables(root, "packages")
    found = Collector(FORMAT, Ecosystem.PYPI)
    lines = trees.array_lines(text, "packages", len(packages))
    for package, line in zip(packages, lines, strict=True):
        entry = entry_of(package, line)
        if "vcs" in package:
            source = trees.part(package, "vcs", line)
            is_git = trees.word(source, "type", line) == "git"
            address = trees.word(source, "url", line) if is_git else ""
            found.commit(entry, address, trees.word(source, "commit-id", line))
        elif "directory" in package:
            found.unpinned(entry, LOCAL, local=True)
        else:
            alone = [
                trees.part(package, key, line) for key in ("archive", "sdist") if key in package
            ]
            add_files(entry, alone + trees.tables(package, "wheels", line), found)
    return found.reading(version)
