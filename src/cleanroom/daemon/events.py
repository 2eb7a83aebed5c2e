"""What happened to one sandbox, for those who watch it: kept within a bound, numbered.

In: events as they happen. Out: lines from any number on, then the end. Never: a slow watcher
holding up the sandbox, or a number given twice.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine
from typing import Any, Final

from cleanroom.api.streams import EventLine, NetworkLine
from cleanroom.daemon.clock import Clock, timestamp
from cleanroom.events import Event, LifecycleEvent

_KEPT: Final = 2000


class EventLog:
    """The newest events of one sandbox, oldest first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lines: deque[EventLine | NetworkLine] = deque(maxlen=_KEPT)
        self._sequence = 0
        self._ended = False
        self._changed = asyncio.Event()

    @property
    def ended(self) -> bool:
        """Whether the sandbox has ended: nothing more will happen."""
        return self._ended

    def add(self, event: Event) -> EventLine | NetworkLine:
        """Add what just happened and wake those who follow."""
        self._sequence += 1
        line = line_of(event, self._sequence, timestamp(self._clock.now()))
        self._lines.append(line)
        self._wake()
        return line

    def end(self) -> None:
        """Nothing more will happen. Idempotent."""
        self._ended = True
        self._wake()

    def after(self, sequence: int) -> list[EventLine | NetworkLine]:
        """Return the kept lines with a greater number."""
        return [line for line in self._lines if line.sequence > sequence]

    def changed(self) -> Coroutine[Any, Any, object]:
        """Return something to wait for: that something happens after this call.

        Not `async`: a task made of it runs later, and what happens until then must count.
        """
        return self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def line_of(event: Event, sequence: int, time: str) -> EventLine | NetworkLine:
    """Return an event as a line of a stream."""
    if isinstance(event, LifecycleEvent):
        return EventLine(time=time, sequence=sequence, kind=event.kind, detail=dict(event.detail))
    return NetworkLine(
        time=time,
        sequence=sequence,
        phase=event.phase,
        allowed=event.allowed,
        protocol=event.protocol,
        name=event.name,
        address=event.address,
        port=event.port,
        code=event.code,
        reason=event.reason,
        rule=event.rule,
        rule_line=event.rule_line,
        bytes_in=event.bytes_in,
        bytes_out=event.bytes_out,
        repeated=event.repeated,
        artifact=event.artifact,
        strength=event.strength,
        pin=event.pin,
        cache=event.cache,
        digest=event.digest,
    )
