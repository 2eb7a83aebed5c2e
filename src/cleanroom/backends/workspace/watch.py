"""Whether anything changed below some folders of the host (inotify(7)).

In: folders. Out: "something changed", any number of changes at once. Never: what it was: whoever
asks looks again, so a lost or merged event costs nothing.
"""

import asyncio
import ctypes
import errno
import os
from collections.abc import Iterable
from typing import Final

_FLAGS: Final = os.O_NONBLOCK | os.O_CLOEXEC  # IN_NONBLOCK | IN_CLOEXEC
# IN_MODIFY, ATTRIB, CLOSE_WRITE, MOVED_FROM, MOVED_TO, CREATE, DELETE; ONLYDIR, DONT_FOLLOW
_MASK: Final = 0x2 | 0x4 | 0x8 | 0x40 | 0x80 | 0x100 | 0x200 | 0x01000000 | 0x02000000
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


class Watch:
    """From construction, in a running loop, to `close`. `complete`: no folder was refused."""

    def __init__(self) -> None:
        self._fd = _LIBC.inotify_init1(_FLAGS)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "cannot watch folders")
        self._folders: set[str] = set()
        self._changed = asyncio.Event()
        self.complete = True
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._fd, self._readable)

    def add(self, folders: Iterable[str]) -> None:
        """Watch these as well. A new one counts as a change: it may have changed already."""
        for folder in folders:
            if folder in self._folders:
                continue
            if _LIBC.inotify_add_watch(self._fd, os.fsencode(folder), _MASK) >= 0:
                self._folders.add(folder)
                self._changed.set()
            elif ctypes.get_errno() != errno.ENOENT:  # else it is gone again
                self.complete = False
                return

    def forget(self, folders: Iterable[str]) -> None:
        """These are gone: one of the same name is another one."""
        self._folders.difference_update(folders)

    async def changed(self) -> None:
        """Return once something changed since the last call."""
        await self._changed.wait()
        self._changed.clear()

    def close(self) -> None:
        """End. Idempotent."""
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _readable(self) -> None:
        try:
            while os.read(self._fd, 65536):
                self._changed.set()
        except BlockingIOError:
            pass
