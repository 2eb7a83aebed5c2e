"""Every entry of a tree that a workload wrote, of any depth and mode, so that all of it is counted.

In: a folder. Out: facts of each entry below it. Never: a link followed, recursion, a path of more
than one name handed to the kernel, or a part passed over because it is deep or closed.

SECURITY: what is not counted is not limited. A folder without the right to read it can still be
written to, and a path longer than the kernel takes is still a place for files.
"""

import contextlib
import os
import stat
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PATH: Final = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEEDED: Final = 0o500  # to list a folder, and to look at what is in it
_MOST_OPEN: Final = 64  # of one way down; below, the way back up is `..`


def entries(folder: Path) -> Generator[os.stat_result, None, None]:
    """Yield the facts of everything below `folder`. What vanishes meanwhile is passed over."""
    way: list[_Step] = []
    try:
        with contextlib.suppress(OSError):
            way.append(_Step(os.open(folder, _FOLDER)))
            yield from way[-1].look()
        while way:
            step = way[-1]
            if not step.waiting:
                _leave(way)
                continue
            with contextlib.suppress(OSError):
                way.append(_Step(_open(step.fd, step.waiting.pop())))
                if len(way) > _MOST_OPEN:
                    step.close()
                yield from way[-1].look()
    finally:
        for step in way:
            step.close()


class _Step:
    """One folder on the way down, and its folders that wait."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._facts = os.fstat(fd)
        self.waiting: list[str] = []

    def look(self) -> Iterator[os.stat_result]:
        """Yield the facts of what is in it; its folders wait."""
        with _rights(self.fd), os.scandir(self.fd) as found:
            for entry in found:
                with contextlib.suppress(FileNotFoundError):
                    facts = entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(facts.st_mode):
                        self.waiting.append(entry.name)
                    yield facts

    def reopen(self, below: int) -> bool:
        """Come back to it from one of its folders; false if that was moved elsewhere."""
        if self.fd >= 0:
            return True
        with contextlib.suppress(OSError), _rights(below):
            fd = _open(below, "..")
            if os.path.samestat(os.fstat(fd), self._facts):
                self.fd = fd
                return True
            os.close(fd)
        return False

    def close(self) -> None:
        """Let go of it. Idempotent."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _leave(way: list[_Step]) -> None:
    """Go up; past those to which there is no way back, for somebody moved what is below them."""
    left = way.pop()
    while way and not way[-1].reopen(left.fd):
        way.pop()
    left.close()


def _open(at: int, name: str) -> int:
    """Open a folder in an open one, also where they are closed to their owner. Raises OSError."""
    with contextlib.suppress(PermissionError):
        return os.open(name, _FOLDER, dir_fd=at)
    with _rights(at):
        found = os.open(name, _PATH, dir_fd=at)
        try:
            with _rights(found):
                return os.open(".", _FOLDER, dir_fd=found)
        finally:
            os.close(found)


@contextlib.contextmanager
def _rights(folder: int) -> Iterator[None]:
    """Let us look into an open folder of ours meanwhile; to root none is closed."""
    facts = os.fstat(folder)
    mode = stat.S_IMODE(facts.st_mode)
    if mode & _NEEDED == _NEEDED or os.geteuid() != facts.st_uid:
        yield
        return
    where = Path(f"/proc/self/fd/{folder}")  # it may be open as a path only
    where.chmod(mode | _NEEDED)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            if stat.S_IMODE(os.fstat(folder).st_mode) == mode | _NEEDED:
                where.chmod(mode)
