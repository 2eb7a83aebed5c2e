"""Whether anything goes on: what the idle exit waits for, and a retirement.

In: requests that begin and end. Out: since when there was none. Never: a daemon that ends by itself
while a sandbox lives, or that takes up a request after it agreed to end.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from cleanroom.daemon.clock import Clock
from cleanroom.errors import Code, Refused


class Activity:
    """Counts the requests in flight. `on_demand`: a command started this daemon for itself."""

    def __init__(self, clock: Clock, stop: asyncio.Event, *, on_demand: bool) -> None:
        self.on_demand = on_demand
        self.since = clock.now()
        self._clock = clock
        self._stop = stop
        self._retired = False
        self._busy = 0
        self._last = clock.monotonic()

    @contextmanager
    def busy(self) -> Iterator[None]:
        """A request is being served. Raises Refused(conflict) after `retire`."""
        if self._retired:
            message = "cannot take this up: the daemon is being replaced"
            raise Refused(Code.CONFLICT, message, "run it again")
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1
            self._last = self._clock.monotonic()

    def retire(self, sandboxes: int) -> None:
        """End the daemon, in a request that is the only one. Raises Refused(conflict)."""
        if not self.on_demand:
            message = "cannot replace this daemon: it was not started by a command"
            raise Refused(Code.CONFLICT, message, "end it where it was started, and start it again")
        if sandboxes or self._busy > 1:
            message = f"cannot replace the daemon: {sandboxes} sandboxes, {self._busy - 1} requests"
            raise Refused(Code.CONFLICT, message, "end them: cleanroom stop --all")
        self._retired = True
        self._stop.set()

    def touch(self) -> None:
        """Something that is no request went on until now."""
        self._last = self._clock.monotonic()

    @property
    def idle_s(self) -> float:
        """For how many seconds nothing went on; 0 while something does."""
        return 0.0 if self._busy else self._clock.monotonic() - self._last
