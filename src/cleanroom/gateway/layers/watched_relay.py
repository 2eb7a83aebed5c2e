"""A plain connection that is relayed, in sight: no placeholder of a secret passes whole.

In: events of gateway/wire.py after the connection was allowed and dialled. Out: commands. Never: a
byte held back; what was sent of a placeholder before its last byte came is worth nothing.
"""

from collections.abc import Sequence

from cleanroom.decide.secret import Keyring, Spot, Use, decide_use, violation
from cleanroom.events import Protocol
from cleanroom.gateway.layers.carriers import Lookout
from cleanroom.gateway.layers.report import verdict_event
from cleanroom.gateway.wire import (
    Abort,
    Command,
    DataReceived,
    End,
    Ended,
    Event,
    Finish,
    Report,
    Send,
    Side,
    Target,
)


class WatchedRelay:
    """Implements Layer. The upstream is connected."""

    def __init__(self, target: Target, keyring: Keyring) -> None:
        self._target = target
        self._lookout = Lookout(keyring.found)
        self._ended: set[Side] = set()

    def handle(self, event: Event) -> Sequence[Command]:
        """Implement Layer."""
        match event:
            case DataReceived(side=Side.SANDBOX, data=data):
                return self._judge(data)
            case DataReceived(data=data):
                return [Send(Side.SANDBOX, data)]
            case Ended(side=side):
                self._ended.add(side)
                return [Finish()] if len(self._ended) == 2 else [End(side.other)]
            case _:
                return []

    def _judge(self, data: bytes) -> Sequence[Command]:
        ref = self._lookout.look(data)
        if ref is None:
            return [Send(Side.UPSTREAM, data)]
        use = Use(Spot.PLAIN, self._target.name, self._target.port, verified=False)
        deny = decide_use(ref, use) or violation(ref, f"in {Spot.PLAIN}")
        return [Report(verdict_event(self._target, Protocol.TCP, deny)), Abort()]
