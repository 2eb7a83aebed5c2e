"""What the daemon needs of its neighbours, as Protocols; main.py joins the real ones.

In: nothing. Out: Protocols and the values they exchange. Never: an implementation.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from cleanroom.api.change_types import ApplyReport, ApplyRequest, ChangeSet
from cleanroom.api.types import ClientFacts, RunOptions
from cleanroom.audit.pruning import Keep
from cleanroom.audit.record import Record
from cleanroom.backends.base import Command, Door
from cleanroom.backends.base import Sandbox as Machine
from cleanroom.events import NetworkEvent
from cleanroom.policy.demands import Capability
from cleanroom.policy.model import CompiledPolicy, SecretBinding
from cleanroom.sandbox.host import WORKSPACE
from cleanroom.sandbox.mise import Equipment
from cleanroom.sandbox.spec import SandboxSpec

# Called by the gateway's link for each event: it returns once the audit line is written, or
# raises, and then no byte flows.
RecordEvent = Callable[[str, NetworkEvent], None]
# Called once when the gateway process is gone, with the sandboxes that it served.
Lost = Callable[[frozenset[str]], None]


class GatewayLink(Protocol):
    """One gateway process."""

    @property
    def alive(self) -> bool: ...

    async def authority(self, sandbox_id: str, policy: CompiledPolicy) -> str:
        """Return the certificate (PEM) that the sandbox must trust; "" if nothing is opened.

        Raises Fault(gateway_lost).
        """
        ...

    async def hold_secret(
        self, sandbox_id: str, binding: SecretBinding, descriptor: int, *, offline: bool = False
    ) -> str:
        """Give it a value; return the placeholder. The descriptor is closed, whatever happens.

        Raises Refused(secret_unavailable) with the gateway's reason, Fault(gateway_lost).
        """
        ...

    def door(self, sandbox_id: str, policy: CompiledPolicy, *, offline: bool = False) -> Door:
        """Return where the sandbox's sockets are to be given. Does nothing by itself."""
        ...

    async def narrow(self, sandbox_id: str, policy: CompiledPolicy) -> None:
        """Hold a live sandbox to a narrower policy; nothing beyond it lives then. Never raises."""
        ...

    async def close_door(self, sandbox_id: str) -> None:
        """Cut everything of this sandbox; all its events were recorded before. Never raises."""
        ...

    async def stop(self) -> None:
        """End the process. Idempotent."""
        ...


# Starts a gateway process, configured; raises Fault(gateway_lost) if it does not come up.
StartGateway = Callable[[RecordEvent, Lost], Awaitable[GatewayLink]]


class AuditWriter(Protocol):
    """Where every event ends."""

    def append(self, records: Sequence[Record]) -> None:
        """Write whole lines, or raise Fault and write none."""
        ...

    def prune(self, keep: Keep) -> int:
        """Remove what has outlived its bounds; return how many files."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Service:
    """What a gateway gives a sandbox: a door, what it must trust (PEM, or ""), placeholders."""

    door: Door
    authority: str = ""
    placeholders: tuple[tuple[str, str], ...] = ()  # variable -> what stands for its secret


@dataclass(frozen=True, slots=True)
class Order:
    """What a sandbox is to be made of."""

    sandbox_id: str
    workspace: str
    policy: CompiledPolicy
    needs: frozenset[Capability]
    options: RunOptions
    facts: ClientFacts
    authority: str = ""  # the certificate (PEM) of its own authority, if TLS is opened
    equipment: Equipment | None = None
    taken: Mapping[tuple[str, str], str] = field(default_factory=dict)  # volumes others have
    only_planned: bool = False  # nothing is to be made that stays
    placeholders: tuple[tuple[str, str], ...] = ()  # variable -> what stands for its secret


@dataclass(frozen=True, slots=True)
class Prepared:
    """A sandbox that can be started: its plan, and what the person should be told."""

    spec: SandboxSpec
    notes: tuple[str, ...] = ()
    options: RunOptions = field(default_factory=RunOptions)  # those it was made with


@dataclass(frozen=True, slots=True)
class Wanted:
    """A command as the client wrote it, and where it stood."""

    command: tuple[str, ...]
    subfolder: str
    options: RunOptions


@dataclass(frozen=True, slots=True)
class Synced:
    """An edit of the host that was brought inside. `what`: "written", "removed", "conflict"."""

    path: str
    what: str
    reason: str = ""


class Follower(Protocol):
    """Brings edits of the host into one running sandbox."""

    async def bring(self) -> list[Synced]:
        """Bring what is new on the host now. Raises Fault if the sandbox does not take it."""
        ...

    async def changed(self) -> None:
        """Return once something changed on the host since it was last looked at."""
        ...

    async def touched(self) -> str:
        """Return what stands for all that the sandbox wrote so far."""
        ...

    async def carry(self) -> list[tuple[str, str]]:
        """Bring what the sandbox wrote onto the host; what stays inside, and why. Raises Fault."""
        ...

    def close(self) -> None:
        """End watching. Idempotent."""
        ...


class Counted(NamedTuple):
    """How many files a sandbox changed: those that count, and those that git ignores.

    `commits`: without a file that changed, HEAD inside is another commit than the host's.
    """

    changed: int
    ignored: int = 0
    commits: bool = False


@dataclass(frozen=True, slots=True)
class Side:
    """A folder of the host and its copy-on-write view: the view's own folder, and where it is seen.

    `shown` comes before a path of it that a person is told.
    """

    host: str
    folder: Path
    inside: str = WORKSPACE
    shown: str = ""


class Workspaces(Protocol):
    """Copy-on-write views of workspaces, and what was changed in them."""

    async def mark(self, workspace: str) -> str:
        """Return what only this folder has. Raises UserError, Refused if it is no workspace."""
        ...

    async def prepare(self, order: Order, folder: Path) -> Prepared:
        """Make the view and the plan in `folder`. Raises UserError, Refused or Fault."""
        ...

    async def renew(self, prepared: Prepared, workspace: str, folder: Path) -> Prepared:
        """Make the view follow the host, before it is mounted anew. Raises Fault."""
        ...

    def follower(
        self, prepared: Prepared, side: Side, machine: Machine, *, watch: bool
    ) -> Follower:
        """Return what brings edits of the host into a sandbox.

        To `watch` it is what `changed` needs. Does nothing by itself.
        """
        ...

    def command(self, prepared: Prepared, wanted: Wanted) -> Command:
        """Return what the agent is to start. Raises UserError."""
        ...

    def missing_tool(self, order_workspace: str, path: str, wanted: Wanted) -> str:
        """Return why a command that was not found is there for the caller; "" if it is not.

        `path` is the caller's PATH.
        """
        ...

    async def changes(self, folder: Path) -> ChangeSet:
        """Return what was changed; ids are left empty."""
        ...

    async def count(self, folder: Path) -> Counted:
        """Count the changed files, and keep what they were before. Raises Fault."""
        ...

    async def patch(self, folder: Path) -> str:
        """Return the changes as a unified diff."""
        ...

    async def apply(self, folder: Path, request: ApplyRequest) -> ApplyReport:
        """Bring changes onto the host; all or nothing."""
        ...

    async def mend(self, folder: Path) -> None:
        """Complete or undo an apply that a killed daemon had begun. Idempotent. Raises Fault."""
        ...

    async def forget(self, folder: Path) -> None:
        """Remove the view and its changes. Idempotent."""
        ...

    async def size(self, folder: Path) -> int:
        """Return how many bytes the changes occupy."""
        ...
