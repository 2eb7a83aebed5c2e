"""Files that both sides changed, merged line by line: `apply --3way`.

In: the folder of a sandbox, paths. Out: Merged, nothing of it on the host yet. Never: a file that
is not text, a side chosen where both differ, or git run where it could find a configuration.

Where the version that both began with is known, what only one side changed needs nobody. Where it
is not, every place where they differ is marked. `git merge-file` gets three plain files in a folder
of ours: it reads no attributes, so no merge driver, and there is no repository around it.
"""

import asyncio
import os
import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cleanroom.backends.workspace.applied import Marks, marks_of
from cleanroom.backends.workspace.content import digest_of
from cleanroom.backends.workspace.folders import opened
from cleanroom.backends.workspace.gitrun import GitError, merge_files
from cleanroom.backends.workspace.judge import CHANGED, EXISTS, Judge
from cleanroom.backends.workspace.originals import (
    MAX_BYTES,
    MERGED,
    Original,
    is_text,
    original_of,
)
from cleanroom.backends.workspace.sources import Sources, open_file, open_sources
from cleanroom.backends.workspace.sync import file_digest
from cleanroom.backends.workspace.turn import turn
from cleanroom.backends.workspace.upkeep import remove_tree
from cleanroom.backends.workspace.wanted import choose

MOST_BYTES: Final = 32 << 20  # of both sides; what is beyond stays a conflict
MERGEABLE: Final = (EXISTS, CHANGED)
_X: Final = 0o111
_NAMES: Final = ("host", "before", "sandbox")  # also what the marks are called


@dataclass(frozen=True, slots=True)
class Merged:
    """What is to stand in the place of the host's file of the ctime `before_ns`.

    `marks` places are for a person to decide. `known`: the version that both began with was.
    `theirs`: the sandbox's version, and `given` its digest.
    """

    content: bytes
    mode: int
    marks: int
    known: bool
    before_ns: int
    given: str
    theirs: Original


@dataclass(frozen=True, slots=True)
class _Pair:
    """Both versions of one file, and what they began as."""

    path: str
    host: Original
    sandbox: Original
    before: Original | None


async def merge_conflicts(folder: Path, paths: tuple[str, ...]) -> dict[str, Merged]:
    """Merge what an apply of these paths would find in conflict, as far as it can be merged.

    Raises Refused where git is missing, Fault.
    """
    work = folder / f"merge-{secrets.token_hex(8)}"
    pairs = await asyncio.to_thread(_pairs, folder, paths)
    merged = {}
    try:
        for pair in pairs:
            await asyncio.to_thread(_lay_out, work, pair)
            try:
                content, marks = await merge_files(work, _NAMES)
            except GitError:
                continue  # it stays a conflict
            merged[pair.path] = _merged(pair, content, marks)
    finally:
        await asyncio.to_thread(remove_tree, work)
    return merged


def _pairs(folder: Path, paths: tuple[str, ...]) -> list[_Pair]:
    with turn(folder), open_sources(folder) as sources:
        wanted, _ = choose(folder, paths)
        marks = marks_of(sources.places)
        judge = Judge(sources, wanted, marks)
        for change in wanted:
            judge.judge(change)
        both = {each.path for each in judge.conflicts if each.reason in MERGEABLE}
        found: list[_Pair] = []
        left = MOST_BYTES
        for change in wanted:
            if change.path not in both or change.kind == "deleted" or left <= 0:
                continue
            pair = _pair(sources, change.path, marks)
            if pair is not None:
                found.append(pair)
                left -= len(pair.host.content) + len(pair.sandbox.content)
    return found


def _pair(sources: Sources, path: str, marks: Marks) -> _Pair | None:
    host, sandbox = _read(sources.root, path), _read(sources.upper, path)
    if host is None or sandbox is None:
        return None
    before = original_of(sources.places.folder, path, marks, sources.saved.started_ns)
    return _Pair(path, host, sandbox, before)


def _read(top: int, path: str) -> Original | None:
    """Return a version of a file; None if it is none whose lines can be merged."""
    fd = open_file(top, path)
    if fd is None:
        return None
    with opened(fd):
        facts = os.fstat(fd)
        data = os.pread(fd, MAX_BYTES + 1, 0)
    if len(data) > MAX_BYTES or not is_text(data):
        return None
    return Original(data, facts.st_mode & 0o777, facts.st_ctime_ns)


def _lay_out(work: Path, pair: _Pair) -> None:
    work.mkdir(mode=0o700, exist_ok=True)
    versions = (pair.host, pair.before, pair.sandbox)
    for name, version in zip(_NAMES, versions, strict=True):
        (work / name).write_bytes(version.content if version else b"")


def _merged(pair: _Pair, content: bytes, marks: int) -> Merged:
    host, before, sandbox = pair.host, pair.before, pair.sandbox
    mode = host.mode
    if before is not None and (sandbox.mode ^ before.mode) & _X:
        mode = (host.mode & ~_X) | (sandbox.mode & _X)
    given = file_digest(sandbox.mode, digest_of(sandbox.content))
    theirs = replace(sandbox, ctime_ns=MERGED)
    return Merged(content, mode, marks, before is not None, host.ctime_ns, given, theirs)
