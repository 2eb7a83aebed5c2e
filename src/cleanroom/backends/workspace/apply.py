"""Bring what a run changed onto the host: everything is judged first, then all is done or nothing.

In: the folder of a sandbox, the paths wanted. Out: Applied. Never: a path through a link, a link
that leads out, anything of a `.git`, a set-uid bit, or a file that changed on the host since.

How that is known: a file's ctime is set by the kernel at every change of its content, name or
mode, and nobody can set it back. Whatever is younger than the view of the sandbox was changed
since, unless an earlier `apply` wrote it and it has not changed since then.
"""

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cleanroom.backends.workspace.changes import Change, Skipped, change_set
from cleanroom.backends.workspace.folders import (
    facts_of,
    is_plain,
    kind_of,
    names_in,
    open_at,
    opened,
    same_content,
    split,
)
from cleanroom.backends.workspace.saved import Places
from cleanroom.backends.workspace.sources import Sources, open_file, open_sources, read_link
from cleanroom.backends.workspace.write import Writer

_EXISTS: Final = "exists on the host"
_CHANGED: Final = "changed on the host since"
_REMOVED: Final = "was removed on the host since"


@dataclass(frozen=True, slots=True)
class Applied:
    """With any conflict nothing was applied. `applied` is what would be, under `check`."""

    applied: tuple[str, ...] = ()
    conflicts: tuple[Skipped, ...] = ()
    skipped: tuple[Skipped, ...] = ()


def apply(folder: Path, paths: tuple[str, ...] = (), *, check: bool = False) -> Applied:
    """Apply the changes at or below `paths` (all that git would not ignore, if none is named).

    Raises Fault(internal) if the host fails; then nothing was applied, or the message says what.
    """
    wanted, skipped = _choose(folder, paths)
    with open_sources(folder) as sources:
        judge = _Judge(sources, wanted)
        actions = [change for change in wanted if judge.judge(change)]
        done = Applied(
            tuple(change.path for change in actions),
            tuple(judge.conflicts),
            (*skipped, *judge.skipped),
        )
        if judge.conflicts:
            return Applied((), done.conflicts, done.skipped)
        if not check:
            written = Writer(sources).write(actions)
            _remember(sources.places, written)
    return done


def _choose(folder: Path, paths: tuple[str, ...]) -> tuple[list[Change], list[Skipped]]:
    """The changes asked for, and what was asked for in vain or is never brought out."""
    found = change_set(folder)
    if not paths:
        skipped = list(found.skipped)
        if found.ignored:
            reason = f"{len(found.ignored)} files that git ignores: name them to apply them"
            skipped.append(Skipped(found.ignored[0].path, reason))
        return list(found.changes), skipped
    everything = sorted((*found.changes, *found.ignored), key=lambda change: change.path)
    asked = [path.rstrip("/").removeprefix("./") for path in paths]
    wanted = [change for change in everything if any(_is_at(change.path, at) for at in asked)]
    vain = [at for at in asked if not any(_is_at(change.path, at) for change in wanted)]
    skipped = [each for each in found.skipped if any(_is_at(each.path, at) for at in asked)]
    return wanted, skipped + [Skipped(at, "nothing was changed there") for at in vain]


def _is_at(path: str, at: str) -> bool:
    return at in ("", ".", path) or path.startswith(f"{at}/")


class _Judge:
    """Looks at each change and at the host, and changes nothing."""

    def __init__(self, sources: Sources, wanted: list[Change]) -> None:
        self._sources = sources
        self._ours = _remembered(sources.places)
        self._deleted = {change.path for change in wanted if change.kind == "deleted"}
        self.conflicts: list[Skipped] = []
        self.skipped: list[Skipped] = []

    def judge(self, change: Change) -> bool:
        """Whether there is something to do for `change`; notes why not."""
        if not is_plain(change.path):
            self.skipped.append(Skipped(change.path, "not a path of the workspace"))
            return False
        if change.type == "link" and change.kind != "deleted" and not self._stays_inside(change):
            self.skipped.append(Skipped(change.path, "a link that leads out of the workspace"))
            return False
        folder, name = split(change.path)
        at = self._open_parent(folder)
        if at is None:
            return self._without_parent(change, folder)
        with opened(at):
            facts = facts_of(at, name)
            if change.kind == "deleted":
                return self._judge_deletion(change, at, facts)
            return self._judge_content(change, facts)

    def _conflict(self, change: Change, reason: str) -> bool:
        self.conflicts.append(Skipped(change.path, reason))
        return False

    def _open_parent(self, folder: str) -> int | None:
        return open_at(self._sources.root, folder)

    def _without_parent(self, change: Change, folder: str) -> bool:
        """The folder of `change` is not there, or is no folder."""
        if change.kind == "deleted":
            return False  # gone already
        if change.kind != "added":
            return self._conflict(change, _REMOVED)
        parts = folder.split("/")
        for depth in range(1, len(parts) + 1):
            path = "/".join(parts[:depth])
            above, name = split(path)
            at = self._open_parent(above)
            if at is None:
                return True  # what is above it is not there either: it will be made
            with opened(at):
                facts = facts_of(at, name)
            if facts is None or path in self._deleted:
                return True
            if not stat.S_ISDIR(facts.st_mode):
                return self._conflict(change, f"'{path}' is no folder on the host")
        return self._conflict(change, f"'{folder}' cannot be entered")

    def _judge_deletion(self, change: Change, at: int, facts: os.stat_result | None) -> bool:
        if facts is None:
            return False
        if kind_of(facts.st_mode) != change.type:
            return self._conflict(change, _CHANGED)
        if change.type != "folder":
            return True if self._is_old(change, facts) else self._conflict(change, _CHANGED)
        inner = open_at(at, split(change.path)[1])
        if inner is None:
            return self._conflict(change, _CHANGED)
        with opened(inner):
            new = [name for name in names_in(inner) if f"{change.path}/{name}" not in self._deleted]
        return True if not new else self._conflict(change, f"holds '{new[0]}' on the host")

    def _judge_content(self, change: Change, facts: os.stat_result | None) -> bool:
        if facts is None or (change.kind == "added" and change.path in self._deleted):
            return True if change.kind == "added" else self._conflict(change, _REMOVED)
        if change.type == "folder" and stat.S_ISDIR(facts.st_mode):
            return False
        if self._is_same(change, facts):
            return False
        if change.kind == "added" and not self._is_ours(change, facts):
            return self._conflict(change, _EXISTS)
        if kind_of(facts.st_mode) != change.type or not self._is_old(change, facts):
            return self._conflict(change, _CHANGED)
        return True

    def _is_old(self, change: Change, facts: os.stat_result) -> bool:
        """Whether the host's version is the one that the sandbox saw, or that we wrote."""
        return facts.st_ctime_ns <= self._sources.saved.started_ns or self._is_ours(change, facts)

    def _is_ours(self, change: Change, facts: os.stat_result) -> bool:
        return self._ours.get(change.path) == facts.st_ctime_ns

    def _is_same(self, change: Change, facts: os.stat_result) -> bool:
        """Whether the host has this very content already."""
        if kind_of(facts.st_mode) != change.type:
            return False
        if change.type == "link":
            here = read_link(self._sources.root, change.path)
            return here == read_link(self._sources.upper, change.path)
        if (facts.st_mode ^ change.mode) & 0o111 or facts.st_size != change.size:
            return False
        one = open_file(self._sources.upper, change.path)
        if one is None:
            return False
        with opened(one):
            other = open_file(self._sources.root, change.path)
            if other is None:
                return False
            with opened(other):
                return same_content(one, other)

    def _stays_inside(self, change: Change) -> bool:
        """Whether a link points below the workspace, whatever other links do.

        `..` may only lead: behind a name it would depend on where that name's own link leads.
        """
        target = read_link(self._sources.upper, change.path)
        if not target or target.startswith("/"):
            return False
        parts = [part for part in target.split("/") if part not in ("", ".")]
        ups = 0
        while ups < len(parts) and parts[ups] == "..":
            ups += 1
        rest = parts[ups:]
        return ups <= change.path.count("/") and (not rest or is_plain("/".join(rest)))


def _remembered(places: Places) -> dict[str, int]:
    """Path to ctime of what earlier applies wrote."""
    try:
        value = json.loads(places.applied.read_text())
    except (OSError, ValueError):
        return {}
    return {path: ctime for path, ctime in value.items() if isinstance(ctime, int)}


def _remember(places: Places, written: dict[str, int]) -> None:
    draft = places.applied.with_suffix(".new")
    draft.write_text(json.dumps({**_remembered(places), **written}))
    draft.rename(places.applied)
