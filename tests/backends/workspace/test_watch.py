"""That something changed on the host is heard of; what it was is not asked."""

import asyncio
import ctypes
import errno
from pathlib import Path

import pytest

from cleanroom.backends.workspace import watch as module
from cleanroom.backends.workspace.watch import Watch


def test_a_change_below_a_watched_folder_is_heard_of(tmp_path: Path) -> None:
    async def scenario() -> None:
        watch = Watch()
        watch.add([str(tmp_path), str(tmp_path / "gone")])
        await watch.changed()  # a new folder counts as one
        assert watch.complete
        for change in (
            lambda: (tmp_path / "a").write_text("x"),
            lambda: (tmp_path / "a").write_text("y"),
            lambda: (tmp_path / "a").chmod(0o755),
            lambda: (tmp_path / "a").rename(tmp_path / "b"),
            (tmp_path / "b").unlink,
            (tmp_path / "folder").mkdir,
        ):
            change()
            async with asyncio.timeout(60):
                await watch.changed()
        watch.close()
        watch.close()

    asyncio.run(scenario())


def test_a_folder_that_went_is_watched_anew_under_its_name(tmp_path: Path) -> None:
    async def scenario() -> None:
        watch = Watch()
        folder = tmp_path / "folder"
        folder.mkdir()
        watch.add([str(folder)])
        await watch.changed()
        folder.rmdir()
        async with asyncio.timeout(60):
            await watch.changed()
        watch.forget([str(folder)])
        folder.mkdir()
        watch.add([str(folder)])
        async with asyncio.timeout(60):
            await watch.changed()
        watch.close()

    asyncio.run(scenario())


def test_a_folder_that_the_kernel_refuses_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        """A kernel whose last watch is given away."""

        def inotify_init1(self, flags: int) -> int:
            """Refuse, too."""
            ctypes.set_errno(errno.EMFILE)
            return -1

        def inotify_add_watch(self, *_: object) -> int:
            """Refuse."""
            ctypes.set_errno(errno.ENOSPC)
            return -1

    async def scenario() -> None:
        watch = Watch()
        monkeypatch.setattr(module, "_LIBC", Full())
        watch.add([str(tmp_path)])
        assert not watch.complete
        watch.close()
        with pytest.raises(OSError, match="cannot watch folders"):
            Watch()

    asyncio.run(scenario())
