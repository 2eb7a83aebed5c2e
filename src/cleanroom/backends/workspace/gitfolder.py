"""Where the git folder of a workspace is, and whether the sandbox may have it.

In: a workspace root. Out: GitFolder. Never: a folder outside the root on the repository's word:
a `.git` file may name any path, so both ends must name each other, and belong to one owner.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cleanroom.backends.workspace.folders import read_plain

_MAX_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class GitFolder:
    """`inside`: relative folder in the root ("" if none). `common`: a worktree's main folder."""

    inside: str = ""
    common: str = ""
    note: str = ""


def find_git_folder(root: str) -> GitFolder:
    """Look at `root`/.git without following links."""
    try:
        facts = os.lstat(f"{root}/.git")
    except OSError:
        return GitFolder()
    if stat.S_ISDIR(facts.st_mode):
        return GitFolder(inside=".git")
    if not stat.S_ISREG(facts.st_mode):
        return GitFolder(note="cannot show git's folder: .git is a link or a device")
    common = _worktree_of(root, facts.st_uid)
    if common is None:
        return GitFolder(
            note="git will not work inside: .git names a folder outside the workspace"
            " that is not the main folder of this worktree"
        )
    return GitFolder(common=common)


def _worktree_of(root: str, owner: int) -> str | None:
    """The main git folder, if `root` is one of its worktrees: gitrepository-layout(5)."""
    named = _read_line(f"{root}/.git")
    if named is None or not named.startswith("gitdir: "):
        return None
    own = named.removeprefix("gitdir: ")
    folder, _, name = own.rpartition("/worktrees/")
    if not folder.startswith("/") or not name or "/" in name or name in (".", ".."):
        return None
    if os.path.realpath(own) != own or not Path(own).is_dir():
        return None
    back = _read_line(f"{own}/gitdir")
    common = _read_line(f"{own}/commondir")
    if back != f"{root}/.git" or common != "../..":
        return None
    if any(os.lstat(path).st_uid != owner for path in (folder, own, root)):
        return None
    return folder


def _read_line(path: str) -> str | None:
    """The one line of a small regular file."""
    text = read_plain(path, _MAX_BYTES)
    if text is None:
        return None
    line = os.fsdecode(text).removesuffix("\n")
    return None if "\n" in line else line
