"""Whether a change may be brought onto the host: looks at both, changes neither.

In: Sources, the changes wanted, what earlier applies wrote. Out: yes, nothing to do, or a conflict.
Never: a path through a link, a link that leads out, anything of a `.git`, or yes to a file that
changed on the host since.

How that is known: a file's ctime is set by the kernel at every change of its content, name or
mode, and nobody can set it back. Whatever is younger than the view of the sandbox was changed
since, unless an earlier apply wrote it and it has not changed since then.
"""

import os
import stat
from typing import Final

from cleanroom.backends.workspace.applied import Marks
from cleanroom.backends.workspace.changes import Change, Skipped
from cleanroom.backends.workspace.clashes import clashes
from cleanroom.backends.workspace.content import same_content
from cleanroom.backends.workspace.folders import (
    facts_of,
    is_plain,
    kind_of,
    names_in,
    open_at,
    opened,
    split,
)
from cleanroom.backends.workspace.links import Links
from cleanroom.backends.workspace.originals import is_kept
from cleanroom.backends.workspace.sources import Sources, open_file, read_link
from cleanroom.backends.workspace.sync import digest_at

# A verdict is one of these two, or the reason of a conflict.
DO: Final = "do"
NOTHING: Final = ""

EXISTS: Final = "exists on the host"
CHANGED: Final = "changed on the host since"
_REMOVED: Final = "was removed on the host since"
_LEADS_OUT: Final = "a link that leads out of the workspace"
_SAME_NAME: Final = "differs only in case or in the spelling of letters from"
_NO_PATH: Final = "not a path of the workspace"


class Judge:
    """Judges the changes of one apply. `ours`: what earlier ones wrote or merged."""

    def __init__(self, sources: Sources, wanted: list[Change], ours: Marks) -> None:
        self._sources = sources
        self._ours = ours
        self._links = Links(sources, wanted)
        self._deleted = {change.path for change in wanted if change.kind == "deleted"}
        added = (change.path for change in wanted if change.kind == "added")
        self._clashes = clashes(sources.root, added, frozenset(self._deleted))
        self.conflicts: list[Skipped] = []
        self.skipped: list[Skipped] = []

    def judge(self, change: Change) -> bool:
        """Whether there is something to do for `change`; notes why not."""
        if not is_plain(change.path):
            self.skipped.append(Skipped(change.path, _NO_PATH))
            return False
        is_link = change.type == "link" and change.kind != "deleted"
        if is_link and not self._links.stays_inside(change.path):
            self.skipped.append(Skipped(change.path, _LEADS_OUT))
            return False
        if change.path in self._clashes:
            other = self._clashes[change.path]
            self.skipped.append(Skipped(change.path, f"{_SAME_NAME} '{other}'"))
            return False
        verdict = self._verdict(change)
        if verdict not in (DO, NOTHING):
            self.conflicts.append(Skipped(change.path, verdict))
        return verdict == DO

    def _verdict(self, change: Change) -> str:
        if self._is_merged(change):
            return NOTHING
        folder, name = split(change.path)
        at = open_at(self._sources.root, folder)
        if at is None:
            return self._without_parent(change, folder)
        with opened(at):
            facts = facts_of(at, name)
            if change.kind == "deleted":
                return NOTHING if facts is None else self._deletion(change, at, facts)
        if change.path in self._deleted:
            return DO
        if facts is None:
            return DO if self._is_new(change) else _REMOVED
        return self._content(change, facts)

    def _without_parent(self, change: Change, folder: str) -> str:
        """The folder of `change` is not there, or is no folder."""
        if change.kind == "deleted":
            return NOTHING  # gone already
        if not self._is_new(change):
            return _REMOVED
        parts = folder.split("/")
        for depth in range(1, len(parts) + 1):
            path = "/".join(parts[:depth])
            facts = self._facts(path)
            if facts is None or path in self._deleted:
                break  # it will be made
            if not stat.S_ISDIR(facts.st_mode):
                return f"'{path}' is no folder on the host"
        return DO

    def _facts(self, path: str) -> os.stat_result | None:
        folder, name = split(path)
        at = open_at(self._sources.root, folder)
        if at is None:
            return None
        with opened(at):
            return facts_of(at, name)

    def _deletion(self, change: Change, at: int, facts: os.stat_result) -> str:
        if kind_of(facts.st_mode) != change.type:
            return CHANGED
        if change.type != "folder":
            return DO if self._is_old(change, facts) else CHANGED
        inner = open_at(at, split(change.path)[1])
        if inner is None:
            return CHANGED
        with opened(inner):
            names = names_in(inner)
        for name in names:
            if f"{change.path}/{name}" not in self._deleted:
                return f"holds '{name}' on the host"
        # Empty and changed since: it may be another folder than the one that was deleted.
        return DO if names or self._is_old(change, facts) else CHANGED

    def _content(self, change: Change, facts: os.stat_result) -> str:
        if change.type == "folder" and stat.S_ISDIR(facts.st_mode):
            return NOTHING
        if self._is_same(change, facts):
            return NOTHING
        if change.kind == "added" and not self._is_ours(change, facts):
            return EXISTS
        if kind_of(facts.st_mode) != change.type or not self._is_old(change, facts):
            return CHANGED
        return DO

    def _is_new(self, change: Change) -> bool:
        """Whether the host never had it: neither of its own, nor from us."""
        return (
            change.kind == "added"
            and not change.copied
            and change.path not in self._ours
            and not is_kept(self._sources.places.folder, change.path)
        )

    def _is_old(self, change: Change, facts: os.stat_result) -> bool:
        """Whether the host's version is the one that the sandbox saw, or that we wrote."""
        return facts.st_ctime_ns <= self._sources.saved.started_ns or self._is_ours(change, facts)

    def _is_ours(self, change: Change, facts: os.stat_result) -> bool:
        return self._ours.get(change.path) == facts.st_ctime_ns

    def _is_merged(self, change: Change) -> bool:
        """Whether the host's file holds this change, beside what the host did."""
        mark = self._ours.get(change.path)
        return isinstance(mark, str) and mark == digest_at(self._sources.upper, change.path)

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
