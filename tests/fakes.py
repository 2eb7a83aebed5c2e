"""Fakes that keep the contracts: a backend, a gateway, a clock; fake_workspaces.py has those.

In: scripts. Out: objects that implement the Protocols of cleanroom.backends.base and
cleanroom.daemon.parts. Never: a mock; a fake that drifts from its Protocol fails mypy.
"""

import asyncio
import heapq
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from cleanroom.backends.base import (
    Command,
    Door,
    DoorSockets,
    Exit,
    Probe,
    StartTimings,
)
from cleanroom.daemon.parts import (
    Lost,
    RecordEvent,
)
from cleanroom.decide.placeholder import placeholder_like, why_unusable
from cleanroom.errors import CleanroomError, Code, Fault, Refused
from cleanroom.events import NetworkEvent
from cleanroom.policy.capabilities import ALWAYS
from cleanroom.policy.demands import Capability, Limits
from cleanroom.policy.model import CompiledPolicy, SecretBinding
from cleanroom.policy.opened import opened_names
from cleanroom.sandbox.spec import SandboxSpec
from tests.fake_process import PROGRAMS, FakeProcess, Program


class FakeClock:
    """Time that passes when a test says so. Sleepers wake in order."""

    def __init__(self) -> None:
        self._now = 1000.0
        self.jumped = timedelta()  # somebody set the date
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def monotonic(self) -> float:
        """Return seconds."""
        return self._now

    def now(self) -> datetime:
        """Return a date that moves with the seconds."""
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self._now) + self.jumped

    async def sleep(self, seconds: float) -> None:
        """Wait until `advance` reached the moment."""
        if seconds <= 0:
            return
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self._now + seconds, self._count, waiting))
        await waiting

    async def advance(self, seconds: float) -> None:
        """Let time pass, waking everyone on the way."""
        until = self._now + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= until:
            self._now, _, waiting = heapq.heappop(self._sleepers)
            if not waiting.done():
                waiting.set_result(None)
            await settle()
        self._now = until


async def settle() -> None:
    """Let every task that can go on do so."""
    for _ in range(20):
        await asyncio.sleep(0)


class FakeSandbox:
    """A sandbox whose commands are programs of the table above."""

    def __init__(self, backend: "FakeBackend", spec: SandboxSpec) -> None:
        self.backend = backend
        self.spec = spec
        self.timings = StartTimings(
            network_ms=1.0, rootfs_ms=2.0, runtime_start_ms=3.0, ready_ms=6.0
        )
        self.pid = 0
        self.limited: Mapping[str, str] = {"memory": "a fake"}
        self.processes: list[FakeProcess] = []
        self.stops = 0
        self.refreshes = 0
        self.failure: CleanroomError | None = None
        self._ended = asyncio.Event()

    async def refresh(self) -> None:
        """Count how often the workspace was mounted anew."""
        self.refreshes += 1

    async def execute(self, command: Command) -> FakeProcess:
        """Start a program; one word of a shell is split at its spaces."""
        if self._ended.is_set():
            raise Fault(Code.BACKEND_TRANSPORT_ERROR, "cannot reach the agent: it has ended")
        words = command.argv
        if words[:2] == ("/bin/sh", "-c"):
            words = tuple(words[2].split())
        command = Command(words, command.environment, command.cwd, command.tty)
        process = FakeProcess(self, command)
        self.processes.append(process)
        program = self.backend.programs.get(words[0])
        if program is None:
            process.end(Exit(127, error=f"cannot run '{words[0]}': No such file or directory"))
            return process
        process.task = asyncio.get_running_loop().create_task(self._run(program, process))
        return process

    async def connect(self, port: int) -> FakeProcess:
        """Run the program `connect`, which stands for who listens inside."""
        return await self.execute(Command(("connect", str(port)), (), "/"))

    async def _run(self, program: Program, process: FakeProcess) -> None:
        process.end(Exit(await program(process)))

    def event(self, event: NetworkEvent) -> None:
        """The gateway judged something of this sandbox."""
        self.backend.gateway.record(self.spec.sandbox_id, event)

    def touch(self, paths: tuple[str, ...]) -> None:
        """Files of the workspace were changed."""
        self.backend.changed[self.spec.sandbox_id] = paths

    async def die(self) -> None:
        """End as if its first process had been killed."""
        self._ended.set()
        for process in self.processes:
            process.end(Fault(Code.BACKEND_TRANSPORT_ERROR, "cannot reach the agent: it has ended"))

    async def stop(self, grace_s: float = 0.0) -> None:
        """End everything."""
        self.stops += 1
        await self.die()

    async def wait(self) -> None:
        """Return when it has ended."""
        await self._ended.wait()


class FakeDoor:
    """A door of the fake gateway."""

    def __init__(self, gateway: "FakeGateway", sandbox_id: str) -> None:
        self._gateway = gateway
        self._sandbox_id = sandbox_id

    async def attach(self, sockets: DoorSockets) -> None:
        """Take the sockets, or refuse if the gateway is gone."""
        for descriptor in _descriptors(sockets):
            os.close(descriptor)
        if not self._gateway.alive:
            raise Fault(Code.GATEWAY_LOST, "cannot open the door: the gateway is gone")
        self._gateway.doors.add(self._sandbox_id)


def _descriptors(sockets: DoorSockets) -> tuple[int, ...]:
    return (
        sockets.tcp4,
        sockets.tcp6,
        sockets.dns4,
        sockets.dns6,
        sockets.udp4,
        sockets.udp6,
    )


class FakeGateway:
    """A gateway without network: tests and fake programs say what it saw."""

    def __init__(self) -> None:
        self.alive = True
        self.broken = False  # it cannot be started
        self.starts = 0
        self.doors: set[str] = set()
        self.offline: set[str] = set()
        self.narrowed: dict[str, CompiledPolicy] = {}
        self.secrets: dict[tuple[str, str], bytes] = {}  # all that it was ever given
        self._record: RecordEvent | None = None
        self._lost: Lost | None = None

    async def start(self, record: RecordEvent, lost: Lost) -> "FakeGateway":
        """Start anew; a StartGateway of cleanroom.daemon.parts."""
        if self.broken:
            raise Fault(Code.GATEWAY_LOST, "cannot start the gateway")
        self.alive = True
        self.starts += 1
        self._record, self._lost = record, lost
        return self

    def record(self, sandbox_id: str, event: NetworkEvent) -> None:
        """An event arrives at the daemon."""
        assert self._record is not None
        self._record(sandbox_id, event)

    def die(self) -> None:
        """The process is killed."""
        self.alive = False
        served, self.doors = frozenset(self.doors), set()
        assert self._lost is not None
        self._lost(served)

    async def authority(self, sandbox_id: str, policy: CompiledPolicy) -> str:
        """Return a certificate that nobody can read, if one is needed."""
        return "a certificate\n" if opened_names(policy) else ""

    async def hold_secret(
        self, sandbox_id: str, binding: SecretBinding, descriptor: int, *, offline: bool = False
    ) -> str:
        """Read the value as the real one does; return a placeholder that tells nothing of it."""
        with open(descriptor, "rb") as file:  # noqa: ASYNC230 -- a memfd
            value = file.read()
        why = why_unusable(value)
        if why:
            message = f"cannot use the secret '{binding.secret_id}': {why}"
            raise Refused(Code.SECRET_UNAVAILABLE, message)
        self.secrets[sandbox_id, binding.secret_id] = value
        return placeholder_like(value, bytes(range(128)))

    def door(self, sandbox_id: str, policy: CompiledPolicy, *, offline: bool = False) -> Door:
        """Return a door."""
        if offline:
            self.offline.add(sandbox_id)
        return FakeDoor(self, sandbox_id)

    async def narrow(self, sandbox_id: str, policy: CompiledPolicy) -> None:
        """Hold it to less."""
        self.narrowed[sandbox_id] = policy

    async def close_door(self, sandbox_id: str) -> None:
        """Forget the sandbox."""
        self.doors.discard(sandbox_id)

    async def stop(self) -> None:
        """End."""
        self.alive = False


_PROVEN = frozenset({*ALWAYS, Capability.ISOLATION_NAMESPACES, Capability.LIMIT_MEMORY})


class FakeBackend:
    """A backend that proves what it is told to, and starts FakeSandboxes."""

    def __init__(
        self,
        gateway: FakeGateway | None = None,
        proven: frozenset[Capability] = _PROVEN,
        programs: Mapping[str, Program] = PROGRAMS,
    ) -> None:
        self.name = "local"
        self.gateway = gateway or FakeGateway()
        self.programs = dict(programs)
        self.proven = proven
        self.ready = True
        self.fail_start: Fault | None = None
        self.starting = asyncio.Event()  # set when a start was asked for
        self.start_gate: asyncio.Event | None = None  # starts wait for it, if there is one
        self.sandboxes: list[FakeSandbox] = []
        self.reclaimed: list[str] = []
        self.changed: dict[str, tuple[str, ...]] = {}
        self.changes_fault: Fault | None = None  # changes cannot be read

    async def probe(self) -> Probe:
        """Return what it was told to prove."""
        if not self.ready:
            missing = {"bubblewrap": "bubblewrap is not installed: apt-get install bubblewrap"}
            return Probe(ready=False, runtime="fake 1.0", capabilities=frozenset(), missing=missing)
        missing = {str(each): "the fake was not told to" for each in set(Capability) - self.proven}
        return Probe(
            ready=True,
            runtime="fake 1.0",
            capabilities=self.proven,
            missing=missing,
            facts={"fake": "1.0"},
        )

    async def start(self, spec: SandboxSpec, door: Door) -> FakeSandbox:
        """Start a sandbox, its door first."""
        if not spec.needs <= self.proven:
            lacking = ", ".join(sorted(spec.needs - self.proven))
            raise Refused(Code.BACKEND_CAPABILITY_MISMATCH, f"cannot enforce {lacking}")
        self.starting.set()
        if self.start_gate is not None:
            await self.start_gate.wait()
        if self.fail_start is not None:
            raise self.fail_start
        await door.attach(DoorSockets(*(os.eventfd(0) for _ in range(6))))
        sandbox = FakeSandbox(self, spec)
        self.sandboxes.append(sandbox)
        return sandbox

    async def reclaim(self, sandbox_id: str) -> None:
        """Note what was to be reclaimed."""
        self.reclaimed.append(sandbox_id)


def empty_spec(
    sandbox_id: str = "sbx_0", needs: frozenset[Capability] = frozenset()
) -> SandboxSpec:
    """Return a plan with nothing in it."""
    environment = (("PATH", "/usr/bin"),)
    return SandboxSpec(sandbox_id, "cleanroom", (), environment, "/workspace", Limits(), needs)
