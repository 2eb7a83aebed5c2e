"""Time as an argument: what the daemon asks instead of the machine's clock.

In: nothing. Out: Clock and the machine's own. Never: a wall clock for deadlines; a TTL or a
timeout follows the monotonic clock, whatever somebody does to the date.
"""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Two clocks and a way to wait."""

    def monotonic(self) -> float:
        """Return seconds of a clock that only goes forward."""
        ...

    def now(self) -> datetime:
        """Return the date and time in UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after this many monotonic seconds."""
        ...


class SystemClock:
    """The machine's clocks."""

    def monotonic(self) -> float:
        """Return CLOCK_MONOTONIC in seconds."""
        return time.monotonic()

    def now(self) -> datetime:
        """Return the date and time in UTC."""
        return datetime.fromtimestamp(time.time_ns() / 1e9, tz=UTC)

    async def sleep(self, seconds: float) -> None:
        """Return after this many seconds of the event loop, which is CLOCK_MONOTONIC."""
        await asyncio.sleep(seconds)


def timestamp(moment: datetime) -> str:
    """Return an RFC 3339 time with milliseconds, in UTC."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def milliseconds(seconds: float) -> float:
    """Return a duration as the API gives it."""
    return round(seconds * 1000, 3)
