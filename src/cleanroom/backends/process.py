"""The only place that starts a process.

In: a Launch, which says everything the child will have. Out: a Child to wait for or to kill.
Never: a shell, the caller's environment, an inherited descriptor that is not named, or Python code
between fork and exec (the daemon has threads and an event loop: a forked copy of it could hang).
"""

import asyncio
import contextlib
import os
import resource
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from cleanroom.errors import Code, Fault

_SYSTEM_FOLDERS = ("/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin")


@dataclass(frozen=True, slots=True)
class Launch:
    """What to start. `environment` is whole; `pass_fds` keep their numbers in the child.

    `stdin`, `stdout` and `stderr` are descriptors, or None for the null device. `own_session`
    makes the child the leader of a session, so that a terminal's signals do not reach it.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    pass_fds: tuple[int, ...] = ()
    cwd: str = "/"
    stdin: int | None = None
    stdout: int | None = None
    stderr: int | None = None
    own_session: bool = True


class Child:
    """A process this one started. Whoever starts it also awaits `wait()`, which reaps it."""

    def __init__(self, process: "subprocess.Popen[bytes]", pidfd: int) -> None:
        self._process = process
        self._pidfd = pidfd
        self.pid = process.pid

    @property
    def status(self) -> int | None:
        """Exit code, or minus the signal's number; None while `wait()` has not seen its end."""
        return self._process.returncode

    def send(self, number: int) -> None:
        """Send a signal. Ignored after its end; never hits a process that reused the number."""
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send(signal.SIGKILL)

    async def wait(self) -> int:
        """Wait for its end, reap it, return its status. May be called by several tasks."""
        if self._pidfd >= 0:
            await readable(self._pidfd)
        status = self._process.wait()  # at once: the pidfd was readable
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1
        return status


async def readable(descriptor: int) -> None:
    """Wait until a descriptor is readable; several tasks may wait for the same one."""
    loop = asyncio.get_running_loop()
    own = os.dup(descriptor)  # the loop has one reader a number
    done: asyncio.Future[None] = loop.create_future()
    loop.add_reader(own, _finish, done)
    try:
        await done
    finally:
        loop.remove_reader(own)
        os.close(own)


def _finish(done: "asyncio.Future[None]") -> None:
    if not done.done():
        done.set_result(None)


def start(launch: Launch) -> Child:
    """Start a process (about a millisecond, without yielding to the loop).

    Raises Fault(runtime_launch_failed) if the program cannot be executed.
    """
    try:
        process = subprocess.Popen(
            launch.argv,
            env=dict(launch.environment),
            cwd=launch.cwd,
            stdin=subprocess.DEVNULL if launch.stdin is None else launch.stdin,
            stdout=subprocess.DEVNULL if launch.stdout is None else launch.stdout,
            stderr=subprocess.DEVNULL if launch.stderr is None else launch.stderr,
            pass_fds=launch.pass_fds,
            start_new_session=launch.own_session,
        )
    except OSError as error:
        message = f"cannot start {launch.argv[0]}: {error.strerror}"
        raise Fault(Code.RUNTIME_LAUNCH_FAILED, message, "run: cleanroom doctor") from error
    return Child(process, os.pidfd_open(process.pid))


@dataclass(frozen=True, slots=True)
class Captured:
    """How a short command ended, and its output; what was too long is cut."""

    status: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a short command may use: seconds, bytes kept of each stream, limits of setrlimit(2)."""

    timeout_s: float
    output: int = 1 << 20
    limits: tuple[tuple[int, int], ...] = ()


async def capture(launch: Launch, timeout_s: float) -> Captured:
    """Run a short command and keep the first MiB of its output; as `capture_within`."""
    return await capture_within(launch, Bounds(timeout_s))


async def capture_within(launch: Launch, bounds: Bounds) -> Captured:
    """Run a short command and keep its output. Raises as `Capture` and its `end`."""
    return await Capture(launch, bounds).end()


class Capture:
    """A short command that runs, its output kept. Whoever begins it awaits its `end()`.

    Output goes to memory, so a command cannot block on a full pipe, and a grandchild that keeps
    the descriptors open holds up nobody.
    """

    def __init__(self, launch: Launch, bounds: Bounds) -> None:
        """Begin it; `stdout` and `stderr` are replaced. Raises Fault(runtime_launch_failed)."""
        self._program, self._bounds = launch.argv[0], bounds
        with contextlib.ExitStack() as opened:
            self._out, self._err = (opened.enter_context(memory_file()) for _ in range(2))
            launch = replace(launch, stdout=self._out.fileno(), stderr=self._err.fileno())
            self._child = start(launch)
            for kind, most in bounds.limits:
                with contextlib.suppress(ProcessLookupError):
                    resource.prlimit(self._child.pid, kind, (most, most))
            self._files = opened.pop_all()

    async def end(self) -> Captured:
        """Wait for its end. Raises Fault(runtime_launch_failed) if it took too long."""
        with self._files:
            try:
                async with asyncio.timeout(self._bounds.timeout_s):
                    status = await self._child.wait()
            except TimeoutError:
                longer = f"it ran longer than {self._bounds.timeout_s:g} s"
                message = f"cannot wait for {self._program}: {longer}"
                raise Fault(Code.RUNTIME_LAUNCH_FAILED, message) from None
            finally:
                if self._child.status is None:
                    self._child.kill()
                    await self._child.wait()
            said = (read_memory(each, self._bounds.output) for each in (self._out, self._err))
            return Captured(status, *said)


def memory_file(content: bytes = b"") -> BinaryIO:
    """Return an anonymous file in memory, rewound, to be passed to a child."""
    file = os.fdopen(os.memfd_create("cleanroom"), "r+b", buffering=0)
    file.write(content)
    file.seek(0)
    return file


def read_memory(file: BinaryIO, most: int = 1 << 20) -> bytes:
    """Return the first bytes of a memory file that a child wrote to."""
    return os.pread(file.fileno(), most, 0)


def find_program(name: str) -> str | None:
    """Return the absolute path of an executable, looked up in system folders only."""
    for folder in _SYSTEM_FOLDERS:
        candidate = Path(folder, name)
        if os.access(candidate, os.X_OK) and candidate.is_file():
            return str(candidate)
    return None
