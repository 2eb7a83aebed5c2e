"""A running sandbox: its processes, its agent, its end.

In: what a launch left behind. Out: the Sandbox of backends/base.py. Never: a process of the sandbox
that outlives `stop` or `wait`: process 1's end is awaited, and the kernel ends all others first.
"""

import asyncio
import contextlib
import os
import signal
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cleanroom.backends.agent_link import AgentLink
from cleanroom.backends.base import Command, Process, StartTimings
from cleanroom.backends.launcher import Launcher, LaunchError
from cleanroom.backends.namespaces.disk import DiskWatch
from cleanroom.backends.namespaces.plan import AGENT
from cleanroom.backends.process import readable
from cleanroom.errors import CleanroomError, Code, Fault, Refused


@dataclass(frozen=True, slots=True)
class Share:
    """Folders on disk that may hold `most_bytes` together; `said_by` is who says so."""

    folders: tuple[Path, ...]
    most_bytes: int
    said_by: str = "sandbox.resources.disk"


@dataclass(frozen=True, slots=True)
class Parts:
    """What `NamespacesSandbox` is made of. It owns the launcher, the link and `first`."""

    launcher: Launcher  # now bubblewrap
    link: AgentLink
    first: int  # pidfd of the sandbox's process 1
    timings: StartTimings
    limited: Mapping[str, str]
    disk: tuple[Share, ...]
    refresh: Callable[[], Launcher | None]
    release: Callable[[], None]  # after the end: groups, ids, records


class NamespacesSandbox:
    """Implements Sandbox."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._processes: weakref.WeakSet[Process] = weakref.WeakSet()
        self._failure: CleanroomError | None = None
        self._released = False
        self._watches = [self._watch(share) for share in parts.disk]

    @property
    def timings(self) -> StartTimings:
        """How long its start took, by step."""
        return self._parts.timings

    @property
    def pid(self) -> int:
        """Bubblewrap's: it ends right after process 1."""
        return self._parts.launcher.child.pid

    @property
    def limited(self) -> Mapping[str, str]:
        """How each limit is enforced."""
        return self._parts.limited

    @property
    def failure(self) -> CleanroomError | None:
        """Why the backend ended it, if it did."""
        return self._failure

    async def execute(self, command: Command) -> Process:
        """Start a command."""
        process = await self._parts.link.execute(command)
        self._processes.add(process)
        return process

    async def connect(self, port: int) -> Process:
        """Connect to a TCP port inside, by a program that only the host can write to."""
        return await self.execute(Command((AGENT, "--connect", str(port)), (), "/"))

    async def refresh(self) -> None:
        """Mount the writable overlays anew."""
        launcher = self._parts.refresh()
        if launcher is None:
            return
        try:
            await launcher.executed()
            if await launcher.child.wait() != 0:
                raise LaunchError(step="refresh", text="the launcher ended")  # noqa: TRY301
        except LaunchError as error:
            message = f"cannot mount the workspace anew: {error.text}"
            self._failure = Fault(Code.RUNTIME_LAUNCH_FAILED, message, "start a new sandbox")
            await self.stop()
            raise self._failure from error
        finally:
            launcher.child.kill()
            await launcher.child.wait()
            launcher.close()

    async def stop(self, grace_s: float = 0.0) -> None:
        """End it: TERM to the commands first if there is grace, then everything at once."""
        if grace_s > 0 and not self._released:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace_s):
                    for process in list(self._processes):
                        await process.signal(signal.SIGTERM)
                    for process in list(self._processes):
                        with contextlib.suppress(CleanroomError):
                            await process.wait()
        self._kill()
        await self.wait()

    async def wait(self) -> None:
        """Return when everything of it has ended and is released."""
        if not self._released:
            await self._parts.launcher.child.wait()
            # Bubblewrap can be killed alone; process 1 follows (its parent-death signal).
            if not self._released:
                await readable(self._parts.first)
        self._release()

    def _kill(self) -> None:
        if not self._released:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._parts.first, signal.SIGKILL)

    def _release(self) -> None:
        if self._released:
            return
        self._released = True
        for watch in self._watches:
            watch.stop()
        self._parts.link.close()
        self._parts.launcher.close()
        os.close(self._parts.first)
        self._parts.release()

    def _watch(self, share: Share) -> DiskWatch:
        watch = DiskWatch(
            share.folders, share.most_bytes, lambda used: self._disk_exceeded(used, share)
        )
        watch.start()
        return watch

    def _disk_exceeded(self, used: int, share: Share) -> None:
        message = f"cannot let the sandbox go on: it wrote {used >> 20} MiB or more"
        hint = f"its limit is {share.most_bytes >> 20} MiB: {share.said_by}"
        self._failure = Refused(Code.RESOURCE_LIMIT, message, hint)
        self._parts.link.ends_for(self._failure)
        self._kill()
