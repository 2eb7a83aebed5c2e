"""Idleness begins when the last request ended."""

import asyncio

from cleanroom.daemon.activity import Activity
from tests.fakes import FakeClock


def test_a_request_in_flight_is_never_idle() -> None:
    async def conversation() -> None:
        clock = FakeClock()
        activity = Activity(clock)
        await clock.advance(5)
        assert activity.idle_s == 5
        with activity.busy():
            await clock.advance(100)
            assert activity.idle_s == 0
        await clock.advance(3)
        assert activity.idle_s == 3
        activity.touch()
        assert activity.idle_s == 0

    asyncio.run(conversation())
