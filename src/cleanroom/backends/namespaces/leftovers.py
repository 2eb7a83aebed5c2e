"""What must be found again after a kill: one record a sandbox, and its control groups.

In: sandbox ids of this daemon's own making. Out: nothing of a dead daemon's sandbox is left.
Never: a signal to a process that only reused the number (the record holds the start time too).
"""

import asyncio
import contextlib
import json
import os
import signal
from pathlib import Path
from typing import Final

from cleanroom.backends import cgroups
from cleanroom.backends.process import readable

_NAME: Final = "runtime.json"
_PATIENCE_S: Final = 5.0
_LOOK_S: Final = 0.01  # between two looks at a group: the kernel sends nothing when it is empty


class Records:
    """Records in STATE/sandboxes/ID/runtime.json."""

    def __init__(self, state_dir: Path) -> None:
        self.folder = state_dir / "sandboxes"

    def write(self, sandbox_id: str, pid: int) -> None:
        """Remember the sandbox's outermost process."""
        folder = self.folder / sandbox_id
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        record = {"pid": pid, "started": started(pid)}
        (folder / _NAME).write_text(json.dumps(record))

    def forget(self, sandbox_id: str) -> None:
        """Remove the record, and the folder if nothing else is in it. Idempotent."""
        folder = self.folder / sandbox_id
        with contextlib.suppress(FileNotFoundError):
            (folder / _NAME).unlink()
        with contextlib.suppress(OSError):
            folder.rmdir()

    async def reclaim(self, sandbox_id: str, groups: cgroups.Hierarchy | None) -> None:
        """Kill what is left of a sandbox, wait for its end, remove its groups and record.

        The death of the daemon has ended its sandboxes already (parent-death signals, and the
        agent's closed socket); this finds what was between two steps then.
        """
        descriptor = self._open(sandbox_id)
        if descriptor is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE_S):
                    await readable(descriptor)
            os.close(descriptor)
        if groups is not None:
            await _end_groups(groups, sandbox_id)
        self.forget(sandbox_id)

    def _open(self, sandbox_id: str) -> int | None:
        """Return a pidfd of the recorded process, if it still is that process."""
        try:
            record = json.loads((self.folder / sandbox_id / _NAME).read_text())
            pid, since = int(record["pid"]), record["started"]
            descriptor = os.pidfd_open(pid)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if since and started(pid) == since:
            return descriptor
        os.close(descriptor)
        return None


async def _end_groups(groups: cgroups.Hierarchy, sandbox_id: str) -> None:
    """Kill what is in the groups until they can be removed: the dying leave them a little later."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE_S):
            while not cgroups.remove(groups, sandbox_id):
                cgroups.kill(groups, sandbox_id)
                await asyncio.sleep(_LOOK_S)


def started(pid: int) -> int:
    """Return when a process started, in clock ticks since boot; 0 if there is none.

    Field 22 of /proc/PID/stat (proc_pid_stat(5)); the second may hold spaces and parentheses.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    return int(text.rpartition(")")[2].split()[19])
