"""Carry out the steps of an apply on the host, the first time or after a crash: the same code.

In: the repository's root, a Journal. Out: path -> ctime of what stands there now, and what was left
alone. Never: a link followed, or something overwritten that is not what the step expects.
"""

import errno
import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from cleanroom.backends.workspace.changes import Skipped
from cleanroom.backends.workspace.folders import FOLDER, facts_of, open_at, opened, split
from cleanroom.backends.workspace.journal import Deletion, Draft, Journal

_CHANGED: Final = "changed on the host meanwhile"
_GONE: Final = "was removed on the host meanwhile"


@dataclass(slots=True)
class Placed:
    """`written`: path -> ctime. `merged`: path -> Draft.given. `left`: the host changed it."""

    written: dict[str, int] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)
    left: list[Skipped] = field(default_factory=list)


class Placer:
    """Works below one root. What it makes belongs to the root's owner."""

    def __init__(self, root: int) -> None:
        self._root = root
        facts = os.fstat(root)
        # A root daemon writes into a person's repository: what it makes is theirs.
        self.owner = (facts.st_uid, facts.st_gid) if os.geteuid() == 0 else None

    def carry_out(self, journal: Journal) -> Placed:
        """Do what is not done yet. Raises OSError; then it may be called again."""
        placed = Placed()
        for deletion in reversed(journal.deletions):  # what is inside a folder comes after it
            if not self._delete(deletion, journal):
                placed.left.append(Skipped(deletion.path, _CHANGED))
        for path in journal.folders:
            at = self._folder_for(path)
            if at is None:
                placed.left.append(Skipped(path, _CHANGED))
            else:
                os.close(at)
        for draft in journal.drafts:
            why = self._place(draft, placed)
            if why:
                placed.left.append(Skipped(draft.path, why))
        return placed

    def undo(self, journal: Journal) -> None:
        """Remove the drafts; what was never made is passed over."""
        for draft in journal.drafts:
            folder, name = split(draft.at)
            at = open_at(self._root, folder)
            if at is not None:
                with opened(at), suppress(OSError):
                    os.unlink(name, dir_fd=at)

    def make_folders(self, path: str) -> int:
        """Open the folder `path` of the host, making what is missing. Raises OSError."""
        at = os.dup(self._root)
        for part in path.split("/") if path else ():
            with opened(at):
                if facts_of(at, part) is None:
                    os.mkdir(part, 0o755, dir_fd=at)
                    if self.owner is not None:
                        os.chown(part, *self.owner, dir_fd=at, follow_symlinks=False)
                at = os.open(part, FOLDER, dir_fd=at)
        return at

    def _delete(self, deletion: Deletion, journal: Journal) -> bool:
        folder, name = split(deletion.path)
        at = open_at(self._root, folder)
        if at is None:
            return True  # gone with its folder
        with opened(at):
            facts = facts_of(at, name)
            if facts is None or _is_replaced(deletion, facts, journal):
                return True
            if stat.S_ISDIR(facts.st_mode) != deletion.is_folder:
                return False
            if deletion.is_folder:
                return _remove_empty(at, name)
            if facts.st_ctime_ns != deletion.before_ns:
                return False
            os.unlink(name, dir_fd=at)
        return True

    def _folder_for(self, path: str) -> int | None:
        """Open it; None if the host has something else than a folder on its way by now."""
        try:
            return self.make_folders(path)
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            return None

    def _place(self, draft: Draft, placed: Placed) -> str:
        """Give a draft its last name; return why it was left, else ""."""
        folder, name = split(draft.at)
        source = open_at(self._root, folder)
        if source is None:
            return _GONE  # with its folder
        with opened(source):
            at = self._folder_for(split(draft.path)[0])
            if at is None:
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=source)
                return _CHANGED
            with opened(at):
                return _rename(draft, (source, at), placed)


def _rename(draft: Draft, folders: tuple[int, int], placed: Placed) -> str:
    source, at = folders
    draft_name, name = split(draft.at)[1], split(draft.path)[1]
    facts = facts_of(at, name)
    if facts_of(source, draft_name) is not None:
        if facts is not None and facts.st_ctime_ns != draft.before_ns:
            os.unlink(draft_name, dir_fd=source)
            return _CHANGED
        os.rename(draft_name, name, src_dir_fd=source, dst_dir_fd=at)
        facts = facts_of(at, name)
    if facts is None:
        return _GONE
    # After a crash: it is ours if it is the draft's own file, and nobody wrote it since.
    if _known(facts) == (draft.inode, draft.mtime_ns):
        placed.written[draft.path] = facts.st_ctime_ns
        if draft.given:
            placed.merged[draft.path] = draft.given
    return ""


def _known(facts: os.stat_result) -> tuple[int, int]:
    return facts.st_ino, facts.st_mtime_ns


def _is_replaced(deletion: Deletion, facts: os.stat_result, journal: Journal) -> bool:
    """Whether what stands there came after the deletion, in the same apply, before a crash."""
    path = deletion.path
    if stat.S_ISDIR(facts.st_mode):
        return not deletion.is_folder and (
            path in journal.folders
            or any(draft.path.startswith(f"{path}/") for draft in journal.drafts)
        )
    return any(
        draft.path == path and _known(facts) == (draft.inode, draft.mtime_ns)
        for draft in journal.drafts
    )


def _remove_empty(at: int, name: str) -> bool:
    """Remove a folder; false if something is in it."""
    try:
        os.rmdir(name, dir_fd=at)
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise
        return False
    return True
