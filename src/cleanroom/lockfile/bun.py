"""bun.lock, versions 0 and 1: JSON with comments and trailing commas.

In: text. Out: a Reading. Never: the short commit of a code host taken for a digest.
"""

import re
from typing import Final

from cleanroom.lockfile import trees
from cleanroom.lockfile.collector import LOCAL, TARBALL, Collector, Entry, Held
from cleanroom.lockfile.digests import sri
from cleanroom.lockfile.model import Ecosystem, LockfileError, Reading
from cleanroom.lockfile.names import is_web, registry_package
from cleanroom.lockfile.npm import hold_npm

FORMAT: Final = "bun.lock"
_LOCAL: Final = ("workspace:", "file:", "link:", "root:", "./", "../", "/")
_RELEASE: Final = re.compile(r"[0-9]")


def read(text: str) -> Reading:
    """Return what the file pins. Raises LockfileError."""
    root = trees.read_jsonc(text)
    version = trees.version_of(root.get("lockfileVersion"))
    if version not in ("0", "1"):
        message = f"cannot read lockfileVersion {version!a}: 0 and 1 are known"
        raise LockfileError(message)
    found = Collector(FORMAT, Ecosystem.NPM)
    lines = trees.KeyLines(text, "[")
    for key, value in trees.part(root, "packages").items():
        _add(value, lines.of(key), found)
    return found.reading(version)


def _add(value: object, line: int, found: Collector) -> None:
    items = value if isinstance(value, list) else []
    texts = [each for each in items if isinstance(each, str)]
    at = texts[0].find("@", 1) if texts else -1
    if at < 0 or items[0] is not texts[0]:
        message = "cannot read it as bun.lock: an entry does not begin with 'NAME@…'"
        raise LockfileError(message, line)
    name, where = texts[0][:at], texts[0][at + 1 :]
    entry = Entry(name, where, line)
    digests = sri(texts[-1]) if len(texts) > 1 else ()
    if where.startswith(_LOCAL):
        found.unpinned(entry, LOCAL, local=True)
    elif _RELEASE.match(where):
        url = texts[1] if len(texts) > 1 and registry_package(texts[1]) else ""
        hold_npm(entry, Held(digests, url=url), found)
    elif is_web(where):
        found.pin(entry, Held(digests, url=where), TARBALL)
    else:
        found.commit(entry, where)
