"""The contract of a backend, in words.

A backend turns a SandboxSpec into a running sandbox whose every packet arrives at the door. It
publishes only what it proved by trying. It never starts something weaker than the spec needs.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from cleanroom.errors import CleanroomError
from cleanroom.policy.demands import Capability
from cleanroom.sandbox.spec import Command as Command
from cleanroom.sandbox.spec import SandboxSpec


@dataclass(frozen=True, slots=True)
class Probe:
    """What a backend proved on this host, and why it could not prove the rest.

    `ready` is false if no sandbox can start at all; `missing` maps a capability, or a step such
    as "nft_tproxy", to one sentence with its repair. `facts` are versions and paths for doctor.
    """

    ready: bool
    runtime: str  # "bubblewrap 0.12.0"
    capabilities: frozenset[Capability]
    missing: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DoorSockets:
    """Sockets made inside a sandbox's network namespace, as open descriptors, held outside.

    Whoever receives them owns them. TCP: listening, TPROXY, original destination is the accepted
    socket's own name. DNS: UDP port 53 with PKTINFO. UDP: every other datagram, with
    RECVORIGDSTADDR, only to be refused and audited.
    """

    tcp4: int
    tcp6: int
    dns4: int
    dns6: int
    udp4: int
    udp6: int


class Door(Protocol):
    """Where a sandbox's traffic is handed to the gateway."""

    async def attach(self, sockets: DoorSockets) -> None:
        """Give the sockets to the gateway and wait until it listens.

        The descriptors are duplicated by the transfer and closed here, always. Called before the
        workload starts; raises Fault(gateway_lost), and then the sandbox must not start.
        """
        ...


@dataclass(frozen=True, slots=True)
class Output:
    """Bytes of the workload; `stream` is 1 (stdout, or the terminal) or 2 (stderr)."""

    stream: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Exit:
    """How a command ended: exactly one of `code` and `signal` is set.

    A command that could not start has `code` 127 (not found) or 126 and `error` says why.
    """

    code: int | None
    signal: int | None = None
    error: str = ""

    @property
    def status(self) -> int:
        """The shell's convention: the code, or 128 + signal."""
        return self.code if self.code is not None else 128 + (self.signal or 0)


class Process(Protocol):
    """A command running in a sandbox. Back-pressure: it stops when its output is not read."""

    def output(self) -> AsyncIterator[Output]:
        """Yield output until both streams end. To be consumed once."""
        ...

    async def wait(self) -> Exit:
        """Return how it ended.

        Raises the sandbox's `failure` if a limit ended it, Fault(backend_transport_error) if the
        agent is gone for any other reason.
        """
        ...

    async def write_stdin(self, data: bytes) -> None:
        """Write to its standard input, waiting while it does not read. Ignored after its end."""
        ...

    async def close_stdin(self) -> None:
        """End its standard input. Idempotent."""
        ...

    async def signal(self, number: int) -> None:
        """Send a signal to its process group. Ignored after its end."""
        ...

    async def resize(self, rows: int, columns: int) -> None:
        """Tell its terminal the new size. Ignored without a terminal."""
        ...


@dataclass(frozen=True, slots=True)
class StartTimings:
    """Milliseconds of each step of a start; None where a backend has no such step."""

    network_ms: float | None = None
    rootfs_ms: float | None = None
    workspace_ms: float | None = None
    runtime_start_ms: float | None = None
    ready_ms: float | None = None
    agent_wait_ms: float | None = None


class Sandbox(Protocol):
    """A running sandbox."""

    @property
    def timings(self) -> StartTimings: ...

    @property
    def pid(self) -> int:
        """Host pid of the process whose end is the sandbox's end; 0 if there is none."""
        ...

    @property
    def limited(self) -> Mapping[str, str]:
        """How each limit is enforced in this sandbox ("memory": "cgroup v1"), for the record."""
        ...

    @property
    def failure(self) -> CleanroomError | None:
        """Why the backend itself ended it (a limit: resource_limit); None otherwise."""
        ...

    async def refresh(self) -> None:
        """Mount the overlays anew over the same uppers, so that edits made on the host show.

        To be called only when no execution is live. Raises Fault(runtime_launch_failed); then the
        sandbox has ended, for it must not go on with half a view.
        """
        ...

    async def execute(self, command: Command) -> Process:
        """Start a command. Raises Fault(backend_transport_error) if the agent is gone."""
        ...

    async def connect(self, port: int) -> Process:
        """Connect to a TCP port of the loopback inside: its input and output are the bytes.

        It ends with status 1, having written nothing, if nobody listens there. Raises as `execute`.
        """
        ...

    async def stop(self, grace_s: float = 0.0) -> None:
        """End every process of the sandbox and release what it held. Idempotent, never raises.

        After it returns nothing of the sandbox runs; the upper layers of its overlays remain.
        """
        ...

    async def wait(self) -> None:
        """Return when the sandbox has ended, for whatever reason."""
        ...


class Backend(Protocol):
    """A place that can run sandboxes."""

    @property
    def name(self) -> str: ...

    async def probe(self) -> Probe:
        """Try everything it claims, in less than a second; the answer may be cached a process."""
        ...

    async def start(self, spec: SandboxSpec, door: Door) -> Sandbox:
        """Start a sandbox with an agent ready for commands.

        Raises Refused(backend_capability_mismatch) if spec.needs is not proven,
        Refused(backend_unavailable), Fault(runtime_launch_failed, gateway_lost). After a raise
        nothing of the sandbox is left.
        """
        ...

    async def reclaim(self, sandbox_id: str) -> None:
        """Remove a killed daemon's leftovers of it: processes, mounts, cgroups. Idempotent."""
        ...
