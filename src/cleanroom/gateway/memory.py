"""What this process knows of the store's files from reading them: small ones whole, of large ones
that they are right.

In: files of the store whose bytes were hashed and right. Out: the same, for a while. Never: more
than its bounds; bytes of another place; a judgement of who may have them.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from cleanroom.gateway.reactor import Reactor
from cleanroom.gateway.shelf import Place
from cleanroom.gateway.spool import Body, Stamp
from cleanroom.gateway.store_wire import Found, Stored

SMALL: Final = 256 * 1024  # bytes of a body that is held
MOST_BYTES: Final = 32 * 1024 * 1024  # of all of them
# Then the store is asked again: for what another daemon removed, and for its order of use, which it
# writes down no more often (cache/index.py).
HOLD_S: Final = 600.0
PROVEN_S: Final = 600.0  # then a file is hashed again, since disks rot
_MOST_PROVEN: Final = 20_000
# SECURITY: a file that was changed this short before it was hashed may be changed again without
# another time (kernels count in steps).
_SETTLED_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Held:
    """A small body, and what the store said of it at `since_s` (monotonic)."""

    found: Found
    stored: Stored
    data: bytes
    since_s: float


class Memory:
    """Of one gateway process. Bodies go by their place: a digest finds nothing here either."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self._held: OrderedDict[Place, Held] = OrderedDict()
        self._bytes = 0
        self._cleared_s = -1.0
        self._proven: OrderedDict[Stamp, tuple[str, float]] = OrderedDict()

    # --- small bodies ---------------------------------------------------------------------

    def find(self, place: Place) -> Held | None:
        """Return what is held of a place, if the store was asked not long ago."""
        held = self._held.get(place)
        if held is None:
            return None
        if self._reactor.now() - held.since_s >= HOLD_S:
            self.forget(place)
            return None
        self._held.move_to_end(place)
        return held

    def hold(self, place: Place, held: Held) -> None:
        """Hold a body that was hashed just now, unless it is large; the longest unused go."""
        if len(held.data) > SMALL or held.since_s <= self._cleared_s:
            return
        self.forget(place)
        self._held[place] = held
        self._bytes += _cost(held)
        while self._bytes > MOST_BYTES:
            self.forget(next(iter(self._held)))

    def forget(self, place: Place) -> None:
        """Hold nothing of a place. Idempotent."""
        held = self._held.pop(place, None)
        if held is not None:
            self._bytes -= _cost(held)

    def clear(self) -> None:
        """Know nothing any more, nor what the store said until now."""
        self._cleared_s = self._reactor.now()
        self._held.clear()
        self._bytes = 0
        self._proven.clear()

    # --- files ----------------------------------------------------------------------------

    def is_proven(self, body: Body) -> bool:
        """Tell whether this very file was hashed, found right and not changed since."""
        if body.size <= SMALL:
            return False
        known = self._proven.get(body.stamp())
        return known is not None and known[0] == body.sha256 and self._reactor.now() < known[1]

    def prove(self, body: Body, stamp: Stamp) -> None:
        """Remember that a file is right that looked like `stamp` before it was hashed."""
        is_settled = self._reactor.wall_s() - stamp.changed_ns / 1e9 > _SETTLED_S
        if body.size > SMALL and is_settled and body.stamp() == stamp:
            self._proven[stamp] = (body.sha256, self._reactor.now() + PROVEN_S)
            if len(self._proven) > _MOST_PROVEN:
                self._proven.popitem(last=False)


def _cost(held: Held) -> int:
    return len(held.data) + 1024  # and what lies around it
