"""Audit first, then those who watch; what cannot be written did not happen (C11)."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from cleanroom.api.cache_types import CacheUse
from cleanroom.audit.pruning import Keep
from cleanroom.audit.record import Record
from cleanroom.daemon.journal import Journal
from cleanroom.daemon.sandbox import LiveRun
from cleanroom.decide.artifact import SHOWN
from cleanroom.errors import Code, Fault
from cleanroom.events import NetworkEvent
from tests.daemon.test_sandbox import living
from tests.daemon.test_store import execution, run
from tests.fake_process import denied


class MemoryAudit:
    """An audit log in memory that can be full."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.full = False
        self.closed = False
        self.pruned: list[Keep] = []

    def append(self, records: Sequence[Record]) -> None:
        """Keep them, or refuse."""
        if self.full:
            raise Fault(Code.INTERNAL, "cannot write the audit log: No space left on device")
        self.records.extend(records)

    def prune(self, keep: Keep) -> int:
        """Note it, or refuse."""
        if self.full:
            raise Fault(Code.INTERNAL, "cannot write the audit log: No space left on device")
        self.pruned.append(keep)
        return 1

    def close(self) -> None:
        """Note it."""
        self.closed = True


def live_run(number: int) -> LiveRun:
    """An unfinished run."""
    return LiveRun(run(number), execution(number), None, foreground=False)


def test_a_verdict_belongs_to_the_one_command_that_runs() -> None:
    audit, sandbox, one = MemoryAudit(), living(), live_run(1)
    journal = Journal(audit)
    journal.watch(sandbox)
    sandbox.runs[one.record.id] = one
    journal.network(sandbox.record.id, denied("evil.test", 443))
    (record,) = audit.records
    assert (record.who, record.sandbox_id) == ("uid:1", sandbox.record.id)
    assert (record.run_id, record.execution_id) == (one.record.id, one.execution.id)
    assert len(sandbox.events.after(0)) == 1
    assert [each.name for each in one.denials] == ["evil.test"]


def test_with_two_commands_each_is_told_and_neither_is_accused() -> None:
    audit, sandbox = MemoryAudit(), living()
    journal = Journal(audit)
    journal.watch(sandbox)
    for number in (1, 2):
        sandbox.runs[run(number).id] = live_run(number)
    journal.network(sandbox.record.id, denied("evil.test", 443))
    assert audit.records[0].run_id == ""
    assert all(len(each.denials) == 1 for each in sandbox.runs.values())


def test_allowed_verdicts_and_ends_of_connections_are_no_refusals() -> None:
    audit, sandbox, one = MemoryAudit(), living(), live_run(1)
    journal = Journal(audit)
    journal.watch(sandbox)
    sandbox.runs[one.record.id] = one
    base = denied("a.example", 443)
    for phase, allowed in (("verdict", True), ("closed", False)):
        event = NetworkEvent(
            phase,
            allowed=allowed,
            protocol=base.protocol,
            name=base.name,
            address="",
            port=443,
            code="",
            reason="",
        )
        journal.network(sandbox.record.id, event)
    assert one.denials == []
    assert len(audit.records) == 2


def test_that_branches_are_shown_elsewhere_is_noted_once() -> None:
    sandbox, one = living(), live_run(1)
    journal = Journal(MemoryAudit())
    journal.watch(sandbox)
    sandbox.runs[one.record.id] = one
    event = replace(denied("git.example", 443), allowed=True, code="", reason=SHOWN)
    for _ in range(3):
        journal.network(sandbox.record.id, event)
    assert one.record.notes == [SHOWN]


def test_what_passed_with_a_warning_is_noted_once_and_within_a_bound() -> None:
    sandbox, one = living(), live_run(1)
    journal = Journal(MemoryAudit())
    journal.watch(sandbox)
    sandbox.runs[one.record.id] = one
    one.note("something else")
    event = replace(denied("npm.example", 443), allowed=True, code="")
    for number in [0, 0, *range(50)]:
        reason = f"p {number} is not in a lock file; mode: warn lets it pass"
        journal.network(sandbox.record.id, replace(event, reason=reason))
    assert one.record.notes[:2] == [
        "something else",
        "p 0 is not in a lock file; mode: warn lets it pass",
    ]
    assert len(one.record.notes) == 1 + 20 + 1
    assert one.record.notes[-1].startswith("more packages are in no lock file")
    assert one.denials == []


def test_what_registries_answered_is_summed_up_for_each_run() -> None:
    audit, sandbox, one = MemoryAudit(), living(), live_run(1)
    journal = Journal(audit)
    journal.watch(sandbox)
    sandbox.runs[one.record.id] = one
    assert one.current().cache is None
    answer = replace(
        denied("r.test", 443), phase="served", allowed=True, code="", reason="", bytes_in=10
    )
    for cache in ("hit", "hit", "miss", "stale", ""):
        journal.network(sandbox.record.id, replace(answer, cache=cache))
    assert one.current().cache == CacheUse(
        hits=2, misses=1, stale=1, saved_bytes=30, fetched_bytes=10
    )
    assert one.current().denied == []


def test_late_events_of_an_ended_sandbox_are_audited() -> None:
    audit, sandbox = MemoryAudit(), living()
    journal = Journal(audit)
    journal.watch(sandbox)
    journal.forget(sandbox)
    journal.forget(sandbox)
    journal.network(sandbox.record.id, denied("evil.test", 443))
    assert audit.records[0].sandbox_id == sandbox.record.id
    assert sandbox.events.after(0) == []


def test_what_cannot_be_audited_is_shown_to_nobody_and_raises() -> None:
    audit, sandbox, one = MemoryAudit(), living(), live_run(1)
    journal = Journal(audit)
    journal.watch(sandbox)
    sandbox.runs[one.record.id] = one
    audit.full = True
    with pytest.raises(Fault):
        journal.network(sandbox.record.id, denied("evil.test", 443))
    with pytest.raises(Fault):
        journal.lifecycle(sandbox, "execution.started", run=one.record.id)
    assert sandbox.events.after(0) == []
    assert one.denials == []
    assert not journal.works


def test_a_log_that_can_be_written_again_works_again() -> None:
    audit = MemoryAudit()
    journal = Journal(audit)
    audit.full = True
    with pytest.raises(Fault):
        journal.daemon("daemon.started")
    audit.full = False
    journal.daemon("daemon.started")
    assert journal.works
    journal.close()
    assert audit.closed


def test_a_lifecycle_event_names_its_run() -> None:
    audit, sandbox, one = MemoryAudit(), living(), live_run(1)
    journal = Journal(audit)
    sandbox.runs[one.record.id] = one
    journal.lifecycle(sandbox, "execution.started", [("a", "b")], run=one.record.id)
    journal.lifecycle(sandbox, "sandbox.ready")
    assert [each.execution_id for each in audit.records] == [one.execution.id, ""]


def test_a_violation_that_ends_the_sandbox_is_told_it_after_it_was_written() -> None:
    audit, sandbox = MemoryAudit(), living()
    journal = Journal(audit)
    journal.watch(sandbox)
    journal.network(sandbox.record.id, denied("evil.test", 443))
    assert not sandbox.violated.is_set()
    event = replace(denied("evil.test", 443), ends_sandbox=True)
    audit.full = True
    with pytest.raises(Fault):
        journal.network(sandbox.record.id, event)
    assert not sandbox.violated.is_set()
    audit.full = False
    journal.network(sandbox.record.id, event)
    assert sandbox.violated.is_set()
    assert sandbox.violation == event.reason


def test_old_files_that_cannot_go_are_said_and_stop_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    audit = MemoryAudit()
    journal = Journal(audit)
    journal.prune(Keep(1, 2.0))
    assert audit.pruned == [Keep(1, 2.0)]
    audit.full = True
    journal.prune(Keep(1, 2.0))
    assert "cannot prune the audit log: cannot write" in caplog.text
    assert journal.works
