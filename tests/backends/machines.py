"""Real sandboxes for tests: a small view of this machine, doors, commands.

In: a temporary folder. Out: SandboxSpecs and what commands in them said.
"""

import asyncio
import contextlib
import dataclasses
import os
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import TypeVar

from cleanroom.backends.base import Backend, Command, DoorSockets, Sandbox
from cleanroom.errors import Code, Fault
from cleanroom.policy.demands import Limits
from cleanroom.sandbox.spec import Bind, File, Mount, Overlay, SandboxSpec, Symlink, Tmpfs

T = TypeVar("T")

ENVIRONMENT = (("PATH", "/usr/bin:/bin"), ("HOME", "/home/cleanroom"), ("LANG", "C.UTF-8"))


class KeptDoor:
    """A door whose sockets nobody answers, closed with the door."""

    def __init__(self) -> None:
        self.sockets: DoorSockets | None = None

    async def attach(self, sockets: DoorSockets) -> None:
        self.sockets = sockets

    def close(self) -> None:
        if self.sockets is not None:
            for descriptor in dataclasses.astuple(self.sockets):
                os.close(descriptor)
            self.sockets = None


class BrokenDoor:
    """A door whose gateway is gone."""

    async def attach(self, sockets: DoorSockets) -> None:
        for descriptor in dataclasses.astuple(sockets):
            os.close(descriptor)
        message = "cannot reach the gateway"
        raise Fault(Code.GATEWAY_LOST, message)


def system_links() -> tuple[tuple[str, str], ...]:
    """The links of / into /usr, as (path, text)."""
    return tuple(
        (str(path), str(path.readlink()))
        for path in map(Path, ("/bin", "/sbin", "/lib", "/lib64"))
        if path.is_symlink()
    )


def system_view() -> tuple[Mount, ...]:
    """What programs need: /usr, its links, a few files, folders in memory."""
    links = tuple(Symlink(text, path) for path, text in system_links())
    passwd = b"cleanroom:x:1000:1000::/home/cleanroom:/bin/sh\n"
    return (
        Bind("/usr", "/usr"),
        *links,
        File(passwd, "/etc/passwd"),
        File(b"nameserver 198.18.0.1\n", "/etc/resolv.conf"),
        Tmpfs("/tmp", 64 << 20, 0o1777),  # noqa: S108
        Tmpfs("/home/cleanroom", 64 << 20, 0o700),
    )


def workspace_of(folder: Path) -> Overlay:
    """An overlay over folder/repo, with its upper and work folders beside it."""
    for name in ("repo", "run/upper", "run/work"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "repo" / "file").write_text("from the host\n")
    upper, work = folder / "run" / "upper", folder / "run" / "work"
    return Overlay(
        ("/workspace",),
        (str(folder / "repo"),),
        str(upper),
        str(work),
        os.geteuid(),
        os.getegid(),
        follows=True,
    )


def small_spec(folder: Path, *more: Mount) -> SandboxSpec:
    """A sandbox of folder/repo."""
    return SandboxSpec(
        sandbox_id="sbx_test",
        hostname="cleanroom",
        mounts=(*system_view(), workspace_of(folder), *more),
        environment=ENVIRONMENT,
        cwd="/workspace",
        limits=Limits(),
        needs=frozenset(),
    )


def shell(script: str) -> Command:
    """A command in the workspace."""
    return Command(("/bin/sh", "-c", script), ENVIRONMENT, "/workspace")


def python(program: str) -> Command:
    """A Python program in the workspace, without site packages: it starts fast."""
    return Command(("/usr/bin/python3", "-ISc", program), ENVIRONMENT, "/workspace")


@dataclasses.dataclass(frozen=True)
class Said:
    """What a command said and how it ended (a shell's status)."""

    status: int
    text: str


async def run(sandbox: Sandbox, command: Command) -> Said:
    """Run a command to its end without input."""
    process = await sandbox.execute(command)
    await process.close_stdin()
    text = b"".join([output.data async for output in process.output()])
    return Said((await process.wait()).status, text.decode("utf-8", "replace"))


@contextlib.asynccontextmanager
async def started(backend: Backend, spec: SandboxSpec) -> AsyncIterator[Sandbox]:
    """A sandbox that is stopped at the end, whatever happens."""
    door = KeptDoor()
    try:
        sandbox = await backend.start(spec, door)
        try:
            yield sandbox
        finally:
            await sandbox.stop()
    finally:
        door.close()


def within(seconds: float, work: Coroutine[None, None, T]) -> T:
    """Run a coroutine that must end in time."""

    async def bounded() -> T:
        async with asyncio.timeout(seconds):
            return await work

    return asyncio.run(bounded())


def children() -> set[int]:
    """The processes below this one, directly."""
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):
            found |= set(map(int, (task / "children").read_text().split()))
    return found


def descriptors() -> int:
    """How many descriptors this process has open."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 -- the folder itself is one of them
