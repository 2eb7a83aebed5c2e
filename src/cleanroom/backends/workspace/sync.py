"""Which edits of the host a copy-on-write view lacks, and which the sandbox has changed itself.

In: the folder of a sandbox, listings of the host. Out: Plan: what to write and remove inside, what
is a conflict. Never: something overwritten that the sandbox wrote; anything written here, but the
memory of what was brought inside.

A path was changed inside if the upper layer has it with another content than was brought there.
"""

import json
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cleanroom.backends.workspace.content import content_digest
from cleanroom.backends.workspace.folders import (
    FOLDER,
    facts_of,
    open_at,
    open_folder,
    open_plain,
    opened,
    split,
)
from cleanroom.backends.workspace.listing import ROOT, Listing
from cleanroom.backends.workspace.saved import Places, load

_NAME: Final = "synced.json"
_UNTOUCHED: Final = ""  # the upper layer does not have the path
_DELETED: Final = "deleted"

CHANGED: Final = "changed inside too"
DELETED: Final = "deleted inside"


@dataclass(frozen=True, slots=True)
class Plan:
    """Paths. `writes` are in an order in which folders come first, `removals` in the reverse."""

    writes: tuple[str, ...] = ()
    removals: tuple[str, ...] = ()
    conflicts: tuple[tuple[str, str], ...] = ()  # path, why


@dataclass(frozen=True, slots=True)
class Brought:
    """What the sandbox was given at a path: the host's ctime of it, and a digest."""

    ctime_ns: int
    digest: str


@dataclass(slots=True)
class Memory:
    """What was brought into one sandbox so far."""

    folder: Path
    brought: dict[str, Brought] = field(default_factory=dict)
    seen: tuple[str, ...] = ()  # what the host had when it was last looked at

    @classmethod
    def read(cls, folder: Path) -> "Memory":
        """Return it; empty where nothing was brought yet."""
        try:
            value = json.loads((folder / _NAME).read_text())
        except FileNotFoundError:
            return cls(folder)
        brought = {path: Brought(*each) for path, each in value["brought"].items()}
        return cls(folder, brought, tuple(value["seen"]))

    def write(self) -> None:
        """Keep it, whole or not at all."""
        draft = self.folder / f"{_NAME}.new"
        brought = {path: [each.ctime_ns, each.digest] for path, each in self.brought.items()}
        draft.write_text(json.dumps({"brought": brought, "seen": self.seen}))
        draft.rename(self.folder / _NAME)


def make_plan(folder: Path, now: Listing, memory: Memory) -> Plan:
    """Say what to do. That the host removed something is known from the second look on."""
    saved = load(folder)
    with (
        opened(os.open(Places(folder).upper, FOLDER)) as upper,
        opened(os.open(saved.host_path, FOLDER)) as root,
    ):
        draft = _Draft(upper, root, memory)
        filled = {split(path)[0] for path in now}
        for path, entry in sorted(now.items()):
            known = memory.brought.get(path)
            if path == ROOT or entry.ctime_ns <= (known.ctime_ns if known else saved.started_ns):
                continue
            if entry.kind != "folder":
                draft.edited(path, entry.ctime_ns, known)
            elif path not in filled and _state(upper, path) == _UNTOUCHED:
                draft.writes.append(path)
        # What was given to either side was on the host, if nobody has looked since.
        for path in sorted(missing({*memory.seen, *memory.brought}, now), reverse=True):
            draft.removed(path, memory.brought.get(path))
    return Plan(tuple(draft.writes), tuple(draft.removals), tuple(draft.conflicts))


@dataclass(slots=True)
class _Draft:
    """A plan in the making; both layers are open."""

    upper: int
    root: int
    memory: Memory
    writes: list[str] = field(default_factory=list)
    removals: list[str] = field(default_factory=list)
    conflicts: list[tuple[str, str]] = field(default_factory=list)

    def edited(self, path: str, ctime_ns: int, known: Brought | None) -> None:
        """A file or link of the host is younger than the view, or than what was brought of it."""
        state, digest = _state(self.upper, path), digest_at(self.root, path)
        if state == digest:
            self.memory.brought[path] = Brought(ctime_ns, digest)
        elif _is_ours(state, known):
            self.writes.append(path)
        else:
            self.conflicts.append((path, DELETED if state == _DELETED else CHANGED))

    def removed(self, path: str, known: Brought | None) -> None:
        """The host no longer has it, unless it is only left out from now on."""
        if digest_at(self.root, path) != _UNTOUCHED:
            return
        state = _state(self.upper, path)
        if _is_ours(state, known):
            self.removals.append(path)
        elif state not in (_DELETED, "folder") and known:
            self.conflicts.append((path, CHANGED))


def _is_ours(state: str, known: Brought | None) -> bool:
    """Whether the sandbox has it as it was given to it."""
    return state == _UNTOUCHED or (known is not None and state == known.digest)


def digest_at(top: int, path: str) -> str:
    """Return what tells one file or link from another: type, content, whether it is a program."""
    folder, name = split(path)
    at = open_at(top, folder)
    if at is None:
        return _UNTOUCHED
    with opened(at):
        return _digest(at, name)


def _digest(at: int, name: str) -> str:
    if facts_of(at, name) is None:
        return _UNTOUCHED
    with suppress(OSError):
        return link_digest(os.readlink(name, dir_fd=at))
    fd = open_plain(at, name)
    if fd is None:
        return "folder" if _is_folder(at, name) else "unreadable"
    with opened(fd):
        return file_digest(os.fstat(fd).st_mode, content_digest(fd))


def link_digest(text: str) -> str:
    """Return the digest of a link with this text."""
    return f"link {text}"


def file_digest(mode: int, content: str) -> str:
    """Return the digest of a file: whether it is a program is part of it, other rights are not."""
    return f"file {mode & 0o111:o} {content}"


def _is_folder(at: int, name: str) -> bool:
    facts = facts_of(at, name)
    return facts is not None and stat.S_ISDIR(facts.st_mode)


def _state(upper: int, path: str) -> str:
    """What the upper layer has at a path: nothing, a deletion, "folder", or a digest."""
    at = os.dup(upper)
    *folders, name = path.split("/")
    for part in folders:
        with opened(at):
            inner = open_folder(at, part)
            if inner is None:
                return _UNTOUCHED if facts_of(at, part) is None else _DELETED
        at = inner
    with opened(at):
        facts = facts_of(at, name)
        if facts is None:
            return _UNTOUCHED
        return _DELETED if stat.S_ISCHR(facts.st_mode) else _digest(at, name)


def gone_inside(folder: Path, paths: Iterable[str]) -> list[str]:
    """Return those that the sandbox no longer has either, once the host has removed them."""
    with opened(os.open(Places(folder).upper, FOLDER)) as upper:
        return [path for path in paths if _state(upper, path) in (_UNTOUCHED, _DELETED)]


def note_given(folder: Path, given: dict[str, Brought]) -> None:
    """What the sandbox wrote stands on the host now, so a later edit there is no conflict."""
    memory = Memory.read(folder)
    memory.brought.update(given)
    memory.write()


def drop_copies(folder: Path) -> None:
    """Take what was brought, and not changed since, out of the upper layer; forget it all.

    Right before the view is mounted anew: then the host's own files show, newer ones too.
    """
    memory = Memory.read(folder)
    if not memory.brought:
        return
    with opened(os.open(Places(folder).upper, FOLDER)) as upper:
        for path, brought in memory.brought.items():
            if _state(upper, path) == brought.digest:
                _unlink(upper, path)
    Memory(folder).write()


def _unlink(upper: int, path: str) -> None:
    folder, name = split(path)
    at = open_at(upper, folder)
    if at is not None:
        with opened(at), suppress(FileNotFoundError):
            os.unlink(name, dir_fd=at)


def missing(before: Iterable[str], now: Listing) -> Iterator[str]:
    """Return the paths of `before` that `now` lacks."""
    return (path for path in before if path and path not in now)
