"""Cargo.lock, versions 1 to 4.

In: text. Out: a Reading. Never: a crate without its checksum as a pin.
"""

from typing import Final

from cleanroom.lockfile import trees
from cleanroom.lockfile.collector import LOCAL, Collector, Held
from cleanroom.lockfile.digests import hexadecimal
from cleanroom.lockfile.model import Ecosystem, LockfileError, Reading
from cleanroom.lockfile.python_files import entry_of

FORMAT: Final = "Cargo.lock"


def read(text: str) -> Reading:
    """Return what the file pins. Raises LockfileError."""
    root = trees.read_toml(text)
    metadata = trees.part(root, "metadata")  # where version 1 keeps checksums
    version = trees.version_of(root.get("version", "1" if metadata else "2"))
    if version not in ("1", "2", "3", "4"):
        message = f"cannot read version {version!a} of Cargo.lock: 1 to 4 are known"
        raise LockfileError(message)
    packages = trees.tables(root, "package")
    found = Collector(FORMAT, Ecosystem.CARGO)
    lines = trees.array_lines(text, "package", len(packages))
    for package, line in zip(packages, lines, strict=True):
        entry = entry_of(package, line)
        source = trees.word(package, "source", line)
        checksum = trees.word(package, "checksum", line)
        if metadata and not checksum:
            key = f"checksum {entry.name} {entry.version} ({source})"
            checksum = trees.word(metadata, key, line)
        if not source:
            found.unpinned(entry, LOCAL, local=True)
        elif source.startswith("git+"):
            found.commit(entry, source)
        else:
            found.pin(entry, Held(hexadecimal("sha256", checksum)))
    return found.reading(version)
