"""What a person who waits for a run is told at once: refusals and notes.

In: lines as they come up. Out: the same lines to everyone attached, from the first on.
Never: unbounded memory; after the bound only the counting goes on.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

from cleanroom.api.streams import DeniedLine, NoteLine

Notice = DeniedLine | NoteLine
_KEPT: Final = 1000


class Notices:
    """The notices of one run, in order."""

    def __init__(self) -> None:
        self._lines: list[Notice] = []
        self._ended = False
        self._changed = asyncio.Event()

    @property
    def ended(self) -> bool:
        """Whether no more will come."""
        return self._ended

    def add(self, line: Notice) -> None:
        """Tell everyone attached. Beyond the bound, ignored."""
        if len(self._lines) < _KEPT:
            self._lines.append(line)
            self._wake()

    def end(self) -> None:
        """No more will come. Idempotent."""
        self._ended = True
        self._wake()

    def since(self, count: int) -> list[Notice]:
        """Return what came after the first `count` notices."""
        return self._lines[count:]

    def changed(self) -> Coroutine[Any, Any, object]:
        """Return something to wait for: that something is added after this call.

        Not `async`: a task made of it runs later, and what happens until then must count.
        """
        return self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
