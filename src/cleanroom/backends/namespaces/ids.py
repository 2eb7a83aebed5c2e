"""The host user of each sandbox.

In: who the daemon is. Out: for a root daemon, a user of the sandbox's own, from a range that no
account and no subordinate range uses; for an ordinary user, themselves. Never: host uid 0.
"""

import os
import pwd
import secrets
from pathlib import Path
from typing import Final

from cleanroom.backends.launcher import LaunchError
from cleanroom.backends.namespaces.plan import Ids

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_DEEPEST: Final = 1000
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


def give(folder: Path, ids: Ids) -> None:
    """Make a layer the sandbox's own, with all that the user of an earlier sandbox left in it.

    Before the sandbox starts: nobody else writes to it. One name at a time, never through a link.
    """
    before = folder.stat().st_uid
    os.chown(folder, ids.uid, ids.gid)
    if before not in (ids.uid, os.geteuid()):
        give_entries(folder, ids)


def give_entries(folder: Path, ids: Ids) -> None:
    """Give all that is in it. Raises LaunchError if it has no end."""
    top = os.open(folder, _FOLDER)
    try:
        waiting = [""]
        while waiting:
            waiting += _entries_given(top, waiting.pop(), ids)
    finally:
        os.close(top)


def _entries_given(top: int, path: str, ids: Ids) -> list[str]:
    """Give what is in one folder; the folders among it, for later. Raises LaunchError."""
    parts = path.split("/") if path else []
    if len(parts) > _DEEPEST:
        raise LaunchError(step="volume", text=f"it has more than {_DEEPEST} folders in each other")
    at = os.dup(top)
    try:
        for part in parts:
            inner = os.open(part, _FOLDER, dir_fd=at)
            os.close(at)
            at = inner
        with os.scandir(at) as entries:
            found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for name, _ in found:
            os.chown(name, ids.uid, ids.gid, dir_fd=at, follow_symlinks=False)
    finally:
        os.close(at)
    return [f"{path}/{name}" if path else name for name, is_folder in found if is_folder]


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
