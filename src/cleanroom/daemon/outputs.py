"""Where the output of commands is kept on disk, and for how long.

In: ids of executions. Out: a spool for each, its folder for readers. Never: the output of a
command that still runs removed, or more kept than limits.kept_outputs says.
"""

import asyncio
import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path

from cleanroom.daemon.settings import LimitSettings
from cleanroom.daemon.spool import Spool


class Outputs:
    """One folder an execution that wrote something, below `root`."""

    def __init__(self, root: Path, limits: LimitSettings) -> None:
        self._root = root
        self._limits = limits

    def spool(self, execution_id: str, note: Callable[[str], None]) -> Spool:
        """Return the writer for a new execution; `note` is told if the disk fails."""
        return Spool(self.folder(execution_id), self._limits.output_on_disk, note)

    def folder(self, execution_id: str) -> Path:
        """Return where its output is, if there is any."""
        return self._root / execution_id

    async def remove(self, execution_ids: list[str]) -> None:
        """Remove the output of these, which have ended. Idempotent."""
        for each in execution_ids:
            await asyncio.to_thread(shutil.rmtree, self.folder(each), ignore_errors=True)

    async def clean(self, now: float, live: frozenset[str]) -> None:
        """Remove what is too old or too much, the oldest first; `live` executions keep theirs."""
        await asyncio.to_thread(self._clean, now, live)

    def _clean(self, now: float, live: frozenset[str]) -> None:
        room = self._limits.kept_outputs
        for modified, size, folder in sorted(self._ended(live), reverse=True):  # newest first
            room -= size
            if room < 0 or now - modified > self._limits.keep_outputs_for:
                shutil.rmtree(folder, ignore_errors=True)

    def _ended(self, live: frozenset[str]) -> list[tuple[float, int, Path]]:
        found = []
        with contextlib.suppress(FileNotFoundError):  # nothing was ever kept
            for folder in self._root.iterdir():
                if folder.name not in live:
                    found.append((*_age_and_size(folder), folder))
        return found


def _age_and_size(folder: Path) -> tuple[float, int]:
    states = [folder.stat(), *(each.stat() for each in folder.iterdir())]
    return max(each.st_mtime for each in states), sum(each.st_size for each in states[1:])
