"""Which git hosts have the commits that lock files name, for a first policy.

In: the workspace. Out: hosts by lock file. Never: an address or a commit; a file that cannot be
read as a lock file.
"""

import re
from pathlib import Path
from typing import Final

from cleanroom.client.files import read_limited
from cleanroom.client.init_facts import LOCK_LIMIT, lock_paths
from cleanroom.lockfile.formats import try_to_read
from cleanroom.lockfile.model import Ecosystem, LockfileError

# What stands in a lock file that names a commit of git: others need not be read.
_GIT: Final = re.compile(r"\bgit\b|ssh://|\bcommit\b")


def repositories(root: Path) -> dict[str, list[str]]:
    """Return the hosts of the repositories whose commits each lock file names."""
    found = {path: _hosts(root, path) for path in lock_paths(root)}
    return {path: hosts for path, hosts in found.items() if hosts}


def _hosts(root: Path, path: str) -> list[str]:
    try:
        text = read_limited(str(root / path), LOCK_LIMIT)
    except (OSError, ValueError):
        return []
    reading = try_to_read(path, text) if _GIT.search(text) else None
    if reading is None or isinstance(reading, LockfileError):
        return []
    pins = [pin for pin in reading.pins if pin.ecosystem is Ecosystem.GIT]
    return sorted({pin.name.partition("/")[0] for pin in pins})
