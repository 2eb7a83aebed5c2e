"""Which connections of a door do not go on when its policy is narrowed, a part of them in a turn.

In: what they were judged by and what they are judged by from now on. Out: the verdict of now on one
that must be cut. Never: a turn that grows with connections times rules, of which a workload and its
repository make as many as they may.
"""

from collections.abc import Callable, Iterable
from functools import cache, partial
from itertools import islice
from typing import Final, TypeVar

from cleanroom.decide.model import Verdict
from cleanroom.decide.registries import Judged
from cleanroom.decide.tcp import decide_connection, is_judged_alike
from cleanroom.gateway.layers.dns import DNS_PORT
from cleanroom.gateway.reactor import Reactor
from cleanroom.gateway.wire import Target

T = TypeVar("T")

_AT_ONCE: Final = 32  # comparisons: with a thousand rules, one takes 0.3 ms


class Narrowing:
    """From one policy to a narrower one."""

    def __init__(self, old: Judged, new: Judged) -> None:
        self._old, self._new = old, new
        self._is_alike = cache(partial(is_judged_alike, old.policy, new.policy))

    def judge(self, target: Target) -> Verdict | None:
        """Return what is said now of a connection that is judged otherwise; None: it goes on."""
        place = target.name, target.address, target.port
        if target.port == DNS_PORT:
            return None
        is_pinned_alike = self._old.pins(target.name) == self._new.pins(target.name)
        if is_pinned_alike and self._is_alike(*place):
            return None
        return decide_connection(self._new.policy, *place)


def in_parts(
    reactor: Reactor, things: Iterable[T], look: Callable[[T], None], done: Callable[[], None]
) -> None:
    """Look at each thing, at some of them in this turn and at others in the next; then `done`."""
    rest = iter(things)

    def go_on() -> None:
        part = list(islice(rest, _AT_ONCE))
        for each in part:
            look(each)
        if part:
            reactor.soon(go_on)
        else:
            done()

    go_on()
