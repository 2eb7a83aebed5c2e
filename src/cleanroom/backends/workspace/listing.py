"""What a workspace on the host holds now, as far as a sandbox may know of it.

In: its root, what is left out. Out: path -> Entry. Never: a link followed, anything of git's
folders, or what can be installed again (`node_modules`, virtual environments).
"""

import os
from dataclasses import dataclass
from typing import Final

from cleanroom.backends.workspace.credentials import UNSEARCHED
from cleanroom.backends.workspace.folders import is_git, kind_of
from cleanroom.backends.workspace.scan import MAX_FOLDERS


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, link or folder; `ctime_ns` is set by the kernel at every change of it."""

    kind: str  # "file", "link", "folder"
    ctime_ns: int


Listing = dict[str, Entry]
DRAFT: Final = ".cleanroom-"  # what an apply is about to rename
ROOT: Final = ""  # the path of the workspace itself


def list_host(root: str, left_out: frozenset[str]) -> Listing:
    """Return every path. A folder that goes meanwhile is as if it were empty."""
    found: Listing = {ROOT: Entry("folder", os.lstat(root).st_ctime_ns)}
    waiting = [ROOT]
    folders = 0
    while waiting and folders < MAX_FOLDERS:
        folders += 1
        waiting += _list_folder(root, waiting.pop(), left_out, found)
    return found


def _list_folder(root: str, at: str, left_out: frozenset[str], found: Listing) -> list[str]:
    inner = []
    try:
        with os.scandir(f"{root}/{at}") as entries:
            for entry in entries:
                path = f"{at}/{entry.name}" if at else entry.name
                if path in left_out or not is_shown(path):
                    continue
                facts = entry.stat(follow_symlinks=False)
                kind = kind_of(facts.st_mode)
                if kind:
                    found[path] = Entry(kind, facts.st_ctime_ns)
                if kind == "folder":
                    inner.append(path)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []
    return inner


def is_shown(path: str) -> bool:
    """Whether edits of this path are brought inside at all."""
    parts = path.split("/")
    unsearched = any(part in UNSEARCHED for part in parts)
    if parts[-1].startswith(DRAFT):
        return False
    return not unsearched and not any(is_git(part) for part in parts) and path.isprintable()
