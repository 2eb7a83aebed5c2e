"""The lifecycle of sandboxes: made, found, ended; nothing of an ended one runs.

In: a policy with a backend that proved it. Out: LiveSandbox. Never: a sandbox that the store does
not know, one whose end depends on the wall clock, or two with one name.
"""

import asyncio
import contextlib
import logging
import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from weakref import WeakValueDictionary

import msgspec

from cleanroom.api.problem import failure_of
from cleanroom.api.types import Failure, Sandbox
from cleanroom.daemon.clock import Clock, milliseconds, timestamp
from cleanroom.daemon.events import EventLog
from cleanroom.daemon.executions import Ending
from cleanroom.daemon.expiry import Expiry
from cleanroom.daemon.gateway_link import SKEW_S
from cleanroom.daemon.gateways import Gateways
from cleanroom.daemon.ids import new_id
from cleanroom.daemon.journal import Journal
from cleanroom.daemon.parts import Counted, Order, Workspaces
from cleanroom.daemon.reloads import Reloads
from cleanroom.daemon.sandbox import Creation, LiveSandbox, volumes_in_use
from cleanroom.daemon.settings import Settings
from cleanroom.daemon.store import Store
from cleanroom.daemon.tasks import Tasks
from cleanroom.errors import CleanroomError, Code, Fault, Refused, UserError
from cleanroom.policy.opened import opened_names

_log = logging.getLogger(__name__)

ENDS_S: Final = 5.0  # for commands of a sandbox whose processes are gone

NO_CHANGES: Final = Counted(changed=0)
FINISHED: Final = Ending("canceled", Failure(code=Code.CANCELED, reason="its run has finished"))
STOPPED: Final = Ending("canceled", Failure(code=Code.CANCELED, reason="its sandbox was stopped"))
DAEMON_STOPS: Final = Ending("canceled", Failure(code=Code.CANCELED, reason="the daemon stops"))
ENDED: Final = Ending(
    "failed",
    Failure(code=Code.BACKEND_TRANSPORT_ERROR, reason="the sandbox ended by itself"),
)
NEVER_STARTED: Final = Failure(code=Code.RUNTIME_LAUNCH_FAILED, reason="it was not started")


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What the lifecycle acts on."""

    settings: Settings
    clock: Clock
    store: Store
    journal: Journal
    gateways: Gateways
    workspaces: Workspaces
    tasks: Tasks
    folder: Path  # of all sandboxes' own folders


class Sandboxes:
    """All living sandboxes."""

    def __init__(self, neighbours: Neighbours) -> None:
        self._at = neighbours
        self._live: dict[str, LiveSandbox] = {}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._closed = False
        self.reloads = Reloads()
        self.expiry = Expiry(neighbours.clock, neighbours.tasks, self._warn, self.stop)

    def turn(self, meant: str) -> asyncio.Lock:
        """Return the lock of those who mean the same sandbox; it goes with the last of them."""
        return self._turns.setdefault(meant, asyncio.Lock())

    @property
    def live(self) -> list[LiveSandbox]:
        """Those that have not ended."""
        return list(self._live.values())

    def find(self, word: str) -> LiveSandbox | None:
        """Return the living sandbox with this id or name."""
        if word in self._live:
            return self._live[word]
        return next((each for each in self._live.values() if each.record.name == word), None)

    async def create(self, wanted: Creation) -> LiveSandbox:
        """Make a sandbox; when this returns commands can be run in it.

        Raises Refused(resource_limit), UserError(conflict) for a name in use, and whatever its
        parts raise; then nothing of it is left but its record.
        """
        self._admit(wanted.options.sandbox)
        self._check_current(wanted)
        sandbox = self._new(wanted)
        failure = NEVER_STARTED
        try:
            await self._at.store.put_sandbox(sandbox.record, folder=str(sandbox.folder))
            self._at.journal.lifecycle(sandbox, "sandbox.created", _details(sandbox))
            await self._start(sandbox, wanted)
        except CleanroomError as error:
            failure = failure_of(error)
            raise
        finally:
            if sandbox.record.state != "ready":
                await self._abandon(sandbox, failure)
        return sandbox

    async def stop(self, sandbox: LiveSandbox, why: Ending) -> None:
        """End everything in it; returns when nothing of it runs. The first reason counts.

        It has failed if `why` says so, else it was stopped. Idempotent.
        """
        first = sandbox.ending is None
        sandbox.ending = sandbox.ending or why
        # Whoever makes a sandbox ends it too: `create` looks at `ending`. In a task of its own,
        # so that a caller that is canceled does not leave half an ended sandbox.
        if first and sandbox.record.state != "provisioning":
            self._at.tasks.start(self._stop(sandbox, why), f"stop {sandbox.record.id}")
        await sandbox.stopped.wait()

    async def _stop(self, sandbox: LiveSandbox, why: Ending) -> None:
        sandbox.become("stopping")
        try:
            for run in sandbox.runs.values():
                if run.live is not None:
                    run.live.sandbox_ends(why)
            if sandbox.machine is not None:
                await sandbox.machine.stop()
            await self._at.gateways.close_door(sandbox.record.id)
            await _commands_ended(sandbox)
            for share in sandbox.shares:
                await share.end()
            await self.count_changes(sandbox)
            if sandbox.changes == NO_CHANGES:
                await self._at.workspaces.forget(sandbox.folder)
        finally:
            state = "failed" if why.state == "failed" else "stopped"
            await self._ended(sandbox, state, why.failure)

    async def keep(self, sandbox: LiveSandbox) -> None:
        """Let one that was to end with its command live on. Raises Fault if it cannot be kept."""
        sandbox.record = msgspec.structs.replace(sandbox.record, ephemeral=False)
        await self._at.store.put_sandbox(sandbox.record)

    async def extend(self, sandbox: LiveSandbox, ttl_s: float) -> None:
        """Let it live this long from now on. Raises UserError(conflict) if it cannot."""
        if sandbox.record.state != "ready":
            message = f"cannot extend the sandbox: it is {sandbox.record.state}"
            raise UserError(Code.CONFLICT, message, "those that live: cleanroom ps")
        moment = self._at.clock.now() + timedelta(seconds=ttl_s)
        if opened_names(sandbox.policy) and moment > _trusted_until(sandbox):
            # Its view has the certificate for good, and clients would refuse what they are shown.
            message = "cannot extend the sandbox so far: its certificate authority ends before"
            raise UserError(Code.CONFLICT, message, "create another one with more ttl_minutes")
        expires = timestamp(moment)
        self._at.journal.lifecycle(sandbox, "sandbox.extended", [("expires_at", expires)])
        sandbox.record = msgspec.structs.replace(sandbox.record, expires_at=expires)
        self.expiry.live_for(sandbox, ttl_s, f"extended by {ttl_s:g} s")
        await self._at.store.put_sandbox(sandbox.record)

    async def stop_all(self) -> None:
        """End every sandbox, and admit no more."""
        self._closed = True
        async with asyncio.TaskGroup() as group:
            for sandbox in self.live:
                group.create_task(self.stop(sandbox, DAEMON_STOPS))

    async def count_changes(self, sandbox: LiveSandbox) -> None:
        """Count the files of the workspace that were changed so far."""
        try:
            sandbox.changes = await self._at.workspaces.count(sandbox.folder)
        except CleanroomError as error:
            for run in sandbox.runs.values():
                run.note(error.message)

    def gateway_lost(self, served: frozenset[str]) -> None:
        """Tell everyone that these sandboxes have no network any more."""
        for sandbox in self.live:
            if sandbox.record.id in served and sandbox.ending is None:
                self._note(sandbox, "gateway.lost", "the gateway ended: no network (gateway_lost)")

    def _admit(self, name: str | None) -> None:
        if self._closed:
            message = "cannot make a sandbox: the daemon is stopping"
            raise Refused(Code.BACKEND_UNAVAILABLE, message, "start it again")
        most = self._at.settings.limits.sandboxes
        if len(self._live) >= most:
            message = f"cannot make a sandbox: {most} are alive already"
            hint = "run: cleanroom sandboxes list; or raise limits.sandboxes in config.yaml"
            raise Refused(Code.RESOURCE_LIMIT, message, hint)
        if name is not None and "_" in name:
            message = f"cannot make a sandbox named '{name}': that is an id"
            raise UserError(Code.REQUEST_INVALID, message, "a name has a-z, 0-9 and -")
        if name is not None and self.find(name) is not None:
            message = f"cannot make the sandbox '{name}': it exists"
            raise UserError(Code.CONFLICT, message, f"run: cleanroom sandboxes stop {name}")

    def _check_current(self, wanted: Creation) -> None:
        """SECURITY: a reload holds those that live; one that is made after it has no older text."""
        if not self.reloads.is_current(wanted.reloads, wanted.workspace, wanted.written_hash):
            message = "cannot make a sandbox: the policy was reloaded since the run began"
            raise UserError(Code.CONFLICT, message, "run it again, under the policy of now")

    def _new(self, wanted: Creation) -> LiveSandbox:
        labels = wanted.policy.labels
        record = Sandbox(
            id=new_id("sbx"),
            name=wanted.options.sandbox,
            state="provisioning",
            backend=wanted.place.name,
            workspace=wanted.workspace,
            policy_hash=wanted.policy.policy_hash,
            created_at=timestamp(self._at.clock.now()),
            expires_at=None,
            idle_s=None if wanted.ephemeral else wanted.options.idle_s,
            ephemeral=wanted.ephemeral,
            project=dict(labels.project),
            metadata=dict(labels.metadata),
        )
        folder = self._at.folder / record.id
        events = EventLog(self._at.clock)
        sandbox = LiveSandbox(record, wanted, folder, events)
        self._live[record.id] = sandbox
        self._at.journal.watch(sandbox)
        return sandbox

    async def _start(self, sandbox: LiveSandbox, wanted: Creation) -> None:
        identifier = sandbox.record.id
        service = await self._at.gateways.serve(
            identifier, wanted.policy, wanted.values, offline=wanted.options.offline
        )
        for binding in wanted.policy.secrets:
            if binding.secret_id in wanted.values:
                details = [("secret", binding.secret_id), ("variable", binding.env)]
                self._at.journal.lifecycle(sandbox, "sandbox.secret", details)
        order = Order(
            identifier,
            wanted.workspace,
            wanted.policy,
            wanted.place.needs,
            wanted.options,
            wanted.facts,
            service.authority,
            wanted.equipment,
            volumes_in_use(self.live, sandbox),
            placeholders=service.placeholders,
        )
        sandbox.folder.mkdir(mode=0o700, parents=True)
        begin = self._at.clock.monotonic()
        sandbox.prepared = await self._at.workspaces.prepare(order, sandbox.folder)
        sandbox.workspace_ms = milliseconds(self._at.clock.monotonic() - begin)
        sandbox.machine = await wanted.place.backend.start(sandbox.prepared.spec, service.door)
        if sandbox.ending is not None or self._closed:
            message = "cannot use the sandbox: it was stopped while it started"
            raise Fault(Code.CANCELED, message)
        ttl_s = wanted.policy.sandbox.ttl_s
        expires = self._at.clock.now() + timedelta(seconds=ttl_s)
        limits = dict(sandbox.machine.limited)
        sandbox.become("ready", expires_at=timestamp(expires), limits=limits)
        await self._at.store.put_sandbox(sandbox.record)
        self._at.journal.lifecycle(sandbox, "sandbox.ready")
        watcher = self._at.tasks.start(self._watch(sandbox), f"sandbox {identifier} watch")
        sandbox.watchers["watch"] = watcher
        watcher = self._at.tasks.start(self._end_violation(sandbox), f"sandbox {identifier} rule")
        sandbox.watchers["rule"] = watcher
        self.expiry.live_for(sandbox, ttl_s, f"sandbox.ttl_minutes: {ttl_s // 60}")
        self.expiry.rest(sandbox)

    async def _abandon(self, sandbox: LiveSandbox, failure: Failure) -> None:
        if sandbox.machine is not None:
            await sandbox.machine.stop()
        await self._at.gateways.close_door(sandbox.record.id)
        await self._at.workspaces.forget(sandbox.folder)
        if not sandbox.stopped.is_set():
            await self._ended(sandbox, "failed", failure)

    async def _ended(self, sandbox: LiveSandbox, state: str, failure: Failure) -> None:
        """Let go of it, whatever the records say: nothing of it runs any more."""
        current = asyncio.current_task()
        for watcher in sandbox.watchers.values():
            if watcher is not current:
                watcher.cancel()
        shown = failure if state == "failed" else None
        finished = timestamp(self._at.clock.now())
        sandbox.become(state, failure=shown, finished_at=finished)
        try:
            self._at.journal.lifecycle(sandbox, f"sandbox.{state}", [("reason", failure.reason)])
            await self._at.store.put_sandbox(sandbox.record)
        except Fault as error:
            # The audit or the state file cannot be written. It is said by every later command.
            _log.error("cannot record the end of %s: %s", sandbox.record.id, error.message)
        finally:
            with contextlib.suppress(OSError):
                os.utime(sandbox.folder)  # its changes are kept for a time from now on
            self._live.pop(sandbox.record.id, None)
            self._at.journal.forget(sandbox)
            sandbox.events.end()
            sandbox.stopped.set()

    def _warn(self, sandbox: LiveSandbox) -> None:
        self._note(sandbox, "sandbox.ttl_warning", "the sandbox's time is over in two minutes")

    async def _watch(self, sandbox: LiveSandbox) -> None:
        if sandbox.machine is not None:
            await sandbox.machine.wait()
            failure = sandbox.machine.failure
            known = Ending("failed", failure_of(failure)) if failure is not None else ENDED
            await self.stop(sandbox, known)

    async def _end_violation(self, sandbox: LiveSandbox) -> None:
        await sandbox.violated.wait()
        reason = f"{sandbox.violation} (on_violation: terminate)"
        hint = f"see what it did: cleanroom audit --denied --sandbox {sandbox.record.id}"
        failure = Failure(code=Code.SECRET_SCOPE_VIOLATION, reason=reason, hint=hint)
        await self.stop(sandbox, Ending("failed", failure))

    def _note(self, sandbox: LiveSandbox, kind: str, text: str) -> None:
        try:
            self._at.journal.lifecycle(sandbox, kind)
        except Fault as error:
            _log.error("cannot record %s: %s", kind, error.message)
        for run in sandbox.runs.values():
            run.note(text)


async def _commands_ended(sandbox: LiveSandbox) -> None:
    """Let the ends of its commands be told before its own; they are killed, so it is soon."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(ENDS_S):
            for run in tuple(sandbox.runs.values()):
                if run.live is not None:
                    await run.ended.wait()


def _details(sandbox: LiveSandbox) -> list[tuple[str, str]]:
    record = sandbox.record
    details = [
        ("backend", record.backend),
        ("workspace", record.workspace),
        ("policy_hash", record.policy_hash),
        ("name", record.name or ""),
        ("workspace_mode", sandbox.options.workspace_mode or "cow"),
    ]
    details += [("mount", each.text()) for each in sandbox.options.mounts]
    details += [("volume", f"{each.name}:{each.at}") for each in sandbox.options.volumes]
    details += [(f"project.{key}", value) for key, value in record.project.items()]
    return details + [(f"metadata.{key}", value) for key, value in record.metadata.items()]


def _trusted_until(sandbox: LiveSandbox) -> datetime:
    made = datetime.fromisoformat(sandbox.record.created_at)
    return made + timedelta(seconds=sandbox.policy.sandbox.ttl_s + SKEW_S)
