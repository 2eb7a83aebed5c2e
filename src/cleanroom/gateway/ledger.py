"""Reports on their way to the audit, and who waits for them to be written.

In: events of sandboxes, acknowledgements of the daemon. Out: batches to send, calls to whoever
waited. Never: a call before the daemon said that the line is written.
"""

from collections import Counter, deque
from collections.abc import Callable

from cleanroom.events import NetworkEvent
from cleanroom.gateway.control import Report, Reports


class Ledger:
    """Numbers reports and keeps count of the unwritten ones of each sandbox."""

    def __init__(self) -> None:
        self._sequence = 0
        self._unsent: list[Report] = []
        self._unwritten: deque[tuple[int, str, Callable[[], None]]] = deque()
        self._counts: Counter[str] = Counter()

    def add(self, sandbox_id: str, event: NetworkEvent, written: Callable[[], None]) -> None:
        """Put one event at the end; `written` is called by `acknowledge`."""
        self._sequence += 1
        self._unsent.append(Report(self._sequence, sandbox_id, event))
        self._unwritten.append((self._sequence, sandbox_id, written))
        self._counts[sandbox_id] += 1

    def take(self) -> Reports | None:
        """Return what was added since the last call, to be sent in this order."""
        if not self._unsent:
            return None
        batch, self._unsent = Reports(tuple(self._unsent)), []
        return batch

    def acknowledge(self, sequence: int) -> None:
        """All up to `sequence` are written: call whoever waited."""
        while self._unwritten and self._unwritten[0][0] <= sequence:
            _, sandbox_id, written = self._unwritten.popleft()
            self._counts[sandbox_id] -= 1
            if not self._counts[sandbox_id]:
                del self._counts[sandbox_id]
            written()

    def unwritten(self, sandbox_id: str) -> int:
        """Return how many reports of this sandbox are not acknowledged."""
        return self._counts[sandbox_id]
