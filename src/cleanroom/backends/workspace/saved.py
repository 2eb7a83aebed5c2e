"""What a workspace view must remember after its sandbox, and after its daemon, have gone.

In: a folder of a sandbox. Out: Saved. Never: a value from inside the sandbox.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from cleanroom.errors import Code, Fault

_NAME: Final = "workspace.json"


@dataclass(frozen=True, slots=True)
class Saved:
    """`started_ns` is the file system's time when the view was first made."""

    host_path: str
    started_ns: int
    left_out: tuple[str, ...]
    rootless: bool


@dataclass(frozen=True, slots=True)
class Places:
    """Where things are in the folder of a sandbox."""

    folder: Path

    @property
    def upper(self) -> Path:
        return self.folder / "workspace" / "upper"

    @property
    def work(self) -> Path:
        return self.folder / "workspace" / "work"

    @property
    def mask(self) -> Path:
        return self.folder / "mask"

    @property
    def git_upper(self) -> Path:
        return self.folder / "git" / "upper"

    @property
    def git_work(self) -> Path:
        return self.folder / "git" / "work"

    @property
    def git_mask(self) -> Path:
        return self.folder / "git-mask"

    @property
    def applied(self) -> Path:
        return self.folder / "applied.json"


def save(folder: Path, saved: Saved) -> None:
    """Write it, whole or not at all."""
    draft = folder / f"{_NAME}.new"
    draft.write_text(json.dumps(asdict(saved)))
    draft.rename(folder / _NAME)


def load(folder: Path) -> Saved:
    """Read it. Raises Fault(internal) if this folder holds no view."""
    try:
        value = json.loads((folder / _NAME).read_text())
        return Saved(
            value["host_path"], value["started_ns"], tuple(value["left_out"]), value["rootless"]
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = "cannot find what this sandbox changed: its folder is gone or damaged"
        raise Fault(Code.INTERNAL, message) from error
