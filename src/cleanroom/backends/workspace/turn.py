"""One at a time on what a sandbox left: nobody removes it while somebody brings it out.

In: the folder of a sandbox. Out: a turn. Never: a turn that outlives its holder, be that a thread
whose caller was canceled or a daemon that was killed: the lock is on an open file (flock(2)).
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cleanroom.backends.workspace.folders import FOLDER, opened


@contextmanager
def turn(folder: Path) -> Iterator[None]:
    """Wait until nobody else works on the folder, which blocks; one that is gone is nobody's."""
    try:
        fd = os.open(folder, FOLDER)
    except FileNotFoundError:
        yield
        return
    with opened(fd):
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
