"""The machine's clocks, and how times are written."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone

from cleanroom.daemon.clock import SystemClock, milliseconds, timestamp


def test_times_are_rfc_3339_in_utc() -> None:
    summer = datetime(2026, 7, 1, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    assert timestamp(summer) == "2026-07-01T10:00:00.123Z"


def test_durations_are_milliseconds() -> None:
    assert milliseconds(0.0123456) == 12.346


def test_the_monotonic_clock_goes_forward_and_the_date_is_today() -> None:
    clock = SystemClock()
    before = clock.monotonic()
    asyncio.run(clock.sleep(0.001))
    assert clock.monotonic() > before
    assert clock.now().tzinfo is UTC
    assert clock.now().year >= 2025
