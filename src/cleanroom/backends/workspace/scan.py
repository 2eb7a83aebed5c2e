"""Find what a sandbox must not see, and what a rootless overlay could not change.

In: a workspace root. Out: Scan. Never: a link followed, or more than MAX_FOLDERS looked into;
beyond that the scan says so.

A folder's modification time changes when a name in it does, so a second scan stats folders only:
one system call each, not one per file. Files judged by content are looked at again when their own
time or size changed. A folder changed within the last moments is never believed from memory.
"""

import os
import stat
import time
from dataclasses import dataclass, field, replace
from typing import Final

from cleanroom.backends.workspace.credentials import (
    HEAD_BYTES,
    UNSEARCHED,
    is_secret_file,
    is_secret_folder,
    looks_secret,
    needs_look,
)
from cleanroom.backends.workspace.folders import read_plain
from cleanroom.backends.workspace.patterns import MAX_BYTES, parse_patterns

MAX_FOLDERS: Final = 20_000
IGNORE_FILE: Final = ".cleanroomignore"
_RACY_NS: Final = 2_000_000_000  # coarser than any file system's clock


@dataclass(frozen=True, slots=True)
class Scan:
    """Relative paths, sorted. `foreign` have another group than the caller (rootless only);
    `gits` are the git folders of repositories within, `dead` sockets and FIFOs, which lead to
    nobody inside."""

    left_out: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    gits: tuple[str, ...] = ()
    dead: tuple[str, ...] = ()
    complete: bool = True


@dataclass(frozen=True, slots=True)
class _Folder:
    """What one folder held when it had this time."""

    changed_ns: int
    folders: tuple[str, ...]
    secrets: tuple[str, ...]  # by name or pattern
    doubtful: tuple[str, ...]  # by content
    foreign: tuple[str, ...]
    git: tuple[str, ...]  # its `.git`, if that is a folder
    dead: tuple[str, ...]


@dataclass(slots=True)
class ScanCache:
    """What earlier scans found, by workspace; one process keeps one. Bounded by forgetting."""

    folders: dict[tuple[str, int | None], dict[str, _Folder]] = field(default_factory=dict)
    looks: dict[tuple[int, int, int, int], bool] = field(default_factory=dict)
    patterns: dict[tuple[str, int | None], str] = field(default_factory=dict)

    def known(self, key: tuple[str, int | None], ignore_text: str) -> dict[str, _Folder]:
        """The folders known of `key` (root and group) under these patterns."""
        if len(self.folders) > 64 or len(self.looks) > 100_000:
            self.folders.clear()
            self.looks.clear()
        if self.patterns.get(key) != ignore_text:
            self.patterns[key] = ignore_text
            self.folders[key] = {}
        return self.folders.setdefault(key, {})


class _Scanner:
    """One scan. `group`: whose entries are not foreign; None does not ask."""

    def __init__(self, root: str, group: int | None, cache: ScanCache) -> None:
        self._root = root
        self._group = group
        self._cache = cache
        text = _read_ignore_file(root)
        self._patterns = parse_patterns(text)
        self._known = cache.known((root, group), text)
        self._now_ns = time.time_ns()
        self.seen: dict[str, _Folder] = {}

    def scan(self) -> Scan:
        left_out: list[str] = []
        foreign: list[str] = []
        gits: list[str] = []
        dead: list[str] = []
        waiting = [""]
        while waiting and len(self.seen) < MAX_FOLDERS:
            at = waiting.pop()
            found = self._folder(at)
            if found is None:
                continue
            self.seen[at] = found
            left_out += found.secrets
            left_out += [path for path in found.doubtful if self._is_secret(path)]
            foreign += found.foreign
            gits += found.git if at else ()
            dead += found.dead
            waiting += found.folders
        self._cache.folders[self._root, self._group] = self.seen
        hidden, others, within = (tuple(sorted(each)) for each in (left_out, foreign, gits))
        return Scan(hidden, others, within, tuple(sorted(dead)), complete=not waiting)

    def _folder(self, at: str) -> _Folder | None:
        path = f"{self._root}/{at}"
        try:
            changed_ns = os.lstat(path).st_mtime_ns
            known = self._known.get(at)
            if known is not None and known.changed_ns == changed_ns:
                return known
            found = self._read(at, path, changed_ns)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return None  # gone meanwhile, or closed to the sandbox as well
        if self._now_ns - changed_ns < _RACY_NS:
            found = replace(found, changed_ns=-1)
        return found

    def _read(self, at: str, path: str, changed_ns: int) -> _Folder:
        prefix = f"{at}/" if at else ""
        folders: list[str] = []
        secrets: list[str] = []
        doubtful: list[str] = []
        foreign: list[str] = []
        git: list[str] = []
        dead: list[str] = []
        with os.scandir(path) as entries:
            for entry in entries:
                inside = prefix + entry.name
                is_folder = entry.is_dir(follow_symlinks=False)
                # SECURITY: a `!` line takes back only what the same file added: the repository may
                # hide more than the built-in list, never show a file that the list hides.
                added = self._patterns.match(inside, folder=is_folder)
                # By its whole path: `credentials` is one also if the root is `.aws`.
                if added or _is_secret_name(entry.name, f"{self._root}/{inside}", is_folder):
                    secrets.append(inside)
                    continue
                if self._group is not None and _group_of(entry) != self._group:
                    foreign.append(inside)
                if is_folder and entry.name not in UNSEARCHED:
                    folders.append(inside)
                elif is_folder and entry.name == ".git":
                    git.append(inside)
                elif not is_folder and needs_look(inside):
                    doubtful.append(inside)
                if not (is_folder or entry.is_symlink() or entry.is_file(follow_symlinks=False)):
                    dead.append(inside)
        lists = (tuple(each) for each in (folders, secrets, doubtful, foreign, git, dead))
        return _Folder(changed_ns, *lists)

    def _is_secret(self, inside: str) -> bool:
        path = f"{self._root}/{inside}"
        try:
            facts = os.lstat(path)
        except OSError:
            return True  # what cannot be looked at is not shown
        if not stat.S_ISREG(facts.st_mode):
            return False
        key = (facts.st_dev, facts.st_ino, facts.st_ctime_ns, facts.st_size)
        if key not in self._cache.looks:
            head = read_plain(path, HEAD_BYTES)
            self._cache.looks[key] = head is None or looks_secret(inside, head)
        return self._cache.looks[key]


def scan(root: str, group: int | None, cache: ScanCache) -> Scan:
    """Look through `root`; `group` is the caller's gid where foreign groups matter."""
    return _Scanner(root, group, cache).scan()


def _is_secret_name(name: str, inside: str, is_folder: bool) -> bool:  # noqa: FBT001
    return is_secret_folder(name) if is_folder else is_secret_file(inside)


def _group_of(entry: "os.DirEntry[str]") -> int:
    return entry.stat(follow_symlinks=False).st_gid


def _read_ignore_file(root: str) -> str:
    """The text of .cleanroomignore; a link, a device or a FIFO there is not read."""
    return (read_plain(f"{root}/{IGNORE_FILE}", MAX_BYTES) or b"").decode("utf-8", "replace")
