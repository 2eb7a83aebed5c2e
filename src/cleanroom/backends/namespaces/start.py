"""One attempt to start a sandbox: make everything, or undo everything.

In: a host, a spec, the sandbox's host user, a door. Out: a running sandbox.
Never: a process before its descriptors' owners are known, or an agent before the door is attached.
"""

import asyncio
import contextlib
import dataclasses
import json
import os
import resource
import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Self

from cleanroom.backends import cgroups
from cleanroom.backends.agent_link import AgentLink
from cleanroom.backends.base import Door, StartTimings
from cleanroom.backends.launcher import Launcher, LaunchError, Step
from cleanroom.backends.limits import LimitPlan, plan_limits
from cleanroom.backends.namespaces.ids import HostIds, give
from cleanroom.backends.namespaces.leftovers import Records
from cleanroom.backends.namespaces.plan import Ids, Place, Plan, make_plan, make_refresh
from cleanroom.backends.namespaces.running import NamespacesSandbox, Parts, Share
from cleanroom.backends.process import find_program, memory_file, read_memory, readable
from cleanroom.errors import Fault
from cleanroom.sandbox.spec import Overlay, SandboxSpec

START_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Host:
    """What starting a sandbox needs to know of this host and this process."""

    binaries: Path
    bubblewrap: str
    groups: cgroups.Hierarchy | None
    records: Records
    ids: HostIds
    open_files_max: int

    @classmethod
    def here(cls, state_dir: Path, binaries: Path, bubblewrap: str | None) -> Self:
        """Look at this process."""
        return cls(
            binaries,
            bubblewrap or find_program("bwrap") or "bwrap",
            cgroups.find(),
            Records(state_dir),
            HostIds.of_this_process(),
            resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        )

    @property
    def launcher(self) -> str:
        """Path of cleanroom-launch."""
        return str(self.binaries / "cleanroom-launch")

    def take_ids(self, spec: SandboxSpec) -> Ids:
        """Return the host user of a new sandbox."""
        return self.ids.take(_uppers(spec))


def _uppers(spec: SandboxSpec) -> tuple[Path, ...]:
    return tuple(Path(m.upper) for m in spec.mounts if isinstance(m, Overlay) and m.upper)


def _shares(spec: SandboxSpec, most_bytes: int) -> tuple[Share, ...]:
    """Return what may hold how much: the sandbox's own layers together, each volume by itself."""
    layers = [
        (Path(m.upper), m.most_bytes) for m in spec.mounts if isinstance(m, Overlay) and m.upper
    ]
    own = tuple(path for path, most in layers if not most)
    volumes = (Share((path,), most, "limits.volume") for path, most in layers if most)
    return Share(own, most_bytes), *volumes


def place_of(
    host: Host, spec: SandboxSpec, ids: Ids, joined: tuple[str, ...]
) -> tuple[Place, LimitPlan]:
    """Return who and where, and how it is limited."""
    how = host.groups.how if host.groups else ""
    limits = plan_limits(spec.limits, how, host.open_files_max)
    owners = {}
    for mount in spec.mounts:
        if isinstance(mount, Overlay):
            for lower in mount.lowers[:-1]:
                facts = Path(lower).stat()
                owners[lower] = Ids(facts.st_uid, facts.st_gid)
    place = Place(
        bubblewrap=host.bubblewrap,
        agent=str(host.binaries / "cleanroom-agent"),
        rootless=host.ids.rootless,
        host=ids,
        owners=owners,
        cgroups=joined,
        agent_limits=limits.agent,
    )
    return place, limits


async def attempt(host: Host, spec: SandboxSpec, ids: Ids, door: Door) -> NamespacesSandbox:
    """Start as these host ids.

    Raises LaunchError, or the door's or the agent's Fault. After a raise nothing is left.
    """
    with ExitStack() as undo:
        undo.callback(host.ids.release, ids)
        undo.callback(host.records.forget, spec.sandbox_id)
        place, limits = place_of(host, spec, ids, _join(host, spec, undo))
        if not host.ids.rootless:
            for upper in _uppers(spec):
                give(upper, ids)
        began = time.perf_counter()
        launch = _launch(host, make_plan(spec, place))
        host.records.write(spec.sandbox_id, launch.launcher.child.pid)
        try:
            async with asyncio.timeout(START_S):
                timings = await _bring_up(launch, door, began)
            first = launch.first()
        except BaseException as error:
            await launch.undo()
            if isinstance(error, TimeoutError):
                text = f"it was not ready after {START_S:g} s"
                raise LaunchError(step="start", text=text) from error
            raise
        kept = undo.pop_all()
        launch.close()
        _spare(launch.launcher.child.pid)
        return NamespacesSandbox(
            Parts(
                launch.launcher,
                launch.link,
                first,
                timings,
                dict(limits.limited),
                _shares(spec, limits.disk_bytes),
                lambda: _refresh(host, make_refresh(spec, place), first, launch.launcher.userns),
                kept.close,
            )
        )


def _join(host: Host, spec: SandboxSpec, undo: ExitStack) -> tuple[str, ...]:
    """Make the control groups, if any limit needs one; return their folders."""
    how = host.groups.how if host.groups else ""
    limits = plan_limits(spec.limits, how, host.open_files_max)
    if host.groups is None or not limits.needs_groups:
        return ()
    undo.callback(cgroups.remove, host.groups, spec.sandbox_id)
    try:
        return cgroups.create(host.groups, spec.sandbox_id, limits.grouped)
    except OSError as error:
        raise LaunchError(step="cgroup", errno=error.errno or 0, text=str(error)) from error


@dataclass(frozen=True, slots=True)
class _Launch:
    """A launcher at work, and our ends of what its child will have."""

    launcher: Launcher
    link: AgentLink
    info: int  # bubblewrap writes what it made
    stderr: BinaryIO

    def first(self) -> int:
        """Return a pidfd of process 1, once the agent has greeted. Raises LaunchError."""
        try:
            return os.pidfd_open(self._first_pid())
        except (OSError, ValueError, KeyError) as error:
            raise LaunchError(step="bubblewrap", text="it did not say what it started") from error

    def _first_pid(self) -> int:
        return int(json.loads(os.read(self.info, 4096))["child-pid"])

    def close(self) -> None:
        """Close what only the start needs."""
        os.close(self.info)
        self.stderr.close()

    async def undo(self) -> None:
        """End every process of the attempt, and wait for it."""
        self.link.close()
        first = -1
        with contextlib.suppress(OSError, ValueError, KeyError):
            first = os.pidfd_open(self._first_pid())
        self.launcher.child.kill()
        await self.launcher.child.wait()
        if first >= 0:
            await readable(first)  # bubblewrap's end is its signal
            os.close(first)
        self.launcher.close()
        self.close()


def _launch(host: Host, plan: Plan) -> _Launch:
    """Start the launcher with its message and descriptors."""
    with ExitStack() as opened:
        ours, theirs = socket.socketpair()
        opened.enter_context(theirs)
        info, info_theirs = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        opened.callback(os.close, info_theirs)
        files = [opened.enter_context(memory_file(content)) for content in plan.files]
        stderr = memory_file()
        descriptors = [theirs.fileno(), info_theirs, *(file.fileno() for file in files)]
        try:
            launcher = Launcher.start(host.launcher, plan.steps, descriptors, stderr.fileno())
        except BaseException:
            ours.close()
            os.close(info)
            stderr.close()
            raise
    return _Launch(launcher, AgentLink(ours), info, stderr)


async def _bring_up(launch: _Launch, door: Door, began: float) -> StartTimings:
    """See it through: prepare, attach the door, execute, hear the agent."""
    sockets = await launch.launcher.door()
    try:
        prepared = await launch.launcher.prepared()
    except BaseException:
        for descriptor in dataclasses.astuple(sockets):
            os.close(descriptor)
        raise
    await door.attach(sockets)  # closes them, always
    await launch.launcher.go()
    executed = time.perf_counter()
    try:
        await launch.link.ready()
    except Fault as error:
        said = read_memory(launch.stderr).decode("utf-8", "replace").strip()
        raise LaunchError(step="bubblewrap", text=said.splitlines()[-1] if said else "") from error
    now = time.perf_counter()
    return StartTimings(
        network_ms=prepared.network_ms,
        workspace_ms=prepared.mounts_ms,
        runtime_start_ms=(executed - began) * 1000 - prepared.network_ms - prepared.mounts_ms,
        agent_wait_ms=(now - executed) * 1000,
        ready_ms=(now - began) * 1000,
    )


def _spare(pid: int) -> None:
    """Where memory runs out, let the kernel choose the workload rather than bubblewrap.

    The launcher made all of them likely victims. Without it the wrong one may be chosen: the
    sandbox would end, nothing else.
    """
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/oom_score_adj").write_text("0")


def _refresh(host: Host, steps: tuple[Step, ...], first: int, userns: int) -> Launcher | None:
    """Start a launcher that mounts a running sandbox's overlays anew; None if it has none."""
    if not steps:
        return None
    with memory_file() as stderr:
        return Launcher.start(host.launcher, steps, (first, userns), stderr.fileno())
