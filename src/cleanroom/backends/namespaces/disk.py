"""What a sandbox wrote to its upper layers, counted.

In: folders and a limit. Out: one call of `exceeded`, from the event loop. Never: an exact
limit: a fast writer passes it by what it writes between two looks (a fifth of a second; one file
never passes it, by the agent's RLIMIT_FSIZE).
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from cleanroom.backends.trees import entries

LOOK_S: Final = 0.2
COUNT_S: Final = 5.0  # at least this often, whatever the file system's free space says
ENTRY_BYTES: Final = 1024  # what a name and an inode cost, so that empty files are not free


class DiskWatch:
    """Watches from `start` to `stop`."""

    def __init__(
        self, folders: Iterable[Path], limit: int, exceeded: Callable[[int], None]
    ) -> None:
        self._folders = tuple(folders)
        self._limit = limit
        self._exceeded = exceeded
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = not self._folders
        self._counted_at = 0.0
        self._free_then = 0

    def start(self) -> None:
        """Begin. A thread of the loop's executor counts; nothing here waits."""
        if not self._stopped:
            self._free_then = self._free()
            self._counted_at = asyncio.get_running_loop().time()
            self._later()

    def stop(self) -> None:
        """End. Idempotent."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()

    def _later(self) -> None:
        if not self._stopped:
            self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def _look(self) -> None:
        """Count if much was written, to these folders or beside them, or some time has passed."""
        loop = asyncio.get_running_loop()
        free = self._free()
        if self._free_then - free < self._limit // 16 and loop.time() - self._counted_at < COUNT_S:
            self._later()
            return
        self._free_then = free
        counting = loop.run_in_executor(None, count, self._folders, self._limit)
        counting.add_done_callback(self._counted)

    def _counted(self, counting: "asyncio.Future[int]") -> None:
        if self._stopped or counting.cancelled():
            return
        self._counted_at = asyncio.get_running_loop().time()
        used = counting.result()
        if used > self._limit:
            self.stop()
            self._exceeded(used)
        self._later()

    def _free(self) -> int:
        total = 0
        for folder in self._folders:
            with contextlib.suppress(OSError):
                facts = os.statvfs(folder)
                total += facts.f_bfree * facts.f_frsize
        return total


def count(folders: Iterable[Path], enough: int) -> int:
    """Return the bytes that files below `folders` occupy; stops early once above `enough`.

    Hard links count once each, which errs on the safe side. Other file systems do not occur in an
    upper layer; links are not followed.
    """
    used = 0
    for folder in folders:
        with contextlib.closing(entries(folder)) as found:
            for facts in found:
                used += facts.st_blocks * 512 + ENTRY_BYTES
                if used > enough:
                    return used
    return used
