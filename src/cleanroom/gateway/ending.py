"""A Taker that lets an errand end before the end is told.

In: what a delivery says. Out: the same calls, and the errand's own end. Never: an end told while
the errand still holds what it held.
"""

from typing import Protocol

from cleanroom.decide.model import Deny
from cleanroom.gateway.source import Served, Taker


class Ends(Protocol):
    """An errand, as far as its end goes."""

    def told(self, served: Served) -> Served:
        """Return what was served with where it was fetched, if it was."""
        ...

    def over(self) -> None:
        """Take note that the delivery has ended, one way or the other."""
        ...


class Ending:
    """Implements Taker."""

    def __init__(self, errand: Ends, taker: Taker) -> None:
        self._errand = errand
        self.begun = taker.begun
        self.more = taker.more
        self._taker = taker

    def ended(self, served: Served) -> None:
        """Implement Taker."""
        told = self._errand.told(served)
        self._errand.over()
        self._taker.ended(told)

    def failed(self, deny: Deny) -> None:
        """Implement Taker."""
        self._errand.over()
        self._taker.failed(deny)
