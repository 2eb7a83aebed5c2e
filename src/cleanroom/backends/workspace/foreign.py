"""Entries with a group that a rootless user namespace does not map: copied up beforehand.

In: relative paths of a workspace. Out: how many could not be copied. Never: more than MAX_BYTES.

A rootless sandbox maps one group. overlayfs then refuses (EOVERFLOW) to copy up what has another,
set-gid trees of shared folders for example. Copied by us, into the upper layer, they have the
caller's own group. `changes` drops what equals the lower, so the copies never show.
"""

import os
import shutil
import stat
from pathlib import Path
from typing import Final

MAX_BYTES: Final = 256 * 1024 * 1024
MAX_ENTRIES: Final = 100_000


def copy_foreign(root: str, upper: Path, paths: tuple[str, ...]) -> int:
    """Copy each of `paths` into `upper`; the number left uncopied."""
    budget = MAX_BYTES
    left = max(0, len(paths) - MAX_ENTRIES)
    for path in paths[:MAX_ENTRIES]:
        size = _copy(root, upper, path, budget)
        if size is None:
            left += 1
        else:
            budget -= size
    return left


def _copy(root: str, upper: Path, path: str, budget: int) -> int | None:
    """Copy one entry; its size, or None if it is not ours, of no plain kind, or too large."""
    source, target = Path(root, path), upper / path
    try:
        facts = source.lstat()
        is_large = stat.S_ISREG(facts.st_mode) and facts.st_size > budget
        if facts.st_uid != os.geteuid() or is_large:
            return None
        _make_parents(root, upper, path)
        return _copy_entry(source, target, facts)
    except OSError:
        return None


def _copy_entry(source: Path, target: Path, facts: os.stat_result) -> int | None:
    if stat.S_ISDIR(facts.st_mode):
        _make_folder(source, target)
    elif target.is_symlink() or target.exists():
        return 0  # a kept sandbox changed it itself
    elif stat.S_ISLNK(facts.st_mode):
        target.symlink_to(source.readlink())
    elif stat.S_ISREG(facts.st_mode):
        shutil.copy2(source, target, follow_symlinks=False)
        return facts.st_size
    else:
        return None
    return 0


def _make_parents(root: str, upper: Path, path: str) -> None:
    parts = path.split("/")[:-1]
    for depth in range(1, len(parts) + 1):
        inside = "/".join(parts[:depth])
        _make_folder(Path(root, inside), upper / inside)


def _make_folder(source: Path, target: Path) -> None:
    if not target.exists():
        target.mkdir()
        target.chmod(stat.S_IMODE(source.lstat().st_mode) & 0o1777)
