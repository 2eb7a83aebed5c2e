"""Count and remove what a sandbox left: trees written by the workload, of any depth and mode.

In: a folder of ours. Out: bytes, or nothing left. Never: a link followed, recursion, or more than
a few descriptors, however deep the tree is.
"""

import contextlib
import itertools
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cleanroom.backends.trees import entries

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def tree_size(folder: Path) -> int:
    """Bytes that `folder` occupies on disk."""
    return sum(facts.st_blocks * 512 for facts in entries(folder))


def remove_tree(folder: Path) -> None:
    """Remove `folder` and everything in it. Idempotent. Raises OSError if something stays.

    Only after the sandbox has ended: nobody else may write to the tree meanwhile.

    overlayfs leaves a folder of mode 000 in its work folder, and a workload may leave trees
    deeper than any path: each folder is opened to its owner, and inner ones are moved to the top.
    """
    try:
        top = os.open(folder, _FOLDER)
    except FileNotFoundError:
        return
    try:
        _open_up(top)
        names = _new_names()
        waiting = _empty(top, top, names)
        while waiting:
            name = waiting.pop()
            inner = _open_inner(top, name)
            try:
                waiting += _empty(inner, top, names)
            finally:
                os.close(inner)
            os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)
    folder.rmdir()


def _open_inner(top: int, name: str) -> int:
    """Open a folder that may be closed to its own owner."""
    with contextlib.suppress(PermissionError):
        return os.open(name, _FOLDER, dir_fd=top)
    # Only folders were moved here, by us, into a folder that nobody else can write to.
    os.chmod(name, 0o700, dir_fd=top)
    return os.open(name, _FOLDER, dir_fd=top)


def _open_up(fd: int) -> None:
    if os.fstat(fd).st_mode & 0o700 != 0o700:
        os.fchmod(fd, 0o700)


def _new_names() -> Iterator[str]:
    """Names that nothing in the tree has: they cannot be guessed."""
    prefix = f".removed-{secrets.token_hex(8)}"
    return (f"{prefix}-{number}" for number in itertools.count())


def _empty(fd: int, top: int, names: Iterator[str]) -> list[str]:
    """Unlink what is in `fd`; its folders are moved into `top`, and their new names returned."""
    _open_up(fd)
    moved = []
    with os.scandir(fd) as here:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in here]
    for name, is_folder in found:
        if not is_folder:
            os.unlink(name, dir_fd=fd)
            continue
        target = name if fd == top else next(names)
        if fd != top:
            _make_movable(fd, name)
            os.rename(name, target, src_dir_fd=fd, dst_dir_fd=top)
        moved.append(target)
    return moved


def _make_movable(fd: int, name: str) -> None:
    """A folder's `..` changes when it moves, so its owner must be able to write to it."""
    mode = stat.S_IMODE(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode)
    if mode & 0o700 != 0o700:
        os.chmod(name, 0o700, dir_fd=fd)
