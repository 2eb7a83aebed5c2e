"""A living sandbox and the runs in it, as the daemon holds them in memory.

In: what happens to them. Out: the records that the API shows. Never: I/O; sandboxes.py and
run.py act, this is what they act on.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from cleanroom.api.cache_types import CacheUse
from cleanroom.api.port_types import Port
from cleanroom.api.streams import DeniedLine, NoteLine
from cleanroom.api.types import ClientFacts, Denial, Execution, Run, RunOptions, Sandbox
from cleanroom.backends.base import Sandbox as Machine
from cleanroom.daemon.backends import Place
from cleanroom.daemon.events import EventLog
from cleanroom.daemon.executions import Ending, LiveExecution
from cleanroom.daemon.notices import Notices
from cleanroom.daemon.parts import Counted, Prepared
from cleanroom.daemon.share import Share
from cleanroom.decide.artifact import PASSES, SHOWN
from cleanroom.errors import Code, Fault
from cleanroom.events import NetworkEvent
from cleanroom.policy.model import CompiledPolicy
from cleanroom.sandbox.mise import Equipment
from cleanroom.sandbox.state import SandboxState, next_sandbox_state

_DENIALS_KEPT: Final = 1000
_WARNINGS_KEPT: Final = 20


class LiveRun:
    """One run that has not finished, with its execution."""

    def __init__(
        self, record: Run, execution: Execution, sandbox_name: str | None, *, foreground: bool
    ) -> None:
        self.record = record
        self.execution = execution
        self.sandbox_name = sandbox_name
        self.foreground = (
            foreground  # somebody promised to attach, and counts on nothing being lost
        )
        self.attached = asyncio.Event()  # set when the owner came
        self.left_at = {1: 0, 2: 0}  # how far the last client had come that left on purpose
        self.notices = Notices()
        self.live: LiveExecution | None = None
        self.ended = asyncio.Event()  # the command has ended, and the audit says so
        self.finished = asyncio.Event()  # so has the run: its record is complete
        self.cache: CacheUse | None = None  # None: no registry was asked
        self._denials: dict[tuple[str, int, str, str], Denial] = {}
        self._fresh_denials: list[Denial] = []

    def tell(self, event: NetworkEvent) -> None:
        """Take what an event means for a run: a refusal, a warning, an answer of a registry."""
        if event.phase == "served" and event.cache:
            self.served(event)
        elif event.phase == "verdict" and not event.allowed:
            self.denied(event)
        elif event.phase == "verdict" and event.reason:
            self.warn(event.reason)

    def denied(self, event: NetworkEvent) -> None:
        """Count a refusal; the first of its kind is told at once."""
        key = (event.name or event.address, event.port, event.code, event.artifact)
        known = self._denials.get(key)
        if known is not None:
            more = known.count + 1 + event.repeated
            self._denials[key] = msgspec.structs.replace(known, count=more)
            return
        if len(self._denials) >= _DENIALS_KEPT:
            return
        denial = denial_of(event)
        self._denials[key] = denial
        self._fresh_denials.append(denial)
        self.notices.add(DeniedLine(**msgspec.structs.asdict(denial)))

    def served(self, event: NetworkEvent) -> None:
        """Count an answer of a registry."""
        so_far = self.cache or CacheUse()
        is_new = event.cache in ("miss", "direct")
        self.cache = CacheUse(
            hits=so_far.hits + (event.cache == "hit"),
            misses=so_far.misses + is_new,
            stale=so_far.stale + (event.cache == "stale"),
            saved_bytes=so_far.saved_bytes + (0 if is_new else event.bytes_in),
            fetched_bytes=so_far.fetched_bytes + (event.bytes_in if is_new else 0),
        )

    def take_ownership(self) -> bool:
        """Return whether this client is the one that a foreground run counts on: the first."""
        first = self.foreground and not self.attached.is_set()
        self.attached.set()
        return first

    def started(self) -> LiveExecution:
        """Return the running command. Raises Fault(internal) if it was never started."""
        if self.live is None:
            message = "cannot follow a command that was not started"
            raise Fault(Code.INTERNAL, message)
        return self.live

    def current(self) -> Run:
        """Return the record with all refusals and answers so far."""
        return msgspec.structs.replace(self.record, denied=self.denials, cache=self.cache)

    @property
    def refusals(self) -> list[Denial]:
        """Return the denials without handshakes that a client let go of."""
        return [each for each in self.denials if each.code != Code.HANDSHAKE_FAILED]

    @property
    def denials(self) -> list[Denial]:
        """All refusals so far, counted, in the order of their first."""
        return list(self._denials.values())

    def take_fresh_denials(self) -> list[Denial]:
        """Return those that came up since the last call; the store keeps them."""
        fresh, self._fresh_denials = self._fresh_denials, []
        return fresh

    def warn(self, text: str) -> None:
        """Note what was let pass with a warning; each once, and not without end."""
        if text == SHOWN:
            if text not in self.record.notes:
                self.note(text)
            return
        warned = [note for note in self.record.notes if note.endswith(PASSES)]
        if text in warned or len(warned) > _WARNINGS_KEPT:
            return
        if len(warned) == _WARNINGS_KEPT:
            text = f"more packages are in no lock file (cleanroom audit names them); {PASSES}"
        self.note(text)

    def note(self, text: str) -> None:
        """Tell the person something, now and in the record."""
        self.notices.add(NoteLine(text=text))
        self.record = msgspec.structs.replace(self.record, notes=[*self.record.notes, text])


@dataclass(frozen=True, slots=True)
class Creation:
    """All that makes one sandbox."""

    workspace: str
    policy: CompiledPolicy
    place: Place
    options: RunOptions
    facts: ClientFacts
    who: str
    ephemeral: bool
    equipment: Equipment | None = None
    reloads: int = 0  # that there were when its text came
    agent: str = ""  # what `exec --agent` added to the policy
    written_hash: str = ""  # of the policy without that
    values: Mapping[str, int] = field(default_factory=dict)  # secret -> descriptor, not ours


class LiveSandbox:
    """One sandbox that has not ended."""

    def __init__(self, record: Sandbox, creation: Creation, folder: Path, events: EventLog) -> None:
        self.record = record
        self.policy = creation.policy  # what it is held to now (narrowing.py)
        self.agent = creation.agent
        self.who = creation.who
        self.facts = creation.facts
        self.needs = creation.place.needs
        self.equipment = creation.equipment
        self.options = creation.options
        self.folder = folder
        self.events = events
        self.runs: dict[str, LiveRun] = {}  # those that have not finished
        self.helpers = 0  # commands of cleanroom's own that run in it (inside.py)
        self.opening = asyncio.Lock()  # held while a command is admitted
        self.syncing = asyncio.Lock()  # held while edits of the host are brought inside
        self.shares: list[Share] = []  # of a live workspace, of writable mounts
        self.used = False  # a command ran in it: the next one gets a fresh view of the workspace
        self.prepared: Prepared | None = None
        self.machine: Machine | None = None
        self.changes: Counted | None = None  # as last counted
        self.workspace_ms: float | None = None  # what its preparation took
        self.ending: Ending | None = None  # why it is being stopped
        self.violation = ""  # for which the policy wants it to end
        self.violated = asyncio.Event()
        self.begun = asyncio.Event()  # it is no longer being made
        self.stopped = asyncio.Event()
        self.ports: dict[int, Port] = {}  # those that are published, by their number inside
        self.watchers: dict[str, asyncio.Task[None]] = {}  # end with it

    def become(self, state: str, **changes: object) -> None:
        """Take the next state. Raises Refused(conflict) for a step that does not exist."""
        next_sandbox_state(SandboxState(self.record.state), SandboxState(state))
        self.record = msgspec.structs.replace(self.record, state=state, **changes)
        self.begun.set()

    def violate(self, reason: str) -> None:
        """Take note of what the policy wants the sandbox to end for. The first reason counts."""
        self.violation = self.violation or reason
        self.violated.set()

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing of it would notice that its view is mounted anew."""
        return not self.runs and not self.helpers and not self.syncing.locked()

    def parts(self) -> tuple[Prepared, Machine]:
        """Return its plan and its machine. Raises Fault(internal) if it was never started."""
        if self.prepared is None or self.machine is None:
            message = "cannot use a sandbox that was not started"
            raise Fault(Code.INTERNAL, message)
        return self.prepared, self.machine

    def run_of(self, execution_id: str) -> LiveRun | None:
        """Return the unfinished run of an execution."""
        runs = self.runs.values()
        return next((run for run in runs if run.execution.id == execution_id), None)


def volumes_in_use(
    live: Iterable[LiveSandbox], before: LiveSandbox | None = None
) -> dict[tuple[str, str], str]:
    """Return who has which volume: (workspace, name) to a sandbox's id; only `before` that one."""
    used = {}
    for sandbox in live:
        if sandbox is before:
            break
        for volume in sandbox.options.volumes:
            used[sandbox.record.workspace, volume.name] = sandbox.record.id
    return used


def denial_of(event: NetworkEvent) -> Denial:
    """Return the first count of a refusal."""
    return Denial(
        name=event.name,
        address=event.address,
        port=event.port,
        protocol=event.protocol,
        code=event.code,
        reason=event.reason,
        count=1 + event.repeated,
        artifact=event.artifact,
        registry=event.registry,
    )
