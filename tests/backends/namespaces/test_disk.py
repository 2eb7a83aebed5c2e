import asyncio
import os
from pathlib import Path

from cleanroom.backends.namespaces import disk
from cleanroom.backends.namespaces.disk import ENTRY_BYTES, DiskWatch, count
from tests.backends.machines import within


def test_files_and_names_are_counted_and_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "file").write_bytes(b"x" * 100_000)
    (tmp_path / "away").symlink_to("/usr")
    used = count((tmp_path,), 1 << 40)
    assert 100_000 <= used < 100_000 + 64 * 1024


def test_empty_files_are_not_free(tmp_path: Path) -> None:
    for number in range(100):
        (tmp_path / str(number)).touch()
    assert count((tmp_path,), 1 << 40) >= 100 * ENTRY_BYTES


def test_a_sparse_file_counts_what_it_occupies(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        os.truncate(file.fileno(), 1 << 40)
    assert count((tmp_path,), 1 << 50) < 1 << 20


def test_counting_ends_once_it_is_enough(tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "file").write_bytes(b"x" * 50_000)
    assert count((tmp_path,), 10_000) < 10 * 50_000


def test_a_folder_that_vanished_counts_nothing(tmp_path: Path) -> None:
    assert count((tmp_path / "gone",), 1) == 0


def test_a_watch_reports_once(tmp_path: Path) -> None:
    async def scenario() -> list[int]:
        reported: list[int] = []
        done = asyncio.Event()

        def exceeded(used: int) -> None:
            reported.append(used)
            done.set()

        watch = DiskWatch((tmp_path,), 100_000, exceeded)
        watch.start()
        (tmp_path / "file").write_bytes(b"x" * 300_000)
        await done.wait()
        watch.stop()
        return reported

    (used,) = within(10, scenario())
    assert used > 100_000


def test_a_watch_that_was_stopped_says_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        watch = DiskWatch((tmp_path,), 0, lambda used: loop.stop())
        (tmp_path / "file").touch()
        watch.start()
        watch._look()
        watch.stop()
        watch._look()
        await loop.run_in_executor(None, int)

    within(5, scenario())


def test_nothing_to_watch_is_watched_for_free() -> None:
    async def scenario() -> None:
        watch = DiskWatch((), 0, lambda used: None)
        watch.start()
        assert watch._timer is None

    within(5, scenario())


def test_it_looks_often_enough() -> None:
    assert disk.LOOK_S <= 0.2
    assert disk.COUNT_S <= 5
