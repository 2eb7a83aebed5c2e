"""How the tests of this folder talk to the readers: text in, answers short enough to compare.

In: a format and a text. Out: tuples of words. Never: an assertion.
"""

from typing import Final

from cleanroom.lockfile.formats import read_lockfile
from cleanroom.lockfile.model import LockfileError

A: Final = "a" * 64  # a sha256
SHA512: Final = (
    "z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg=="
)
SRI: Final = f"sha512-{SHA512}"


def pins(format_name: str, text: str) -> list[str]:
    """Return "NAME VERSION FILE URL ALGORITHMS STRENGTH" of each pin, empty words left out."""
    found = []
    for pin in read_lockfile(format_name, text).pins:
        algorithms = ",".join(digest.partition(":")[0] for digest in pin.digests)
        words = (pin.name, pin.version, pin.file, pin.url, algorithms or str(pin.strength))
        found.append(" ".join(filter(None, words)))
    return found


def refused(format_name: str, text: str) -> list[str]:
    """Return "LINE NAME VERSION: REASON" of each entry that is not pinned; local ones say so."""
    return [
        f"{each.line} {each.name} {each.version}: {'local: ' * each.local}{each.reason}"
        for each in read_lockfile(format_name, text).unpinned
    ]


def error(format_name: str, text: str) -> str:
    """Return "LINE:COLUMN MESSAGE" of what is wrong, "" for nothing."""
    try:
        read_lockfile(format_name, text)
    except LockfileError as wrong:
        return f"{wrong.line}:{wrong.column} {wrong.message}"
    return ""
