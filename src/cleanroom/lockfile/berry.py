"""yarn.lock of yarn 2 and later, which is YAML.

In: text. Out: a Reading. Never: its `checksum` as a digest: that is of the zip file that yarn packs
again on each machine, so a package is held by name and version, then to what is seen first.
"""

from typing import Final
from urllib.parse import unquote

from cleanroom.lockfile import trees
from cleanroom.lockfile.collector import LOCAL, Collector, Entry, Held
from cleanroom.lockfile.model import Ecosystem, LockfileError, Reading, Strength
from cleanroom.lockfile.names import is_web
from cleanroom.lockfile.yaml_tree import read_documents

FORMAT: Final = "yarn.lock (berry)"
_LOCAL: Final = ("workspace:", "portal:", "link:", "file:", "patch:", "virtual:", "exec:")
_ARCHIVE: Final = "__archiveUrl="


def read(text: str) -> Reading:
    """Return what the file pins. Raises LockfileError."""
    documents = read_documents(text, repeats=True)
    if len(documents) != 1 or "__metadata" not in documents[0]:
        message = "cannot read it as yarn.lock: '__metadata' is missing"
        raise LockfileError(message)
    [root] = documents
    found = Collector(FORMAT, Ecosystem.NPM)
    for key, value in root.items():
        if key != "__metadata":
            _add(trees.table(value, f"'{key[:80]}'", root.lines[key]), root.lines[key], found)
    return found.reading(trees.word(trees.part(root, "__metadata"), "version"))


def _add(package: trees.Table, line: int, found: Collector) -> None:
    resolution = trees.word(package, "resolution", line)
    at = resolution.find("@", 1)
    if at < 0:
        message = "cannot read it as yarn.lock: an entry has no resolution 'NAME@…'"
        raise LockfileError(message, line)
    name, where = resolution[:at], resolution[at + 1 :]
    entry = Entry(name, trees.word(package, "version", line), line)
    protocol, _, rest = where.partition(":")
    if where.startswith(_LOCAL):
        found.unpinned(entry, LOCAL, local=True)
    elif protocol == "npm":
        version, _, bound = rest.partition("::")
        found.pin(
            Entry(name, version, line), Held(url=_archive(bound), strength=Strength.FIRST_SEEN)
        )
    elif "#commit" in where or not is_web(where):
        found.commit(entry, where)
    else:
        found.unpinned(
            entry, "it is a tarball at an address of its own, and yarn.lock has no digest"
        )


def _archive(bound: str) -> str:
    """Return the address in `__archiveUrl=…&…`."""
    for parameter in bound.split("&"):
        if parameter.startswith(_ARCHIVE):
            return unquote(parameter.removeprefix(_ARCHIVE))
    return ""
