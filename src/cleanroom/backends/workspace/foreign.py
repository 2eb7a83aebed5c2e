"""Entries with a group that a rootless user namespace does not map: copied up beforehand.

In: relative paths of a workspace. Out: how many could not be copied. Never: more than MAX_BYTES,
or anything through a link.

A rootless sandbox maps one group. overlayfs then refuses (EOVERFLOW) to copy up what has another,
set-gid trees of shared folders for example. Copied by us, into the upper layer, they have the
caller's own group. `changes` drops what equals the lower, so the copies never show.
"""

import os
import shutil
import stat
from pathlib import Path
from typing import Final

from cleanroom.backends.workspace.folders import FILE, FOLDER, facts_of, opened, split

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
MAX_BYTES: Final = 256 * 1024 * 1024
MAX_ENTRIES: Final = 100_000


def copy_foreign(root: str, upper: Path, paths: tuple[str, ...]) -> int:
    """Copy each of `paths` into `upper`; the number left uncopied."""
    budget = MAX_BYTES
    left = max(0, len(paths) - MAX_ENTRIES)
    with opened(os.open(upper, FOLDER)) as top:
        for path in paths[:MAX_ENTRIES]:
            size = _copy(root, top, path, budget)
            if size is None:
                left += 1
            else:
                budget -= size
    return left


def _copy(root: str, top: int, path: str, budget: int) -> int | None:
    """Copy one entry; its size, or None if it is not ours, of no plain kind, or too large."""
    source = f"{root}/{path}"
    try:
        facts = os.lstat(source)
        is_large = stat.S_ISREG(facts.st_mode) and facts.st_size > budget
        if facts.st_uid != os.geteuid() or is_large:
            return None
        with opened(_parent(root, top, path)) as at:
            return _copy_entry(source, at, split(path)[1], facts)
    except OSError:
        return None


def _parent(root: str, top: int, path: str) -> int:
    """Open the folder of `path` in the upper layer, making what is missing.

    SECURITY: of a kept sandbox the upper layer is what its workload left, or is writing now: a
    link there may lead anywhere on the host. Folders are opened one by one, never through a link.
    """
    at = os.dup(top)
    inside = root
    for part in path.split("/")[:-1]:
        inside = f"{inside}/{part}"
        with opened(at):
            _make_folder(inside, at, part)
            at = os.open(part, FOLDER, dir_fd=at)
    return at


def _copy_entry(source: str, at: int, name: str, facts: os.stat_result) -> int | None:
    if stat.S_ISDIR(facts.st_mode):
        _make_folder(source, at, name)
    elif facts_of(at, name) is not None:
        return 0  # a kept sandbox changed it itself
    elif stat.S_ISLNK(facts.st_mode):
        os.symlink(Path(source).readlink(), name, dir_fd=at)
    elif stat.S_ISREG(facts.st_mode):
        _copy_file(source, at, name, facts)
        return facts.st_size
    else:
        return None
    return 0


def _copy_file(source: str, at: int, name: str, facts: os.stat_result) -> None:
    with (
        opened(os.open(source, FILE)) as read,
        opened(os.open(name, _NEW, 0o600, dir_fd=at)) as new,
    ):
        try:
            with (
                os.fdopen(read, "rb", closefd=False) as here,
                os.fdopen(new, "wb", closefd=False) as there,
            ):
                shutil.copyfileobj(here, there)
            os.fchmod(new, stat.S_IMODE(facts.st_mode))
            os.utime(new, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        except OSError:
            os.unlink(name, dir_fd=at)
            raise


def _make_folder(source: str, at: int, name: str) -> None:
    if facts_of(at, name) is None:
        mode = stat.S_IMODE(os.lstat(source).st_mode) & 0o1777
        os.mkdir(name, dir_fd=at)
        with opened(os.open(name, FOLDER, dir_fd=at)) as made:
            os.fchmod(made, mode)
