"""Trees as a workload makes them: nothing in them is passed over."""

import os
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cleanroom.backends.namespaces.disk import count
from cleanroom.backends.trees import entries
from cleanroom.backends.workspace.upkeep import remove_tree, tree_size

BIG = 300_000


@pytest.fixture
def top(tmp_path: Path) -> Iterator[Path]:
    """A folder for trees that other programs could not remove."""
    place = tmp_path / "top"
    place.mkdir()
    yield place
    remove_tree(place)


def deep(top: Path, depth: int, name: str = "d") -> int:
    """Make folders in one another; return the last one, open."""
    fd = os.open(top, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=fd)
        inner = os.open(name, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    return fd


def fill(fd: int) -> None:
    """Write a file there, and close the folder."""
    with open("file", "wb", opener=lambda name, flags: os.open(name, flags, dir_fd=fd)) as file:
        file.write(b"x" * BIG)
    os.close(fd)


def test_files_deeper_than_any_path_are_counted_and_what_lies_beside_the_way(top: Path) -> None:
    deepest = deep(top, 3000)
    (top / "z").mkdir()
    beside = top.joinpath(*["d"] * 100, "a")
    beside.mkdir()
    empty = count((top,), 1 << 40), tree_size(top)
    for fd in (deepest, os.open(top / "z", os.O_RDONLY), os.open(beside, os.O_RDONLY)):
        fill(fd)
    assert sum(stat.S_ISREG(facts.st_mode) for facts in entries(top)) == 3
    assert count((top,), 1 << 40) >= empty[0] + 3 * BIG
    assert tree_size(top) >= empty[1] + 3 * BIG


@pytest.mark.parametrize("mode", [0, 0o300, 0o400, 0o200])
@pytest.mark.parametrize("depth", [1, 100])
def test_a_folder_closed_to_its_owner_is_counted_and_stays_closed(
    top: Path, mode: int, depth: int
) -> None:
    """Inside a program may write to what it holds open, or by names that it knows."""
    fill(deep(top, depth))
    folders = [top.joinpath(*["d"] * steps) for steps in range(1, depth + 1)]
    beside = folders[0] / "beside"
    beside.mkdir()
    fill(os.open(beside, os.O_RDONLY))
    for folder in (beside, *reversed(folders)):
        folder.chmod(mode)
    assert count((top,), 1 << 40) > 2 * BIG
    assert tree_size(top) > 2 * BIG
    for folder in folders:
        assert stat.S_IMODE(folder.stat().st_mode) == mode
        folder.chmod(0o700)


def test_what_is_moved_meanwhile_ends_nothing(top: Path) -> None:
    os.close(deep(top, 100))
    (top / "a").mkdir()
    fill(os.open(top / "a", os.O_RDONLY))
    (top / "d" / "a").mkdir()
    fill(os.open(top / "d" / "a", os.O_RDONLY))
    files = folders = 0
    for facts in entries(top):
        files += stat.S_ISREG(facts.st_mode)
        folders += stat.S_ISDIR(facts.st_mode)
        if folders == 90:
            top.joinpath(*["d"] * 80).rename(top / "moved")
    assert files == 2


def test_a_link_is_not_followed_and_what_vanishes_is_passed_over(top: Path) -> None:
    (top / "away").symlink_to("/usr")
    (top / "gone").mkdir()
    with closing(entries(top)) as found:
        kinds = [stat.S_IFMT(next(found).st_mode) for _ in range(2)]
        (top / "gone").rmdir()
        assert list(found) == []
    assert sorted(kinds) == [stat.S_IFDIR, stat.S_IFLNK]
    assert list(entries(top / "gone")) == []


def descriptors() -> int:
    """Count what this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def test_no_descriptor_is_left(top: Path) -> None:
    os.close(deep(top, 200))
    before = descriptors()
    with closing(entries(top)) as found:
        for _ in range(150):
            next(found)
        assert descriptors() < before + 80
    assert list(entries(top))
    assert descriptors() <= before
