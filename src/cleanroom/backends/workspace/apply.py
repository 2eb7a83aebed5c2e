"""Bring what a run changed onto the host: everything is judged first, then all is done or nothing.

In: the folder of a sandbox, the paths wanted. Out: Applied. Never: a path through a link, a link
that leads out, anything of a `.git`, a set-uid bit, or a file that changed on the host since.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cleanroom.backends.workspace.applied import marks_of, remember
from cleanroom.backends.workspace.changes import Skipped
from cleanroom.backends.workspace.journal import drop_journal, load_journal
from cleanroom.backends.workspace.judge import Judge
from cleanroom.backends.workspace.merge import MERGEABLE, Merged
from cleanroom.backends.workspace.originals import drop_original, put_original
from cleanroom.backends.workspace.place import Placed, Placer
from cleanroom.backends.workspace.saved import Places
from cleanroom.backends.workspace.sources import Sources, ctime_of, open_sources
from cleanroom.backends.workspace.sync import Brought, digest_at, note_given
from cleanroom.backends.workspace.turn import turn
from cleanroom.backends.workspace.wanted import choose
from cleanroom.backends.workspace.write import Writer
from cleanroom.errors import Code, Fault


@dataclass(frozen=True, slots=True)
class MergedFile:
    """`marks` places are for a person to decide; `known`: what both sides began with was."""

    path: str
    marks: int
    known: bool


@dataclass(frozen=True, slots=True)
class Applied:
    """With any conflict nothing was applied. `applied` is what would be, under `check`."""

    applied: tuple[str, ...] = ()
    conflicts: tuple[Skipped, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    merged: tuple[MergedFile, ...] = ()  # those of `applied` that hold both sides' changes


def carry(folder: Path) -> tuple[Skipped, ...]:
    """Apply every change that is no conflict; what stays inside, and why. Raises Fault."""
    done = apply(folder, partly=True)
    return (*done.conflicts, *done.skipped)


def apply(
    folder: Path,
    paths: tuple[str, ...] = (),
    *,
    check: bool = False,
    partly: bool = False,
    merged: Mapping[str, Merged] | None = None,
) -> Applied:
    """Apply the changes at or below `paths` (all that git would not ignore, if none is named).

    `partly`: conflicts are left, all others applied. `merged`: what to write where there are
    conflicts (merge.py), as long as neither side has changed since.

    Raises Fault(internal) if the host fails; then nothing was applied, or the message says what.
    """
    with turn(folder), open_sources(folder) as sources:
        earlier = () if check else recover(sources)
        wanted, skipped = choose(folder, paths)
        judge = Judge(sources, wanted, marks_of(sources.places))
        actions = [change for change in wanted if judge.judge(change)]
        conflicts, mine = _resolve(sources, judge.conflicts, merged)
        actions += [change for change in wanted if change.path in mine]
        done = Applied(
            tuple(change.path for change in actions),
            tuple(conflicts),
            (*skipped, *judge.skipped),
            tuple(MergedFile(path, each.marks, each.known) for path, each in mine.items()),
        )
        if conflicts and not partly:
            return Applied((), done.conflicts, done.skipped)
        if check or not actions:
            return replace(done, skipped=(*earlier, *done.skipped))
        placed = Writer(sources, mine).write(actions)
        _note(sources, placed, [change.path for change in actions if change.kind == "deleted"])
        for path in placed.merged:
            put_original(folder, path, mine[path].theirs)
        drop_journal(folder)
    return replace(done, skipped=(*earlier, *done.skipped, *placed.left))


def _resolve(
    sources: Sources, conflicts: Sequence[Skipped], merged: Mapping[str, Merged] | None
) -> tuple[list[Skipped], dict[str, Merged]]:
    """What stays a conflict, and what is merged instead."""
    if merged is None:
        return list(conflicts), {}
    stay, mine = [], {}
    for each in conflicts:
        found = merged.get(each.path)
        if found is None or each.reason not in MERGEABLE:
            stay.append(Skipped(each.path, f"{each.reason}, and cannot be merged line by line"))
        elif ctime_of(sources.root, each.path) != found.before_ns:
            stay.append(Skipped(each.path, "changed on the host meanwhile"))
        elif digest_at(sources.upper, each.path) != found.given:
            stay.append(Skipped(each.path, "changed inside meanwhile"))
        else:
            mine[each.path] = found
    return stay, mine


def _note(sources: Sources, placed: Placed, deleted: Iterable[str]) -> None:
    """Keep in mind what stands on the host now, and what no longer does.

    What the sandbox gave is read where it was written: inside it may be another by now.
    """
    given = {
        path: Brought(ctime_ns, placed.merged.get(path) or digest_at(sources.root, path))
        for path, ctime_ns in placed.written.items()
    }
    stays = {*placed.written, *(each.path for each in placed.left)}
    gone = [path for path in deleted if path not in stays]
    remember(sources.places, {**placed.written, **placed.merged})
    forget(sources.places.folder, gone)
    note_given(sources.places.folder, given)


def forget(folder: Path, gone: Sequence[str]) -> None:
    """Neither side has these any more: what the sandbox makes there later is new."""
    remember(Places(folder), {}, gone)
    for path in gone:
        drop_original(folder, path)


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
    _note(sources, placed, [each.path for each in journal.deletions if journal.placing])
    drop_journal(folder)
    return tuple(placed.left)
