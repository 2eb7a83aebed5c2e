"""Every event once: into the audit log first, then to those who watch.

In: events of the gateway and of the daemon itself. Out: audit lines, event lines, refusals counted
per run. Never: an event shown that the audit does not have, or a connection acknowledged whose
line could not be written.
"""

import logging
from collections.abc import Iterable

from cleanroom.audit.pruning import Keep
from cleanroom.audit.record import Record
from cleanroom.daemon.parts import AuditWriter
from cleanroom.daemon.sandbox import LiveSandbox
from cleanroom.errors import Fault
from cleanroom.events import LifecycleEvent, NetworkEvent

_log = logging.getLogger(__name__)

Details = Iterable[tuple[str, str]]


class Journal:
    """The one way into the audit log."""

    def __init__(self, audit: AuditWriter) -> None:
        self._audit = audit
        self._sandboxes: dict[str, LiveSandbox] = {}
        self._works = True

    @property
    def works(self) -> bool:
        """Whether the last line could be written."""
        return self._works

    def watch(self, sandbox: LiveSandbox) -> None:
        """From now on network events of this sandbox are joined to its runs."""
        self._sandboxes[sandbox.record.id] = sandbox

    def forget(self, sandbox: LiveSandbox) -> None:
        """The sandbox has ended. Late events of it are still audited."""
        self._sandboxes.pop(sandbox.record.id, None)

    def lifecycle(
        self, sandbox: LiveSandbox, kind: str, details: Details = (), run: str = ""
    ) -> None:
        """Record that a sandbox or an execution in it changed. Raises Fault if it cannot."""
        event = LifecycleEvent(kind, tuple(details))
        live = sandbox.runs.get(run)
        execution = live.record.execution_id if live is not None else ""
        self._append(event, sandbox, execution, run)
        sandbox.events.add(event)

    def daemon(self, kind: str, details: Details = (), sandbox_id: str = "") -> None:
        """Record something the daemon itself did. Raises Fault if it cannot."""
        self._write(Record(LifecycleEvent(kind, tuple(details)), "daemon", sandbox_id))

    def network(self, sandbox_id: str, event: NetworkEvent) -> None:
        """Record a verdict; when this returns it is in the log. Raises Fault, and nothing flows."""
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None:
            self._write(Record(event, sandbox_id=sandbox_id))
            return
        only = next(iter(sandbox.runs.values())) if len(sandbox.runs) == 1 else None
        if only is None:
            self._append(event, sandbox, "", "")
        else:
            self._append(event, sandbox, only.record.execution_id, only.record.id)
        sandbox.events.add(event)
        if event.ends_sandbox:
            sandbox.violate(event.reason)
        # With several commands at once nobody knows whose it was: each is told.
        for run in sandbox.runs.values():
            run.tell(event)

    def prune(self, keep: Keep) -> None:
        """Remove the oldest files beyond the bounds. What cannot be removed stays, and is said."""
        try:
            self._audit.prune(keep)
        except Fault as error:
            _log.error("cannot prune the audit log: %s", error.message)

    def close(self) -> None:
        """Release the log. Idempotent; after it every event is refused."""
        self._works = False
        self._audit.close()

    def _append(
        self, event: LifecycleEvent | NetworkEvent, sandbox: LiveSandbox, execution: str, run: str
    ) -> None:
        self._write(Record(event, sandbox.who, sandbox.record.id, execution, run))

    def _write(self, record: Record) -> None:
        self._works = False
        self._audit.append([record])
        self._works = True
