"""What the new commits hold, as git lists it: links, submodules, files that decide later runs.

In: `git log --raw -z` and `git cat-file --batch` as bytes. Out: values. Never: I/O.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

LINK: Final = "120000"
SUBMODULE: Final = "160000"
MAX_LINK: Final = 4096


@dataclass(frozen=True, slots=True)
class Entry:
    """One path that a commit adds or changes; `mode` is git's, "000000" for a deletion."""

    path: str
    mode: str
    oid: str


def entries(raw: bytes) -> Iterator[Entry]:
    """Read `git log --raw -z --no-abbrev --no-renames --format=`. Raises ValueError."""
    fields = raw.split(b"\0")
    at = 0
    while at < len(fields):
        head = fields[at].lstrip(b"\n")
        if not head:
            at += 1
            continue
        words = head.split()
        if not head.startswith(b":") or len(words) != 5 or at + 1 >= len(fields):
            message = "not a raw difference"
            raise ValueError(message)
        path = fields[at + 1].decode("utf-8", "surrogateescape")
        yield Entry(path, words[1].decode("ascii"), words[3].decode("ascii"))
        at += 2


def tree_entries(listing: bytes) -> Iterator[Entry]:
    """Read `git ls-tree -r -z`. Raises ValueError."""
    for line in listing.split(b"\0")[:-1]:
        head, _, path = line.partition(b"\t")
        mode, _, oid = head.decode("ascii").split()
        yield Entry(path.decode("utf-8", "surrogateescape"), mode, oid)


def contents(batch: bytes) -> dict[str, bytes]:
    """Read `git cat-file --batch`: oid -> content. Raises ValueError."""
    found = {}
    at = 0
    while at < len(batch):
        end = batch.index(b"\n", at)
        oid, kind, size = batch[at:end].split()
        if kind != b"blob":
            message = "not a file"
            raise ValueError(message)
        start = end + 1
        found[oid.decode("ascii")] = batch[start : start + int(size)]
        at = start + int(size) + 1
    return found
