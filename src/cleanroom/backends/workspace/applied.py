"""What applies and syncs have made of the host's files: theirs are told from those of the host.

In: the folder of a sandbox. Out: path -> mark. Never: a mark that a change of the host leaves true.

A ctime: the host's file of that ctime holds what the sandbox has. A digest (`digest_at`): what the
sandbox has, if it still is that, was merged into the host's file, which holds more.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from cleanroom.backends.workspace.saved import Places

Marks = dict[str, int | str]


def marks_of(places: Places) -> Marks:
    """Return those of one sandbox."""
    try:
        value = json.loads(places.applied.read_text())
    except (OSError, ValueError):
        return {}
    return {path: mark for path, mark in value.items() if isinstance(mark, int | str)}


def remember(places: Places, marks: Mapping[str, int | str], gone: Iterable[str] = ()) -> None:
    """Add marks; `gone` is no longer on the host."""
    known = {**marks_of(places), **marks}
    for path in gone:
        known.pop(path, None)
    _write(places.applied, json.dumps(known))


def _write(path: Path, text: str) -> None:
    draft = path.with_suffix(".new")
    draft.write_text(text)
    draft.rename(path)
