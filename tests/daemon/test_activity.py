"""Idleness begins when the last request ended; who retires takes nothing up."""

import asyncio

import pytest

from cleanroom.daemon.activity import Activity
from cleanroom.errors import Code, Refused
from tests.fakes import FakeClock


def test_a_request_in_flight_is_never_idle() -> None:
    async def conversation() -> None:
        clock = FakeClock()
        activity = Activity(clock, asyncio.Event(), on_demand=False)
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


def test_one_retires_only_alone_and_then_serves_nobody() -> None:
    stop = asyncio.Event()
    activity = Activity(FakeClock(), stop, on_demand=True)
    with activity.busy():
        with pytest.raises(Refused, match="2 sandboxes, 0 requests") as caught:
            activity.retire(2)
        assert caught.value.code is Code.CONFLICT
        with activity.busy(), pytest.raises(Refused, match="0 sandboxes, 1 requests"):
            activity.retire(0)
        assert not stop.is_set()
        activity.retire(0)
    assert stop.is_set()
    with pytest.raises(Refused, match="being replaced") as caught, activity.busy():
        pass
    assert caught.value.code is Code.CONFLICT


def test_what_a_person_started_does_not_retire() -> None:
    stop = asyncio.Event()
    activity = Activity(FakeClock(), stop, on_demand=False)
    with activity.busy(), pytest.raises(Refused, match="not started by a command"):
        activity.retire(0)
    assert not stop.is_set()
