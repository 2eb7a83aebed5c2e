import ctypes
import os
import time
from pathlib import Path

import pytest

from cleanroom.daemon.workspace_mark import _Statx, workspace_mark
from cleanroom.errors import UserError

CLOCK_REALTIME_COARSE = 5  # linux/time.h; python has no name for it


def test_a_folder_keeps_its_mark_when_it_is_renamed_or_written_in(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    mark = workspace_mark(str(folder))
    (folder / "file").write_text("x")
    folder.rename(tmp_path / "two")
    assert workspace_mark(str(tmp_path / "two")) == mark
    status = (tmp_path / "two").stat()
    device = f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}"
    assert mark.startswith(f"{device}:{status.st_ino}:")


def test_a_folder_made_again_has_another_mark(tmp_path: Path) -> None:
    """Also where the file system gives it the same inode number, as many do."""
    folder = tmp_path / "one"
    marks = set()
    for _ in range(5):
        folder.mkdir()
        marks.add(workspace_mark(str(folder)))
        folder.rmdir()
        tick = coarse_clock()  # births are told in ticks of the kernel, some of them late
        while coarse_clock() < tick + 0.05:
            time.sleep(0.001)
    assert len(marks) == 5


def coarse_clock() -> float:
    """Return the time as file systems take it."""
    return time.clock_gettime(CLOCK_REALTIME_COARSE)


def test_the_kernel_has_room_for_what_it_writes() -> None:
    assert ctypes.sizeof(_Statx) == 256


def test_what_is_no_folder_has_no_mark(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path)
    for name in ("file", "link", "nothing"):
        with pytest.raises(UserError, match="cannot use the workspace"):
            workspace_mark(str(tmp_path / name))
