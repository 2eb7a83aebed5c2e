"""What the lock files of Python tools share: lists of files, each with a digest.

In: tables of TOML or JSON. Out: pins. Never: sha1 or md5.
"""

from typing import Final

from cleanroom.lockfile import trees
from cleanroom.lockfile.collector import NO_DIGEST, Collector, Entry, Held
from cleanroom.lockfile.digests import strong
from cleanroom.lockfile.names import file_of, is_web

_NAMING: Final = frozenset({"path", "file", "filename", "name"})


def add_file(entry: Entry, file: trees.Table, found: Collector) -> None:
    """Note one file: its `file`, `filename` or `name`, else the end of its `url` or `path`."""
    line = entry.line
    url = trees.word(file, "url", line)
    path = named = ""
    if not _NAMING.isdisjoint(file):  # most have an address alone
        path = trees.word(file, "path", line)
        named = trees.word(file, "file", line) or trees.word(file, "filename", line)
        named = named or trees.word(file, "name", line)
    name = named or file_of(url) or path.rpartition("/")[2]
    said = [trees.word(file, "hash", line)]
    if "hashes" in file:
        hashes = trees.part(file, "hashes", line)
        said += [f"{algorithm}:{trees.word(hashes, algorithm, line)}" for algorithm in hashes]
    digests = strong(said)
    if not name:
        found.unpinned(entry, "a file of it has no name")
    elif path and not url:
        found.unpinned(entry, "a file of it is in the workspace", local=True)
    else:
        held = Held(digests, name, url if is_web(url) else "")
        found.pin(entry, held, "" if digests else f"{NO_DIGEST} ({name[:80]})")


def add_files(entry: Entry, files: list[trees.Table], found: Collector) -> None:
    """Note every file of a package; one without files is not pinned."""
    if not files:
        found.unpinned(entry, NO_DIGEST)
    for file in files:
        add_file(entry, file, found)


def entry_of(package: trees.Table, line: int) -> Entry:
    """Return a package's name and version."""
    return Entry(trees.word(package, "name", line), trees.word(package, "version", line), line)
