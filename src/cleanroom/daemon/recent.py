"""Runs that have finished, for clients that attach or read late; bounded, newest kept.

In: finished LiveRuns. Out: the same, output and notices included, for a while. Never: more than
`most_bytes` of output, or a short command's output lost because it ended before its client came.
"""

from collections import OrderedDict
from typing import Final

from cleanroom.daemon.sandbox import LiveRun

MOST: Final = 256  # runs


class RecentRuns:
    """The newest finished runs."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._kept: OrderedDict[str, LiveRun] = OrderedDict()
        self._bytes = 0

    def keep(self, run: LiveRun) -> None:
        """Keep this one, and drop the oldest beyond the bounds. Idempotent."""
        if run.execution.id in self._kept:
            return
        self._kept[run.execution.id] = run
        self._bytes += _size(run)
        while len(self._kept) > MOST or self._bytes > self._most_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= _size(oldest)

    def forget(self, execution_id: str) -> None:
        """Drop this one. Idempotent."""
        run = self._kept.pop(execution_id, None)
        if run is not None:
            self._bytes -= _size(run)

    def get(self, execution_id: str) -> LiveRun | None:
        """Return the run of this execution, None if it is no longer kept."""
        return self._kept.get(execution_id)


def _size(run: LiveRun) -> int:
    return run.live.output.kept_bytes if run.live is not None else 0
