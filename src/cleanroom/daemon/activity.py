"""Whether anything goes on: what the idle exit waits for.

In: requests that begin and end. Out: since when there was none. Never: a daemon that ends while a
sandbox lives; main.py asks for those too.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from cleanroom.daemon.clock import Clock


class Activity:
    """Counts the requests in flight."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._busy = 0
        self._last = clock.monotonic()

    @contextmanager
    def busy(self) -> Iterator[None]:
        """A request is being served."""
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1
            self._last = self._clock.monotonic()

    def touch(self) -> None:
        """Something that is no request went on until now."""
        self._last = self._clock.monotonic()

    @property
    def idle_s(self) -> float:
        """For how many seconds nothing went on; 0 while something does."""
        return 0.0 if self._busy else self._clock.monotonic() - self._last
