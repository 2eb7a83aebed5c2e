"""Events are numbered, kept within a bound, and end."""

import asyncio

from cleanroom.api.streams import EventLine, NetworkLine
from cleanroom.daemon.events import EventLog
from cleanroom.events import LifecycleEvent
from tests.fake_process import denied
from tests.fakes import FakeClock, settle


def test_lines_are_numbered_and_read_from_any_number_on() -> None:
    events = EventLog(FakeClock())
    events.add(LifecycleEvent("sandbox.ready", (("a", "b"),)))
    events.add(denied("evil.test", 443))
    first, second = events.after(0)
    assert isinstance(first, EventLine)
    assert (first.sequence, first.kind, first.detail) == (1, "sandbox.ready", {"a": "b"})
    assert isinstance(second, NetworkLine)
    assert (second.name, second.port, second.allowed) == ("evil.test", 443, False)
    assert events.after(1) == [second]
    assert events.after(2) == []


def test_a_follower_wakes_and_the_end_is_known() -> None:
    async def conversation() -> None:
        events = EventLog(FakeClock())
        following = asyncio.get_running_loop().create_task(events.changed())
        await settle()
        events.end()
        await following
        assert events.ended

    asyncio.run(conversation())


def test_the_oldest_are_dropped() -> None:
    events = EventLog(FakeClock())
    for _ in range(3000):
        events.add(LifecycleEvent("x"))
    assert len(events.after(0)) == 2000
    assert events.after(0)[0].sequence == 1001


def test_what_happens_before_the_waiting_task_runs_wakes_it() -> None:
    async def conversation() -> None:
        events = EventLog(FakeClock())
        waiting = asyncio.get_running_loop().create_task(events.changed())
        events.add(LifecycleEvent("x"))  # the task has not run yet
        await asyncio.wait_for(waiting, 1)

    asyncio.run(conversation())
