"""Volumes of tools on disk: made in a stage, published whole by a rename, never written again.

In: keys of MisePlan. Out: Volume. Never: a volume half made, or one removed while a sandbox has it.
"""

import contextlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cleanroom.backends.workspace.upkeep import remove_tree, tree_size
from cleanroom.errors import Code, Refused

DATA: Final = "upper"  # what a bootstrap wrote


@dataclass(frozen=True, slots=True)
class Volume:
    """The tools of one key; `owner` are the host ids of its files."""

    path: str
    owner: tuple[int, int]


class Volumes:
    """Everything below one folder of ours. Blocking: call it from a thread."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._published = folder / "volumes"
        self._stages = folder / "stages"
        self._most_bytes = most_bytes

    def find(self, key: str) -> Volume | None:
        """Return the volume, which counts as used now."""
        folder = self._published / key
        try:
            facts = (folder / DATA).lstat()
            os.utime(folder)
        except OSError:
            return None
        return Volume(str(folder / DATA), (facts.st_uid, facts.st_gid))

    def stage(self) -> Path:
        """Return a new folder with empty layers; whoever asked for it calls `discard`."""
        folder = self._stages / secrets.token_hex(8)
        make_layers(folder)
        return folder

    def publish(self, stage: Path, key: str) -> Volume:
        """Make the stage's upper layer the volume of `key`, unless another one was faster.

        Only after its sandbox has ended. Raises Refused(resource_limit) for one that is too large.
        """
        size = tree_size(stage / DATA)
        if size > self._most_bytes:
            message = f"cannot keep these tools: they take {size} bytes (mise.kept_tools)"
            raise Refused(Code.RESOURCE_LIMIT, message, "raise it in config.yaml")
        remove_tree(stage / "work")
        (stage / "empty").rmdir()
        self._published.mkdir(mode=0o700, exist_ok=True)
        with contextlib.suppress(OSError):  # ENOTEMPTY: another daemon published it meanwhile
            stage.rename(self._published / key)
        found = self.find(key)
        if found is None:
            message = f"cannot keep the tools in {self._published}: they are gone again"
            raise Refused(Code.RESOURCE_LIMIT, message, "run the command again")
        return found

    def discard(self, stage: Path) -> None:
        """Remove a stage, if it is still there."""
        remove_tree(stage)

    def prune(self, in_use: frozenset[str], before: float) -> None:
        """Remove what is beyond the bound, oldest use first, and stages from before a time."""
        room = self._most_bytes
        for folder in sorted(_folders(self._published), key=_used_at, reverse=True):
            room -= tree_size(folder)
            if room < 0 and str(folder / DATA) not in in_use:
                remove_tree(folder)
        for folder in _folders(self._stages):
            if _used_at(folder) < before:
                remove_tree(folder)


def make_layers(folder: Path) -> None:
    """Make an upper layer, its work folder, and an empty one to lie below."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, mode in ((DATA, 0o755), ("work", 0o700), ("empty", 0o755)):
        (folder / name).mkdir(mode=mode, exist_ok=True)
        (folder / name).chmod(mode)


def _folders(root: Path) -> Iterator[Path]:
    with contextlib.suppress(FileNotFoundError):
        yield from list(root.iterdir())


def _used_at(folder: Path) -> float:
    try:
        return folder.lstat().st_mtime
    except FileNotFoundError:  # another daemon of this user was faster
        return 0.0
