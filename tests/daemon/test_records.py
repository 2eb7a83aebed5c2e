"""Records of runs are made and ended without a clock or a guess."""

from datetime import UTC, datetime

import pytest

from cleanroom.api.types import RunOptions
from cleanroom.backends.base import Exit
from cleanroom.daemon import records
from cleanroom.daemon.executions import CANCELED, Outcome
from cleanroom.daemon.parts import Wanted
from cleanroom.daemon.sandbox import LiveRun
from cleanroom.errors import Code, Refused
from tests.daemon.test_store import execution, run, sandbox
from tests.fake_process import denied

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def made() -> LiveRun:
    """A run that began now."""
    wanted = Wanted(("echo", "x"), "", RunOptions())
    return records.new_run(NOW, sandbox(1, name="dev", project={"name": "p"}), wanted, ["a note"])


def test_a_new_run_and_its_execution_name_each_other() -> None:
    fresh = made()
    assert fresh.record.execution_id == fresh.execution.id
    assert fresh.execution.run_id == fresh.record.id
    assert fresh.record.sandbox_id == fresh.execution.sandbox_id == sandbox(1).id
    assert (fresh.record.notes, fresh.record.project) == (["a note"], {"name": "p"})
    assert fresh.foreground
    assert fresh.sandbox_name == "dev"


def test_the_end_is_the_same_in_both() -> None:
    ended = made()
    ended.denied(denied("evil.test", 443))
    ended.denied(denied("good.test", 443, Code.HANDSHAKE_FAILED))  # by its client
    records.ended(ended, NOW, Outcome("canceled", Exit(None, 15), CANCELED.failure))
    assert (ended.record.exit_code, ended.execution.exit_code) == (143, 143)
    assert ended.execution.signal == 15
    assert ended.record.failure == ended.execution.failure == CANCELED.failure
    assert len(ended.record.denied) == 2
    assert ("denied", "1") in records.end_details(ended)
    assert ("code", "canceled") in records.end_details(ended)


def test_an_end_nobody_knows_has_no_exit_code() -> None:
    ended = made()
    records.ended(ended, NOW, Outcome("failed", None))
    assert ended.record.exit_code is None
    assert ("exit_code", "") in records.end_details(ended)


def test_what_has_ended_does_not_end_again() -> None:
    ended = made()
    records.ended(ended, NOW, Outcome("succeeded", Exit(0)))
    with pytest.raises(Refused):
        records.ended(ended, NOW, Outcome("failed", Exit(1)))


def test_what_a_killed_daemon_ran_is_unknown() -> None:
    assert records.lost_run(run(1), NOW).failure == records.LOST
    assert records.lost_execution(execution(1), NOW).failure == records.LOST


def test_the_audit_has_the_words_of_the_command_within_a_bound() -> None:
    wanted = Wanted(("echo", "\n\x1b" * 5000), "", RunOptions())
    long = records.new_run(NOW, sandbox(1), wanted, [])
    ((name, words),) = records.start_details(long)
    assert name == "command"
    assert len(words) <= 2000
    assert "\x1b" not in words
