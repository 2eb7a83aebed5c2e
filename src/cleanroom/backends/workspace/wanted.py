"""Which changes an apply is about: those that are named, or all that need no name.

In: the folder of a sandbox, paths. Out: changes, and what is left out and why. Never: a policy, a
CI file or a lock file that nobody named.
"""

from collections.abc import Sequence
from pathlib import Path

from cleanroom.backends.workspace.changes import Change, Skipped, change_set
from cleanroom.backends.workspace.guard import guarded, is_named


def choose(folder: Path, paths: tuple[str, ...]) -> tuple[list[Change], list[Skipped]]:
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
