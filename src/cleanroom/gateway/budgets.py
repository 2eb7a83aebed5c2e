"""What one sandbox may cost the gateway: rates, counts, and how often it may repeat a refusal.

In: amounts, and the time in seconds from whoever has a clock. Out: may it, and what to write.
Never: a clock, or an unbounded table.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from cleanroom.events import NetworkEvent


@dataclass(frozen=True, slots=True)
class Allowances:
    """Per sandbox. Rates are a second; bursts are what may be spent at once after a pause."""

    connections: int = 512  # open at a time
    connections_rate: float = 5000.0
    connections_burst: float = 5000.0
    queries_rate: float = 1000.0
    queries_burst: float = 2000.0
    head_bytes: int = 8 * 1024 * 1024  # of all requests that are not allowed yet
    unwritten_reports: int = 2048


class TokenBucket:
    """Spends up to `burst` at once and `rate` a second in the long run."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = 0.0

    def take(self, now: float) -> bool:
        """Spend one, if there is one."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def wait_s(self) -> float:
        """Return the seconds until the next one, as of the last `take`."""
        return max(0.0, (1.0 - self._tokens) / self._rate)


_Key = tuple[str, bool, str, str, str, int, str, str]


@dataclass(slots=True)
class _Seen:
    until: float
    shown: int
    folded: NetworkEvent | None


class Folder:
    """Lets the first few equal events through and folds the rest into one, which says how
    many it stands for besides itself.

    A window lasts `window_s`; in it the first `shown` equal events pass. With `kinds` different
    ones in a window, whatever else comes is one kind, without its name, address, port, artifact.
    """

    def __init__(self, window_s: float = 5.0, shown: int = 5, kinds: int = 256) -> None:
        self._window_s = window_s
        self._shown = shown
        self._kinds = kinds
        self._seen: dict[_Key, _Seen] = {}

    def offer(self, event: NetworkEvent, now: float) -> NetworkEvent | None:
        """Return the event if it is to be written now, None if it was folded."""
        seen = self._seen.get(_key(event))
        if seen is None and len(self._seen) >= self._kinds:
            event = replace(event, name="", address="", port=0, artifact="", rule="", rule_line=0)
            seen = self._seen.get(_key(event))
        if seen is None:
            self._seen[_key(event)] = _Seen(now + self._window_s, 1, None)
            return event
        if seen.shown < self._shown:
            seen.shown += 1
            return event
        more = seen.folded.repeated + 1 if seen.folded else 0
        seen.folded = replace(event, repeated=more)
        return None

    def due(self, now: float) -> list[NetworkEvent]:
        """Return what was folded in windows that are over."""
        return self._close(key for key, seen in self._seen.items() if seen.until <= now)

    def flush(self) -> list[NetworkEvent]:
        """Return everything that was folded; every window ends."""
        return self._close(self._seen)

    @property
    def is_empty(self) -> bool:
        """Whether no window is open."""
        return not self._seen

    def _close(self, keys: Iterable[_Key]) -> list[NetworkEvent]:
        ended = [self._seen.pop(key) for key in list(keys)]
        return [seen.folded for seen in ended if seen.folded is not None]


def _key(event: NetworkEvent) -> _Key:
    asked = (event.protocol, event.name, event.address, event.port)
    return event.phase, event.allowed, *asked, event.code, event.artifact


SWEEP_S: Final = 1.0  # how often `due` is asked
