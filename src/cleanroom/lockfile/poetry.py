"""poetry.lock, versions 1.1 to 2.1.

In: text. Out: a Reading. Never: a file without a digest as a pin.
"""

from typing import Final

from cleanroom.lockfile import trees
from cleanroom.lockfile.collector import LOCAL, Collector
from cleanroom.lockfile.model import Ecosystem, Reading
from cleanroom.lockfile.python_files import add_files, entry_of

FORMAT: Final = "poetry.lock"


def read(text: str) -> Reading:
    """Return what the file pins. Raises LockfileError."""
    root = trees.read_toml(text)
    metadata = trees.part(root, "metadata")
    separate = trees.part(metadata, "files")  # where 1.1 keeps them, by name
    packages = trees.tables(root, "package")
    found = Collector(FORMAT, Ecosystem.PYPI)
    lines = trees.array_lines(text, "package", len(packages))
    for package, line in zip(packages, lines, strict=True):
        entry = entry_of(package, line)
        source = trees.part(package, "source", line)
        kind = trees.word(source, "type", line)
        if kind == "git":
            commit = trees.word(source, "resolved_reference", line)
            found.commit(entry, trees.word(source, "url", line), commit)
        elif kind in ("directory", "file"):
            found.unpinned(entry, LOCAL, local=True)
        else:
            own = trees.tables(package, "files", line)
            add_files(entry, own or trees.tables(separate, entry.name, line), found)
    return found.reading(trees.word(metadata, "lock-version"))
