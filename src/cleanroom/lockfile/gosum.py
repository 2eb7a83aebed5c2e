"""go.sum: modules and their go.mod files, by Go's own digest "h1:".

In: text. Out: a Reading; `file` is "zip" or "go.mod". Never: "h1:" taken for a digest of the bytes:
it is the sha256 of a list of the files inside.
"""

from typing import Final

from cleanroom.lockfile.collector import Collector, Entry, Held
from cleanroom.lockfile.digests import go_sum
from cleanroom.lockfile.model import Ecosystem, LockfileError, Reading

FORMAT: Final = "go.sum"
_MOD: Final = "/go.mod"


def read(text: str) -> Reading:
    """Return what the file pins. Raises LockfileError."""
    found = Collector(FORMAT, Ecosystem.GO)
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split()
        if not words:
            continue
        if len(words) != 3 or not words[1].startswith("v"):
            message = "cannot read it as go.sum: the line is no 'MODULE VERSION DIGEST'"
            raise LockfileError(message, number)
        module, version, digest = words
        file = "go.mod" if version.endswith(_MOD) else "zip"
        entry = Entry(module, version.removesuffix(_MOD), number)
        # Go itself passes over digests of a kind that it does not know.
        found.pin(entry, Held(go_sum(digest), file))
    return found.reading("")
