"""What a run changed: the upper layer of its workspace, read as data.

In: the folder of a sandbox. Out: Changes, sorted by path. Never: anything of a `.git`, a device,
a FIFO, a socket or a set-uid bit; a link followed; a change that equals the repository.

overlayfs marks a deletion by a character device 0:0 and a replaced folder by an xattr. The upper
layer holds plain files otherwise: redirects and metadata-only copies are switched off.
"""

import os
import stat
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Final

from cleanroom.backends.workspace.content import same_content
from cleanroom.backends.workspace.folders import (
    FOLDER,
    facts_of,
    is_git,
    kind_of,
    names_in,
    open_folder,
    open_plain,
    opened,
)
from cleanroom.backends.workspace.patterns import MAX_BYTES, Patterns, parse_patterns
from cleanroom.backends.workspace.saved import Places, Saved, load
from cleanroom.errors import Code, Fault

MAX_DEPTH: Final = 64
MAX_CHANGES: Final = 200_000
MAX_ENTRIES: Final = 2 * MAX_CHANGES  # that are looked at: also those that turn out to be no change
MAX_SKIPPED: Final = 1000  # that are told one by one
TOO_MANY: Final = "too many changes"


@dataclass(frozen=True, slots=True)
class Change:
    """One path. `kind`: added, modified, deleted, mode; `type`: file, link, folder.

    `size` in bytes and `mode` (permissions only) are of the new content; 0 if deleted. A folder
    is listed only if it is new and empty, or deleted. `ignored`: the repository's own .gitignore
    names it. `copied`: it began as a file of the repository that is there no more, though nobody
    deleted it inside.
    """

    path: str
    kind: str
    type: str
    size: int = 0
    mode: int = 0
    ignored: bool = False
    copied: bool = False


@dataclass(frozen=True, slots=True)
class Skipped:
    """A path that is never brought out, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Changes:
    """`changes` are those that count; `ignored` those that git would not look at either.

    `cut`: there are more than are looked at.
    """

    changes: tuple[Change, ...] = ()
    ignored: tuple[Change, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    cut: bool = False

    def ignored_line(self, becomes: str) -> Skipped:
        """Return one line for all that git ignores, and what becomes of it."""
        more = f", and {len(self.ignored) - 1} more" if len(self.ignored) > 1 else ""
        return Skipped(self.ignored[0].path, f"ignored by git{more}: {becomes}")


def change_set(folder: Path) -> Changes:
    """What the sandbox whose folder this is changed. Raises Fault(internal)."""
    saved = load(folder)
    walk = _Walk(saved)
    try:
        with (
            opened(os.open(Places(folder).upper, FOLDER)) as upper,
            opened(os.open(saved.host_path, FOLDER)) as lower,
        ):
            walk.folder(_At(upper, lower, ""))
    except OSError as error:
        message = f"cannot read what was changed: {error.strerror} ({error.filename})"
        raise Fault(Code.INTERNAL, message) from error
    return walk.result()


@dataclass(frozen=True, slots=True)
class _At:
    """One folder of the walk: in the upper layer, in the repository if it is there too."""

    upper: int
    lower: int | None
    path: str
    depth: int = 0
    ignored: bool = False
    patterns: tuple[tuple[str, Patterns], ...] = ()

    def inside(self, name: str) -> str:
        return f"{self.path}/{name}" if self.path else name

    def is_ignored(self, path: str, *, folder: bool) -> bool:
        """Whether git would ignore `path`: a parent's verdict stands, else the nearest file's."""
        if self.ignored:
            return True
        for base, patterns in reversed(self.patterns):
            verdict = patterns.match(path[len(base) :], folder=folder)
            if verdict is not None:
                return verdict
        return False


@dataclass(slots=True)
class _Walk:
    """The walk through both layers."""

    saved: Saved
    found: list[Change] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    origins: dict[str, bytes] = field(default_factory=dict)  # of new files: what they began as
    gone: set[int] = field(default_factory=set)  # inodes of the repository's files deleted inside
    left: int = field(default_factory=lambda: MAX_ENTRIES)
    over: bool = False
    cut: bool = False

    def result(self) -> Changes:
        copied = {path for path, origin in self.origins.items() if not self._is_renamed(origin)}
        found = sorted(
            (replace(each, copied=True) if each.path in copied else each for each in self.found),
            key=lambda change: change.path,
        )
        return Changes(
            tuple(change for change in found if not change.ignored),
            tuple(change for change in found if change.ignored),
            tuple(self.skipped),
            self.cut,
        )

    def folder(self, at: _At) -> None:
        """Everything in one folder of the upper layer."""
        at = _with_patterns(at)
        # SECURITY: names only, and no more than may be seen: one folder can hold millions.
        with os.scandir(at.upper) as entries:
            names = sorted(entry.name for entry in islice(entries, self.left + 1))
        self.left -= len(names)
        if self.left < 0:  # a part would not do: what is not in it would look deleted
            self.left += len(names)
            self.cut = True
            self._skip(at.path or ".", TOO_MANY)
            return
        if at.lower is not None and self._is_opaque(at.upper):
            for name in sorted({*names_in(at.lower)}.difference(names)):
                self._deleted(at, name)
        for name in names:
            if self.over:
                return
            self._named(at, name)

    def _named(self, at: _At, name: str) -> None:
        facts = facts_of(at.upper, name)
        if is_git(name) or facts is None:
            return
        path = at.inside(name)
        if not _is_text(name):
            self._skip(ascii(path), "its name is not UTF-8")
        elif len(self.found) >= MAX_CHANGES:
            self.over = self.cut = True
            self.skipped.append(Skipped(path, TOO_MANY))
        else:
            self._entry(at, name, facts)

    def _skip(self, path: str, reason: str) -> None:
        if len(self.skipped) < MAX_SKIPPED:
            self.skipped.append(Skipped(path, reason))
        elif len(self.skipped) == MAX_SKIPPED:
            self.skipped.append(Skipped(path, f"{reason}; there are more, of any kind"))

    def _entry(self, at: _At, name: str, facts: os.stat_result) -> None:
        if stat.S_ISCHR(facts.st_mode) and facts.st_rdev == 0:
            self._deleted(at, name)
            return
        kind = kind_of(facts.st_mode)
        path = at.inside(name)
        if not kind:
            self._skip(path, "not a file, a link or a folder")
            return
        before = self._before(at, name)
        if before is not None and kind_of(before.st_mode) != kind:
            self._deleted(at, name)
            before = None
        if kind == "folder":
            self._inner(at, name, is_new=before is None)
            return
        what = "added" if before is None else _difference(at, name, facts, before)
        if what:
            self._add(at, path, what, facts)
            if what == "added" and kind == "file":
                origin = self._origin(at, name)
                if origin is not None:
                    self.origins[path] = origin

    def _before(self, at: _At, name: str) -> os.stat_result | None:
        """What the sandbox found there."""
        if at.lower is None or at.inside(name) in self.saved.left_out:
            return None
        return facts_of(at.lower, name)

    def _add(self, at: _At, path: str, kind: str, facts: os.stat_result) -> None:
        ignored = at.is_ignored(path, folder=stat.S_ISDIR(facts.st_mode))
        size = 0 if stat.S_ISDIR(facts.st_mode) else facts.st_size
        mode = facts.st_mode & 0o777  # never set-uid, set-gid, sticky
        self.found.append(Change(path, kind, kind_of(facts.st_mode), size, mode, ignored))

    def _inner(self, at: _At, name: str, *, is_new: bool) -> None:
        path = at.inside(name)
        if at.depth >= MAX_DEPTH:
            self._skip(path, f"deeper than {MAX_DEPTH} folders")
            return
        upper = open_folder(at.upper, name)
        if upper is None:
            self._skip(path, "cannot be read")
            return
        lower = None if is_new or at.lower is None else open_folder(at.lower, name)
        before = len(self.found)
        ignored = at.is_ignored(path, folder=True)
        try:
            self.folder(_At(upper, lower, path, at.depth + 1, ignored, at.patterns))
            if is_new and len(self.found) == before and _is_empty(upper):
                self._add(at, path, "added", os.fstat(upper))
        finally:
            os.close(upper)
            if lower is not None:
                os.close(lower)

    def _deleted(self, at: _At, name: str) -> bool:
        """`name` of the repository is gone; false if something below it was never inside."""
        path = at.inside(name)
        before = self._before(at, name)
        if before is None or is_git(name) or not _is_text(name):
            return False
        kind = kind_of(before.st_mode)
        whole = bool(kind)
        if kind == "file":
            self.gone.add(before.st_ino)
        if kind == "folder":
            whole = self._deleted_below(at, name)
        if whole:
            ignored = at.is_ignored(path, folder=kind == "folder")
            self.found.append(Change(path, "deleted", kind, ignored=ignored))
        return whole

    def _deleted_below(self, at: _At, name: str) -> bool:
        inner = open_folder(at.lower, name) if at.lower is not None else None
        if inner is None or at.depth >= MAX_DEPTH:
            return False
        with opened(inner):
            ignored = at.is_ignored(at.inside(name), folder=True)
            below = _At(at.upper, inner, at.inside(name), at.depth + 1, ignored, at.patterns)
            kept = [each for each in names_in(inner) if not self._deleted(below, each)]
        return not kept

    def _origin(self, at: _At, name: str) -> bytes | None:
        """What overlayfs noted of the file of the repository that this one began as, if it did."""
        fd = open_plain(at.upper, name)
        if fd is None:
            return None
        with opened(fd):
            return self._mark(fd, "origin")

    def _is_renamed(self, origin: bytes) -> bool:
        """Whether a file that was deleted inside is the origin: its handle holds the inode.

        Some file systems (an overlay, in a container) have no handles, and the note is empty.
        """
        if not origin:
            return bool(self.gone)
        return any(
            inode.to_bytes(4 if inode < 1 << 32 else 8, "little") in origin for inode in self.gone
        )

    def _is_opaque(self, upper: int) -> bool:
        """Whether this folder replaced the repository's. As root the workload can forge nothing:
        only root sets `trusted`; rootless, a forged one deletes what it could delete anyway."""
        return self._mark(upper, "opaque") == b"y"

    def _mark(self, fd: int, name: str) -> bytes | None:
        """What overlayfs noted on an open file or folder."""
        prefix = "user" if self.saved.rootless else "trusted"
        try:
            return os.getxattr(fd, f"{prefix}.overlay.{name}")
        except OSError:
            return None


def _difference(at: _At, name: str, facts: os.stat_result, before: os.stat_result) -> str:
    """How a file or link differs from the repository's: "modified", "mode", or not at all."""
    if not _same(at, name, facts, before):
        return "modified"
    is_file = stat.S_ISREG(facts.st_mode)
    return "mode" if is_file and (facts.st_mode ^ before.st_mode) & 0o111 else ""


def _same(at: _At, name: str, facts: os.stat_result, before: os.stat_result) -> bool:
    """Whether a file or link has the repository's content."""
    if at.lower is None or facts.st_size != before.st_size:
        return False
    if stat.S_ISLNK(facts.st_mode):
        return os.readlink(name, dir_fd=at.upper) == os.readlink(name, dir_fd=at.lower)
    one, other = open_plain(at.upper, name), open_plain(at.lower, name)
    try:
        return one is not None and other is not None and same_content(one, other)
    finally:
        for fd in (one, other):
            if fd is not None:
                os.close(fd)


def _with_patterns(at: _At) -> _At:
    """With the .gitignore of the repository's own folder; never one that the workload wrote."""
    if at.lower is None or at.ignored:
        return at
    fd = open_plain(at.lower, ".gitignore")
    if fd is None:
        return at
    with os.fdopen(fd, "rb") as file:
        text = file.read(MAX_BYTES).decode("utf-8", "replace")
    base = f"{at.path}/" if at.path else ""
    patterns = (*at.patterns, (base, parse_patterns(text)))
    return _At(at.upper, at.lower, at.path, at.depth, at.ignored, patterns)


def _is_empty(folder: int) -> bool:
    with os.scandir(folder) as entries:
        return next(entries, None) is None


def _is_text(name: str) -> bool:
    """Whether a name can be said in JSON."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
