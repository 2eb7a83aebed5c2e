"""Counting and removing trees of any depth and mode."""

import os
from pathlib import Path

from cleanroom.backends.workspace.upkeep import remove_tree, tree_size


def names(folder: Path) -> list[str]:
    return [place.name for place in folder.iterdir()]


def test_what_is_not_there_is_removed_already(tmp_path: Path) -> None:
    remove_tree(tmp_path / "none")
    assert tree_size(tmp_path / "none") == 0


def test_a_closed_tree_is_removed(tmp_path: Path) -> None:
    work = tmp_path / "top" / "work"
    (work / "work" / "inner").mkdir(parents=True)
    (work / "work" / "inner" / "file").touch()
    for place in (work / "work" / "inner", work / "work", work):
        place.chmod(0)
    remove_tree(tmp_path / "top")
    assert names(tmp_path) == []


def test_a_link_is_removed_and_what_it_points_to_stays(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (tmp_path / "top" / "d").mkdir(parents=True)
    (tmp_path / "top" / "link").symlink_to("../kept")
    (tmp_path / "top" / "d" / "link").symlink_to("../../kept")
    os.mkfifo(tmp_path / "top" / "fifo")
    remove_tree(tmp_path / "top")
    assert names(tmp_path) == ["kept"]
    assert names(tmp_path / "kept") == ["file"]


def test_a_tree_deeper_than_any_path_is_removed(tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    fd = os.open(top, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=fd)
        inner = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(fd)
    assert tree_size(top) > 0
    remove_tree(top)
    assert names(tmp_path) == []


def test_the_size_is_what_the_disk_holds(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "file").write_bytes(b"x" * 100_000)
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(10_000_000)
    assert 100_000 <= tree_size(tmp_path) < 1_000_000
