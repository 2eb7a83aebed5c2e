"""A content cache with a real store, before an upstream that a test scripts."""

from cleanroom.gateway.cached import CachedSource
from cleanroom.gateway.source import Want
from tests.gateway.shelves import Room
from tests.gateway.upstreams import Taken, Upstream


class World:
    """A cache before a scripted upstream."""

    def __init__(self, made: Room) -> None:
        self.room = made
        self.upstream = Upstream(made.reactor)
        self.cache = CachedSource(made.reactor, made.shelf, self.upstream)

    def get(self, asked: Want) -> Taken:
        """Fetch and wait for the end."""
        taken = Taken()
        self.cache.fetch(asked, taken)
        self.room.turn_until(lambda: taken.is_over)
        return taken

    def settle(self) -> None:
        """Wait until the store has what was fetched."""
        self.room.turn_until(lambda: not self.cache._flights)
