"""A run's times have the mission's names, always all of them."""

import asyncio

from cleanroom.backends.base import StartTimings
from cleanroom.daemon.stopwatch import NAMES, Stopwatch
from tests.fakes import FakeClock


def test_laps_follow_each_other_and_the_total_is_all() -> None:
    async def conversation() -> None:
        clock = FakeClock()
        watch = Stopwatch(clock)
        await clock.advance(0.25)
        watch.lap("policy_resolution_ms")
        await clock.advance(0.5)
        watch.mark()
        await clock.advance(1)
        watch.lap("command_ms")
        watch.since_begin("first_output_ms")
        timings = watch.timings()
        assert timings["policy_resolution_ms"] == 250
        assert timings["command_ms"] == 1000
        assert timings["first_output_ms"] == timings["total_ms"] == 1750

    asyncio.run(conversation())


def test_a_step_that_a_backend_does_not_have_is_null() -> None:
    watch = Stopwatch(FakeClock())
    watch.add(StartTimings(network_ms=1.23456, workspace_ms=2), workspace_ms=3)
    timings = watch.timings()
    assert tuple(timings) == NAMES
    assert timings["network_setup_ms"] == 1.235
    assert timings["workspace_ms"] == 5
    assert timings["rootfs_ms"] is None
    watch.add(StartTimings(), workspace_ms=None)
    assert watch.timings()["workspace_ms"] is None
