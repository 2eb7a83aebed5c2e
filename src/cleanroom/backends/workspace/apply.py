"""Bring what a run changed onto the host: everything is judged first, then all is done or nothing.

In: the folder of a sandbox, the paths wanted. Out: Applied. Never: a path through a link, a link
that leads out, anything of a `.git`, a set-uid bit, or a file that changed on the host since.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cleanroom.backends.workspace.changes import Change, Skipped, change_set
from cleanroom.backends.workspace.guard import guarded, is_named
from cleanroom.backends.workspace.journal import drop_journal, load_journal
from cleanroom.backends.workspace.judge import Judge
from cleanroom.backends.workspace.place import Placed, Placer
from cleanroom.backends.workspace.saved import Places
from cleanroom.backends.workspace.sources import Sources, open_sources
from cleanroom.backends.workspace.sync import note_given
from cleanroom.backends.workspace.turn import turn
from cleanroom.backends.workspace.write import Writer
from cleanroom.errors import Code, Fault


@dataclass(frozen=True, slots=True)
class Applied:
    """With any conflict nothing was applied. `applied` is what would be, under `check`."""

    applied: tuple[str, ...] = ()
    conflicts: tuple[Skipped, ...] = ()
    skipped: tuple[Skipped, ...] = ()


def carry(folder: Path) -> tuple[Skipped, ...]:
    """Apply every change that is no conflict; what stays inside, and why. Raises Fault."""
    done = apply(folder, partly=True)
    return (*done.conflicts, *done.skipped)


def apply(
    folder: Path, paths: tuple[str, ...] = (), *, check: bool = False, partly: bool = False
) -> Applied:
    """Apply the changes at or below `paths` (all that git would not ignore, if none is named).

    `partly`: conflicts are left, all others applied.

    Raises Fault(internal) if the host fails; then nothing was applied, or the message says what.
    """
    with turn(folder), open_sources(folder) as sources:
        earlier = () if check else recover(sources)
        wanted, skipped = _choose(folder, paths)
        judge = Judge(sources, wanted, _remembered(sources.places))
        actions = [change for change in wanted if judge.judge(change)]
        done = Applied(
            tuple(change.path for change in actions),
            tuple(judge.conflicts),
            (*skipped, *judge.skipped),
        )
        if judge.conflicts and not partly:
            return Applied((), done.conflicts, done.skipped)
        if check or not actions:
            return replace(done, skipped=(*earlier, *done.skipped))
        placed = Writer(sources).write(actions)
        gone = [change.path for change in actions if change.kind == "deleted"]
        remember(sources.places, placed.written, gone)
        note_given(folder, sources.upper, placed.written)
        drop_journal(folder)
    return replace(done, skipped=(*earlier, *done.skipped, *placed.left))


def finish_interrupted(folder: Path) -> tuple[Skipped, ...]:
    """Complete or undo an apply that was killed; what was left alone. Raises Fault(internal)."""
    if load_journal(folder) is None:
        return ()
    with turn(folder), open_sources(folder) as sources:
        return recover(sources)


def recover(sources: Sources) -> tuple[Skipped, ...]:
    """The same with everything open."""
    folder = sources.places.folder
    journal = load_journal(folder)
    if journal is None:
        return ()
    placer = Placer(sources.root)
    placed = Placed()
    try:
        if journal.placing:
            placed = placer.carry_out(journal)
        else:
            placer.undo(journal)
    except OSError as error:
        message = f"cannot complete an earlier apply: '{error.filename}': {error.strerror}"
        raise Fault(Code.INTERNAL, message, "mend that, then: cleanroom apply") from error
    remember(sources.places, placed.written)
    drop_journal(folder)
    return tuple(placed.left)


def _choose(folder: Path, paths: tuple[str, ...]) -> tuple[list[Change], list[Skipped]]:
    """The changes asked for, and what was asked for in vain or is never brought out."""
    found = change_set(folder)
    if not paths:
        skipped = list(found.skipped)
        wanted, held = _unguarded(found.changes, ())
        skipped += held
        if found.ignored:
            skipped.append(found.ignored_line("name them to apply them"))
        return wanted, skipped
    everything = sorted((*found.changes, *found.ignored), key=lambda change: change.path)
    asked = tuple(path.rstrip("/").removeprefix("./") for path in paths)
    wanted = [change for change in everything if any(_is_at(change.path, at) for at in asked)]
    vain = [at for at in asked if not any(_is_at(change.path, at) for change in wanted)]
    skipped = [each for each in found.skipped if any(_is_at(each.path, at) for at in asked)]
    skipped += [Skipped(at, "nothing was changed there") for at in vain]
    wanted, held = _unguarded(wanted, asked)
    return wanted, skipped + held


def _unguarded(
    changes: Sequence[Change], asked: tuple[str, ...]
) -> tuple[list[Change], list[Skipped]]:
    """Without those that must be named and are not."""
    free, held = [], []
    for change in changes:
        what = guarded(change.path)
        if what and not is_named(change.path, asked):
            held.append(Skipped(change.path, f"{what}: name it to apply it"))
        else:
            free.append(change)
    return free, held


def _is_at(path: str, at: str) -> bool:
    return at in ("", ".", path) or path.startswith(f"{at}/")


def _remembered(places: Places) -> dict[str, int]:
    """Path to ctime of what earlier applies wrote."""
    try:
        value = json.loads(places.applied.read_text())
    except (OSError, ValueError):
        return {}
    return {path: ctime for path, ctime in value.items() if isinstance(ctime, int)}


def remember(places: Places, written: dict[str, int], gone: Iterable[str] = ()) -> None:
    """Note what stands on the host as the sandbox has it: path to ctime; `gone` no longer does."""
    known = {**_remembered(places), **written}
    for path in gone:
        known.pop(path, None)
    draft = places.applied.with_suffix(".new")
    draft.write_text(json.dumps(known))
    draft.rename(places.applied)
