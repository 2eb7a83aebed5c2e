"""What a source hands over for one connection, until the connection's layer takes it.

In: calls of a Source. Out: events, one at a time. Never: much more held than one buffer; what the
sandbox does not take makes the source pause.
"""

from collections import deque
from collections.abc import Callable

from cleanroom.decide.model import Deny
from cleanroom.gateway.endpoint import BUFFER_BYTES
from cleanroom.gateway.source import Answer, Fetching, Served
from cleanroom.gateway.wire import Begun, Fetched, FetchEnded, FetchEvent, FetchFailed


class Intake:
    """Implements Taker; `changed` is called when there is something to take."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.fetching: Fetching | None = None
        self._changed = changed
        self._events: deque[FetchEvent] = deque()
        self._held_bytes = 0
        self._is_paused = False

    def next(self, pending_bytes: int) -> FetchEvent | None:
        """Return the next event; none while `pending_bytes` of the last ones are not sent."""
        if pending_bytes >= BUFFER_BYTES or not self._events:
            return None
        event = self._events.popleft()
        if isinstance(event, Fetched):
            self._held_bytes -= len(event.data)
        if self._is_paused and self._held_bytes < BUFFER_BYTES and self.fetching is not None:
            self._is_paused = False
            self.fetching.resume()
        return event

    def cancel(self) -> None:
        """Want no more of it. Idempotent."""
        self._changed = _nothing
        if self.fetching is not None:
            self.fetching.cancel()

    def begun(self, answer: Answer) -> None:
        """Implement Taker."""
        self._put(Begun(answer))

    def more(self, data: bytes) -> None:
        """Implement Taker."""
        self._held_bytes += len(data)
        if self._held_bytes >= BUFFER_BYTES and not self._is_paused and self.fetching is not None:
            self._is_paused = True
            self.fetching.pause()
        self._put(Fetched(data))

    def ended(self, served: Served) -> None:
        """Implement Taker."""
        self._put(FetchEnded(served))

    def failed(self, deny: Deny) -> None:
        """Implement Taker."""
        self._put(FetchFailed(deny))

    def _put(self, event: FetchEvent) -> None:
        self._events.append(event)
        self._changed()


def _nothing() -> None:
    """Nobody takes it any more."""
