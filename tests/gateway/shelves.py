"""A real store behind a real socket, and a reactor that is turned until something is true."""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cleanroom.cache.model import Fields, Key
from cleanroom.cache.store import Store
from cleanroom.daemon.cache_link import CacheLink
from cleanroom.gateway.reactor import Reactor
from cleanroom.gateway.shelf import Shelf

PATIENCE_S = 25.0


class Clock:
    """Seconds since 1970 that a test moves."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Turned(Reactor):
    """A reactor whose times a test moves along with the clock."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._began = clock.now

    def now(self) -> float:
        return super().now() + self._clock.now - self._began

    def wall_s(self) -> float:
        return super().wall_s() + self._clock.now - self._began


class Room:
    """A store, its link, and the gateway's end of it."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.store = Store.open(folder, 10**9, self.clock)
        self.link = CacheLink(lambda: self.store)
        self.reactor: Reactor = Turned(self.clock)
        self.shelf = Shelf(self.reactor, self.link.theirs.dup())
        self.link.start()

    def turn_until(self, done: Callable[[], object]) -> None:
        """Turn the reactor until `done`; fail after a long time."""
        deadline = time.monotonic() + PATIENCE_S
        while not done():
            assert time.monotonic() < deadline, "it did not happen"
            self.reactor.turn(0.05)

    def put(self, host: str, path: str, data: bytes, form: str = "", etag: str = "") -> str:
        """Put something into the store beforehand."""
        spool = self.store.spool()
        os.write(spool, data)
        self.store.keep(Key(host, path, form), spool, Fields("text/x", etag), ())
        os.close(spool)
        return hashlib.sha256(data).hexdigest()

    def close(self) -> None:
        """End both ends."""
        self.shelf.close()
        self.link.close()
        self.store.close()
        self.reactor.close()


@contextmanager
def room(folder: Path) -> Iterator[Room]:
    """Make all of it."""
    made = Room(folder)
    try:
        yield made
    finally:
        made.close()
