"""Output of executions that have ended, for those who come late; bounded, newest kept.

In: finished OutputLogs. Out: the same, for a while. Never: more than `most_bytes`.
"""

from collections import OrderedDict
from typing import Final

from cleanroom.daemon.output import OutputLog

_MOST: Final = 256  # executions


class KeptOutputs:
    """The newest finished outputs."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._kept: OrderedDict[str, OutputLog] = OrderedDict()

    def keep(self, execution_id: str, output: OutputLog) -> None:
        """Keep this one, and drop the oldest beyond the bounds."""
        self._kept[execution_id] = output
        while len(self._kept) > _MOST or self._bytes() > self._most_bytes:
            self._kept.popitem(last=False)

    def get(self, execution_id: str) -> OutputLog | None:
        """Return the output, None if it is no longer kept."""
        return self._kept.get(execution_id)

    def _bytes(self) -> int:
        return sum(each.kept_bytes for each in self._kept.values())
