"""The host user of each sandbox.

In: who the daemon is. Out: for a root daemon, a user of the sandbox's own, from a range that no
account and no subordinate range uses; for an ordinary user, themselves. Never: host uid 0.
"""

import os
import pwd
import secrets
from pathlib import Path
from typing import Final

from cleanroom.backends.namespaces.plan import Ids

FIRST: Final = 0x70000000
COUNT: Final = 0x00100000


class HostIds:
    """Gives out ids. A root daemon's are unique among its live sandboxes."""

    def __init__(self, me: Ids) -> None:
        self.rootless: Final = me.uid != 0
        self._me: Final = me
        self._live: set[int] = set()
        # Two root daemons on one host start at different places.
        self._next = secrets.randbelow(COUNT)

    @classmethod
    def of_this_process(cls) -> "HostIds":
        """For the user this process runs as."""
        return cls(Ids(os.geteuid(), os.getegid()))

    def take(self, uppers: tuple[Path, ...]) -> Ids:
        """Return ids for a sandbox; one that wrote to `uppers` before keeps the ids it had."""
        if self.rootless:
            return self._me
        for upper in uppers:
            owner = upper.stat().st_uid
            if FIRST <= owner < FIRST + COUNT and owner not in self._live:
                return self._use(owner)
        while True:
            uid = FIRST + self._next
            self._next = (self._next + 1) % COUNT
            if uid not in self._live and not _known(uid):
                return self._use(uid)

    def example(self) -> Ids:
        """Return what `take` would give first, without taking it."""
        return self._me if self.rootless else Ids(FIRST + self._next, FIRST + self._next)

    def release(self, ids: Ids) -> None:
        """The sandbox has ended."""
        self._live.discard(ids.uid)

    def _use(self, uid: int) -> Ids:
        self._live.add(uid)
        return Ids(uid, uid)


def _known(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return _subordinate(uid)
    return True


def _subordinate(uid: int, table: Path = Path("/etc/subuid")) -> bool:
    """Whether somebody's containers may use the id (subuid(5): name:first:count)."""
    try:
        lines = table.read_text().splitlines()
    except OSError:
        return False
    for line in lines:
        fields = line.split(":")
        if len(fields) == 3 and fields[1].isdecimal() and fields[2].isdecimal():
            first, count = int(fields[1]), int(fields[2])
            if first <= uid < first + count:
                return True
    return False
