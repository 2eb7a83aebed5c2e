"""Write judged changes onto the host: everything is drafted beside its place, then renamed.

In: Sources, changes that were judged. Out: Placed. Never: a link followed, a file opened that is
already there, half a file under its final name, or a step that the journal did not say before.

Until the first rename nothing of the host has changed but drafts; if drafting fails, they go.
"""

import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from cleanroom.backends.workspace.changes import Change
from cleanroom.backends.workspace.content import data_from
from cleanroom.backends.workspace.folders import facts_of, open_at, open_folder, opened, split
from cleanroom.backends.workspace.journal import (
    NOT_THERE,
    Deletion,
    Draft,
    Journal,
    drop_journal,
    save_journal,
)
from cleanroom.backends.workspace.merge import Merged
from cleanroom.backends.workspace.place import Placed, Placer
from cleanroom.backends.workspace.sources import Sources, ctime_of, open_file, read_link
from cleanroom.errors import Code, Fault

_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Writer:
    """Carries out one apply."""

    def __init__(self, sources: Sources, merged: Mapping[str, Merged]) -> None:
        """`merged`: what is written instead of the sandbox's own file."""
        self._sources = sources
        self._merged = merged
        self._placer = Placer(sources.root)

    def write(self, changes: Sequence[Change]) -> Placed:
        """Do it all; the journal stays until `drop_journal`. Raises Fault(internal)."""
        journal = self._plan(changes)
        folder = self._sources.places.folder
        contents = [change for change in changes if change.kind != "deleted"]
        files = [change for change in contents if change.type != "folder"]
        try:
            save_journal(folder, journal)
            pairs = zip(files, journal.drafts, strict=True)
            drafts = tuple(self._draft(change, draft) for change, draft in pairs)
            journal = replace(journal, placing=True, drafts=drafts)
            save_journal(folder, journal)
        except OSError as error:
            self._placer.undo(journal)
            drop_journal(folder)
            message = f"cannot write '{error.filename}': {error.strerror}; nothing was applied"
            raise Fault(Code.INTERNAL, message) from error
        try:
            return self._placer.carry_out(journal)
        except OSError as error:
            message = f"cannot write '{error.filename}': {error.strerror}; apply again"
            hint = "cleanroom apply: it goes on where this one stopped"
            raise Fault(Code.INTERNAL, message, hint) from error

    def _plan(self, changes: Sequence[Change]) -> Journal:
        """The steps; the names of drafts cannot be guessed."""
        gone = {change.path for change in changes if change.kind == "deleted"}
        deletions, folders, drafts = [], [], []
        for change in changes:
            merged = self._merged.get(change.path)
            if merged is not None:
                before = merged.before_ns
            elif change.kind != "deleted" and change.path in gone:
                before = NOT_THERE
            else:
                before = ctime_of(self._sources.root, change.path) or NOT_THERE
            if change.kind == "deleted":
                deletions.append(Deletion(change.path, change.type == "folder", before))
            elif change.type == "folder":
                folders.append(change.path)
            else:
                beside = self._standing(split(change.path)[0], gone)
                name = f".cleanroom-{secrets.token_hex(8)}"
                at = f"{beside}/{name}" if beside else name
                given = merged.given if merged is not None else ""
                drafts.append(Draft(at, change.path, before, given=given))
        return Journal(deletions=tuple(deletions), folders=tuple(folders), drafts=tuple(drafts))

    def _standing(self, folder: str, gone: set[str]) -> str:
        """The nearest folder upward that is there and stays: a draft is made in it."""
        parts = folder.split("/") if folder else []
        done: list[str] = []
        at = os.dup(self._sources.root)
        for part in parts:
            if "/".join((*done, part)) in gone:
                break
            with opened(at):
                inner = open_folder(at, part)
            if inner is None:
                return "/".join(done)
            at = inner
            done.append(part)
        os.close(at)
        return "/".join(done)

    def _draft(self, change: Change, draft: Draft) -> Draft:
        folder, name = split(draft.at)
        with opened(self._placer.make_folders(folder)) as at:
            if change.type == "link":
                os.symlink(read_link(self._sources.upper, change.path) or "", name, dir_fd=at)
                if self._placer.owner is not None:
                    os.chown(name, *self._placer.owner, dir_fd=at, follow_symlinks=False)
            elif change.path in self._merged:
                self._write(self._merged[change.path], at, name)
            else:
                self._copy(change, at, name)
            facts = os.stat(name, dir_fd=at, follow_symlinks=False)
        return replace(draft, inode=facts.st_ino, mtime_ns=facts.st_mtime_ns)

    def _copy(self, change: Change, at: int, name: str) -> None:
        source = open_file(self._sources.upper, change.path)
        if source is None:
            raise OSError(2, "it is gone from the sandbox", change.path)
        with opened(source), opened(os.open(name, _CREATE, 0o600, dir_fd=at)) as target:
            _copy_data(source, target)
            if self._placer.owner is not None:
                os.fchown(target, *self._placer.owner)
            # SECURITY: everybody on the host may write it only if they could before.
            os.fchmod(target, change.mode & (0o775 | self._others_write(change.path)))

    def _write(self, merged: Merged, at: int, name: str) -> None:
        with open(
            name, "xb", opener=lambda path, _: os.open(path, _CREATE, 0o600, dir_fd=at)
        ) as file:
            file.write(merged.content)
            if self._placer.owner is not None:
                os.fchown(file.fileno(), *self._placer.owner)
            os.fchmod(file.fileno(), merged.mode)

    def _others_write(self, path: str) -> int:
        folder, name = split(path)
        at = open_at(self._sources.root, folder)
        if at is None:
            return 0
        with opened(at):
            before = facts_of(at, name)
        return 0 if before is None else before.st_mode & 0o002


def _copy_data(source: int, target: int) -> None:
    """Copy as much as there is now. SECURITY: holes stay holes: what no disk limit counted inside
    must not fill the host's disk; and a file that grows meanwhile has an end all the same."""
    size = os.fstat(source).st_size
    os.ftruncate(target, size)
    at = 0
    while (at := data_from(source, at, size)) < size:
        end = min(os.lseek(source, at, os.SEEK_HOLE), size)
        os.lseek(source, at, os.SEEK_SET)
        os.lseek(target, at, os.SEEK_SET)
        while at < end and (data := os.read(source, min(end - at, 1 << 20))):
            at += len(data)
            view = memoryview(data)
            while len(view):
                view = view[os.write(target, view) :]
        at = end  # also if it was cut meanwhile
