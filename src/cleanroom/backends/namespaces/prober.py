"""Proving what this host can do: a sandbox is started, and something inside looks around.

In: a host and a way to start. Out: a Probe. Never: a capability that was believed, as of a
version number: the look from inside confirms it, or it is missing with its repair.
"""

import contextlib
import dataclasses
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final

from cleanroom.backends.base import Command, Door, DoorSockets, Probe
from cleanroom.backends.base import Sandbox as Running
from cleanroom.backends.limits import enforceable
from cleanroom.backends.namespaces import hints
from cleanroom.backends.namespaces.start import Host
from cleanroom.backends.process import Launch, capture
from cleanroom.errors import CleanroomError
from cleanroom.policy.demands import Capability, Limits
from cleanroom.sandbox.spec import Bind, Mount, Overlay, SandboxSpec, Symlink, Tmpfs

Start = Callable[[SandboxSpec, Door], Awaitable[Running]]

_PROVEN: Final = frozenset(
    {
        Capability.NETWORK_DEFAULT_DENY,
        Capability.NETWORK_HOST_PORT_FILTERING,
        Capability.DNS_CONTROL_OR_EQUIVALENT,
        Capability.POLICY_IMMUTABILITY,
        Capability.AUDIT_EVENT_EMISSION,
        Capability.TLS_INSPECTION,
        Capability.SECRET_ISOLATION,
        Capability.ISOLATION_NAMESPACES,
    }
)
_PREFIX: Final = "probe-"
_CONTENT: Final = "seen through the overlay"
_LOOK: Final = ("/usr/bin/cat", "/proc/self/status", "/proc/net/dev", "/workspace/file")
_MINIMUM: Final = (0, 8)  # bubblewrap: --disable-userns


class _NoDoor:
    """A door for a sandbox that makes no connection."""

    async def attach(self, sockets: DoorSockets) -> None:
        for descriptor in dataclasses.astuple(sockets):
            os.close(descriptor)


async def probe(host: Host, start: Start) -> Probe:
    """Try it."""
    facts = {"launcher": host.launcher, "rootless": str(host.ids.rootless).lower()}
    limits = enforceable(groups=host.groups is not None)
    facts["limits"] = host.groups.how if host.groups else "rlimits and counting"
    missing = {str(each): hints.LIMIT for each in set(hints.GROUPED) - limits}
    try:
        version = await _bubblewrap(host)
        await _look(host, start)
    except CleanroomError as error:
        reason = f"{error.message}; {error.hint}" if error.hint else error.message
        missing[getattr(error, "step", "namespaces")] = reason
        return Probe(False, "bubblewrap", frozenset(), missing, facts)  # noqa: FBT003
    facts["bubblewrap"] = f"{version} {host.bubblewrap}"
    return Probe(True, f"bubblewrap {version}", _PROVEN | limits, missing, facts)  # noqa: FBT003


async def _bubblewrap(host: Host) -> str:
    """Return its version. Raises NotReady."""
    if not os.access(host.bubblewrap, os.X_OK):
        raise hints.NotReady(
            step="bubblewrap", message="cannot find bubblewrap", hint=hints.INSTALL
        )
    said = (await capture(Launch((host.bubblewrap, "--version")), 5)).stdout.decode(
        "ascii", "replace"
    )
    version = said.split()[-1] if said.split() else "of unknown version"
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
    if numbers < _MINIMUM:
        message = f"cannot use bubblewrap {version}: 0.8 or newer is needed"
        raise hints.NotReady(step="bubblewrap", message=message, hint=hints.INSTALL)
    return version


async def _look(host: Host, start: Start) -> None:
    """Start a sandbox and judge what a program inside sees. Raises CleanroomError."""
    await _remove_left(host)
    with _folder(host) as folder:
        sandbox = await start(_spec(folder), _NoDoor())
        try:
            process = await sandbox.execute(Command(_LOOK, (), "/workspace"))
            seen = b"".join([output.data async for output in process.output()])
            await process.wait()
        finally:
            await sandbox.stop()
    wrong = judge(seen.decode("utf-8", "replace"))
    if wrong:
        raise hints.NotReady(
            step="namespaces", message=f"cannot trust the sandbox: {wrong}", hint=hints.DOCTOR
        )


async def _remove_left(host: Host) -> None:
    """Remove the probes of a daemon that was killed while it probed."""
    for left in host.records.folder.glob(f"{_PREFIX}*"):
        await host.records.reclaim(left.name, host.groups)
        with contextlib.suppress(FileNotFoundError):
            _remove(left)


def _remove(folder: Path) -> None:
    for left in (folder / "work").glob("work"):
        left.chmod(0o700)  # overlayfs leaves it without any permission
    shutil.rmtree(folder)


@contextlib.contextmanager
def _folder(host: Host) -> Iterator[Path]:
    host.records.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=host.records.folder))
    try:
        for name in ("lower", "upper", "work"):
            (folder / name).mkdir()
        (folder / "lower" / "file").write_text(_CONTENT)
        yield folder
    finally:
        _remove(folder)


def _spec(folder: Path) -> SandboxSpec:
    links: list[Mount] = [
        Symlink(str(path.readlink()), str(path))
        for path in map(Path, ("/bin", "/sbin", "/lib", "/lib64"))
        if path.is_symlink()
    ]
    uppers = (str(folder / "upper"), str(folder / "work"))
    overlay = Overlay(
        ("/workspace",), (str(folder / "lower"),), *uppers, os.geteuid(), os.getegid()
    )
    return SandboxSpec(
        sandbox_id=folder.name,
        hostname="probe",
        mounts=(Bind("/usr", "/usr"), *links, Tmpfs("/tmp", 1 << 20), overlay),  # noqa: S108
        environment=(),
        cwd="/workspace",
        limits=Limits(),
        needs=frozenset(),
    )


def judge(seen: str) -> str:
    """Return what is wrong with what a program saw (its status, its devices, a file), or ""."""
    lines = seen.splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    devices = [
        line.split(":")[0].strip() for line in lines if line.startswith("  ") and ":" in line
    ]
    wanted = {"Seccomp": "2", "NoNewPrivs": "1", "CapEff": "0" * 16, "CapBnd": "0" * 16}
    # SECURITY: the agent that started it is process 1: so it sees no process of the host, and the
    # gateway that holds secrets is one.
    wanted["PPid"] = "1"
    for key, value in wanted.items():
        if status.get(key) != value:
            return f"{key} is {status.get(key)}, not {value}"
    if devices != ["lo"]:
        return f"its network devices are {devices}, not lo alone"
    return "" if seen.endswith(_CONTENT) else "its overlay shows nothing"
