"""Write judged changes onto the host: everything is staged beside its place, then renamed.

In: Sources, changes that were judged. Out: path -> ctime of what was written. Never: a link
followed, a file opened that is already there, or half a file under its final name.

Until the first rename nothing of the host has changed; if staging fails, what was staged goes.
"""

import errno
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from cleanroom.backends.workspace.changes import Change
from cleanroom.backends.workspace.folders import FOLDER, facts_of, open_folder, opened, split
from cleanroom.backends.workspace.sources import Sources, open_file, read_link
from cleanroom.errors import Code, Fault

_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class _Staged:
    """A finished file or link under a temporary name in a folder that exists."""

    change: Change
    folder: str
    draft: str


class Writer:
    """Carries out one apply."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._staged: list[_Staged] = []
        self._made: list[str] = []
        facts = os.fstat(sources.root)
        # A root daemon writes into a person's repository: what it makes is theirs.
        self._owner = (facts.st_uid, facts.st_gid) if os.geteuid() == 0 else None

    def write(self, changes: Sequence[Change]) -> dict[str, int]:
        """Do it all. Raises Fault(internal)."""
        deletions = [change for change in changes if change.kind == "deleted"]
        contents = [change for change in changes if change.kind != "deleted"]
        replaced = {change.path for change in deletions}
        try:
            # A folder may stand where a file is deleted: those are staged after the deletion.
            late = [change for change in contents if _is_below(change.path, replaced)]
            for change in contents:
                if change not in late:
                    self._stage(change)
        except OSError as error:
            self._take_back()
            message = f"cannot write '{error.filename}': {error.strerror}; nothing was applied"
            raise Fault(Code.INTERNAL, message) from error
        try:
            for change in reversed(deletions):  # what is inside a folder comes after it
                self._delete(change)
            for change in late:
                self._stage(change)
            return {path: ctime for staged in self._staged for path, ctime in self._place(staged)}
        except OSError as error:
            message = f"cannot write '{error.filename}': {error.strerror}; apply again"
            raise Fault(Code.INTERNAL, message) from error

    def _stage(self, change: Change) -> None:
        folder, name = split(change.path)
        with opened(self._make_folders(folder)) as at:
            if change.type == "folder":
                self._make_folder(at, name, change.path)
                return
            draft = f".cleanroom-{secrets.token_hex(8)}"
            self._staged.append(_Staged(change, folder, draft))
            if change.type == "link":
                os.symlink(read_link(self._sources.upper, change.path) or "", draft, dir_fd=at)
                self._own(at, draft)
            else:
                self._copy(change, at, draft)

    def _copy(self, change: Change, at: int, draft: str) -> None:
        source = open_file(self._sources.upper, change.path)
        if source is None:
            raise OSError(2, "it is gone from the sandbox", change.path)
        with opened(source), opened(os.open(draft, _CREATE, 0o600, dir_fd=at)) as target:
            _copy_data(source, target)
            if self._owner is not None:
                os.fchown(target, *self._owner)
            before = facts_of(at, split(change.path)[1])
            # SECURITY: everybody on the host may write it only if they could before.
            others = before.st_mode & 0o002 if before is not None else 0
            os.fchmod(target, change.mode & (0o775 | others))

    def _make_folders(self, path: str) -> int:
        """Open the folder `path` of the host, making what is missing."""
        at = os.dup(self._sources.root)
        done = ""
        for part in path.split("/") if path else ():
            done = f"{done}/{part}" if done else part
            with opened(at):
                if facts_of(at, part) is None:
                    self._make_folder(at, part, done)
                at = os.open(part, FOLDER, dir_fd=at)
        return at

    def _make_folder(self, at: int, name: str, path: str) -> None:
        if open_existing(at, name):
            return
        os.mkdir(name, 0o755, dir_fd=at)
        self._made.append(path)
        self._own(at, name)

    def _own(self, at: int, name: str) -> None:
        if self._owner is not None:
            os.chown(name, *self._owner, dir_fd=at, follow_symlinks=False)

    def _delete(self, change: Change) -> None:
        folder, name = split(change.path)
        with opened(self._make_folders(folder)) as at:
            if change.type == "folder":
                os.rmdir(name, dir_fd=at)
            else:
                os.unlink(name, dir_fd=at)

    def _place(self, staged: _Staged) -> list[tuple[str, int]]:
        name = split(staged.change.path)[1]
        with opened(self._make_folders(staged.folder)) as at:
            os.rename(staged.draft, name, src_dir_fd=at, dst_dir_fd=at)
            facts = facts_of(at, name)
        return [] if facts is None else [(staged.change.path, facts.st_ctime_ns)]

    def _take_back(self) -> None:
        """Remove what was staged; what was never made is passed over."""
        for staged in self._staged:
            with suppress(OSError), opened(self._make_folders(staged.folder)) as at:
                os.unlink(staged.draft, dir_fd=at)
        for path in reversed(self._made):
            folder, name = split(path)
            with suppress(OSError), opened(self._make_folders(folder)) as at:
                os.rmdir(name, dir_fd=at)


def _copy_data(source: int, target: int) -> None:
    """Copy as much as there is now. SECURITY: holes stay holes: what no disk limit counted inside
    must not fill the host's disk; and a file that grows meanwhile has an end all the same."""
    size = os.fstat(source).st_size
    os.ftruncate(target, size)
    at = 0
    while (at := _data_from(source, at, size)) < size:
        end = min(os.lseek(source, at, os.SEEK_HOLE), size)
        os.lseek(source, at, os.SEEK_SET)
        os.lseek(target, at, os.SEEK_SET)
        while at < end and (data := os.read(source, min(end - at, 1 << 20))):
            at += len(data)
            view = memoryview(data)
            while len(view):
                view = view[os.write(target, view) :]
        at = end  # also if it was cut meanwhile


def _data_from(source: int, at: int, size: int) -> int:
    """Where the next data begins; `size` if only a hole is left."""
    try:
        return os.lseek(source, at, os.SEEK_DATA)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return size


def open_existing(at: int, name: str) -> bool:
    """Whether `name` is a folder already."""
    fd = open_folder(at, name)
    if fd is None:
        return False
    os.close(fd)
    return True


def _is_below(path: str, replaced: set[str]) -> bool:
    """Whether a part of `path`, or `path` itself, is deleted in the same apply."""
    parts = path.split("/")
    return any("/".join(parts[: depth + 1]) in replaced for depth in range(len(parts)))
