"""Bring what a run changed onto the host: everything is judged first, then all is done or nothing.

In: the folder of a sandbox, the paths wanted. Out: Applied. Never: a path through a link, a link
that leads out, anything of a `.git`, a set-uid bit, or a file that changed on the host since.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from cleanroom.backends.workspace.changes import Change, Skipped, change_set
from cleanroom.backends.workspace.judge import Judge
from cleanroom.backends.workspace.saved import Places
from cleanroom.backends.workspace.sources import open_sources
from cleanroom.backends.workspace.write import Writer


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
        judge = Judge(sources, wanted, _remembered(sources.places))
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
