"""What an apply is about to do, on disk before it does it: a killed one is completed or undone.

In: the steps of one apply. Out: the same after a crash. Never: a step that was not judged.

While `placing` is false only drafts were made, and they go. From then on every draft is whole, so
the rest can be done at any later time; each step says what it expects to find.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from cleanroom.errors import Code, Fault

_NAME: Final = "apply.json"
NOT_THERE: Final = 0  # as a ctime: nothing is expected at that path


@dataclass(frozen=True, slots=True)
class Draft:
    """A finished file or link at `at`, to be renamed to `path`, which has the ctime `before_ns`.

    `inode` and `mtime_ns` know it again under its last name. `given`: it is merged, and holds what
    of the sandbox has this digest.
    """

    at: str
    path: str
    before_ns: int = NOT_THERE
    inode: int = 0
    mtime_ns: int = 0
    given: str = ""


@dataclass(frozen=True, slots=True)
class Deletion:
    """Something to remove, if it still has the ctime `before_ns`; a folder, if it is empty."""

    path: str
    is_folder: bool
    before_ns: int


@dataclass(frozen=True, slots=True)
class Journal:
    """The steps in their order: deletions, folders to make, drafts to place."""

    placing: bool = False
    deletions: tuple[Deletion, ...] = ()
    folders: tuple[str, ...] = ()
    drafts: tuple[Draft, ...] = ()


def save_journal(folder: Path, journal: Journal) -> None:
    """Write it, whole or not at all, and to the disk. Raises OSError."""
    draft = folder / f"{_NAME}.new"
    with draft.open("w", encoding="utf-8") as file:
        json.dump(asdict(journal), file)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(folder / _NAME)


def load_journal(folder: Path) -> Journal | None:
    """The journal of an apply that did not end; None if there is none. Raises Fault(internal)."""
    try:
        value = json.loads((folder / _NAME).read_text(encoding="utf-8"))
        return Journal(
            value["placing"],
            tuple(Deletion(**each) for each in value["deletions"]),
            tuple(value["folders"]),
            tuple(Draft(**each) for each in value["drafts"]),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"cannot read what an earlier apply had begun: {folder / _NAME} is damaged"
        raise Fault(
            Code.INTERNAL, message, "remove that file and the .cleanroom-* drafts"
        ) from error


def drop_journal(folder: Path) -> None:
    """Say that nothing is under way."""
    (folder / _NAME).unlink(missing_ok=True)
