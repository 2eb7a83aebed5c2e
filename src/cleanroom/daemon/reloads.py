"""Which policy a workspace was last held to, for runs that began before it was.

In: a workspace, the hash of a policy. Out: whether a run is of now. Never: more rows than so many:
where one had to go, a run that began before it is refused.
"""

from collections import OrderedDict
from typing import Final, NamedTuple

_MOST: Final = 1000


class _Last(NamedTuple):
    number: int
    policy_hash: str


class Reloads:
    """All reloads of a daemon, numbered."""

    def __init__(self) -> None:
        self._rows: OrderedDict[str, _Last] = OrderedDict()  # by workspace, the oldest first
        self._forgotten = 0  # the number of the last one without a row
        self.count = 0  # a run keeps it from its beginning

    def add(self, workspace: str, policy_hash: str) -> None:
        """Make no more sandboxes there for runs that came before, but under this policy."""
        self.count += 1
        self._rows[workspace] = _Last(self.count, policy_hash)
        self._rows.move_to_end(workspace)
        while len(self._rows) > _MOST:
            self._forgotten = self._rows.popitem(last=False)[1].number

    def is_current(self, began: int, workspace: str, policy_hash: str) -> bool:
        """Tell whether a run that began at a count may still make a sandbox under this policy."""
        last = self._rows.get(workspace)
        if last is None:
            return began >= self._forgotten
        return began >= last.number or policy_hash == last.policy_hash
