"""A living sandbox in memory: states, runs, refusals."""

from pathlib import Path

import pytest

from cleanroom.api.streams import DeniedLine, NoteLine
from cleanroom.api.types import ClientFacts, RunOptions
from cleanroom.daemon.backends import Place
from cleanroom.daemon.events import EventLog
from cleanroom.daemon.sandbox import Creation, LiveRun, LiveSandbox
from cleanroom.errors import Fault, Refused
from cleanroom.policy.compile import compile_nothing
from tests.daemon.test_store import execution, run, sandbox
from tests.fake_process import denied
from tests.fakes import FakeBackend, FakeClock


def living(state: str = "ready") -> LiveSandbox:
    """A sandbox in this state."""
    place = Place("local", FakeBackend(), frozenset(), [])
    policy, options = compile_nothing(), RunOptions()
    creation = Creation("/w", policy, place, options, ClientFacts(), "uid:1", ephemeral=False)
    return LiveSandbox(sandbox(1, state=state), creation, Path("/f"), EventLog(FakeClock()))


def running(*, foreground: bool = True) -> LiveRun:
    """A run."""
    return LiveRun(run(1), execution(1), None, foreground=foreground)


def test_only_steps_of_the_lifecycle_are_taken() -> None:
    live = living()
    live.become("stopping")
    assert live.record.state == "stopping"
    with pytest.raises(Refused):
        live.become("ready")


def test_what_was_not_started_cannot_be_used() -> None:
    with pytest.raises(Fault):
        living().parts()
    with pytest.raises(Fault):
        running().started()


def test_a_run_is_found_by_its_execution() -> None:
    live, one = living(), running()
    live.runs[one.record.id] = one
    assert live.run_of(one.execution.id) is one
    assert live.run_of("exe_other") is None


def test_equal_refusals_are_counted_and_told_once() -> None:
    one = running()
    for port in (443, 443, 80):
        one.denied(denied("evil.test", port))
    assert [each.count for each in one.denials] == [2, 1]
    told = one.notices.since(0)
    assert [type(each) for each in told] == [DeniedLine, DeniedLine]
    assert [each.port for each in one.take_fresh_denials()] == [443, 80]
    assert one.take_fresh_denials() == []
    assert one.current().denied == one.denials


def test_the_kinds_of_refusals_are_bounded() -> None:
    one = running()
    for port in range(5000):
        one.denied(denied("evil.test", port))
    assert len(one.denials) == 1000


def test_a_note_is_told_and_recorded() -> None:
    one = running()
    one.note("mind the gap")
    assert one.record.notes == ["mind the gap"]
    assert one.notices.since(0) == [NoteLine(text="mind the gap")]


def test_the_first_client_of_a_foreground_run_owns_it() -> None:
    one = running()
    assert one.take_ownership()
    assert not one.take_ownership()
    assert not running(foreground=False).take_ownership()
