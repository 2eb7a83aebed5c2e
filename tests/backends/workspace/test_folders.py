"""Walking trees that someone hostile may have written."""

import os
from pathlib import Path

import pytest

from cleanroom.backends.workspace.folders import (
    FOLDER,
    facts_of,
    is_plain,
    kind_of,
    names_in,
    open_at,
    open_folder,
    open_plain,
    opened,
    split,
)


@pytest.fixture
def top(tmp_path: Path) -> Path:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/file").write_text("text")
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "out").symlink_to("/")
    os.mkfifo(tmp_path / "fifo")
    return tmp_path


@pytest.mark.parametrize("path", ["", "a", "a/b"])
def test_folders_are_opened_one_by_one(top: Path, path: str) -> None:
    with opened(os.open(top, FOLDER)) as fd:
        inner = open_at(fd, path)
        assert inner is not None
        with opened(inner):
            assert os.path.samestat(os.fstat(inner), (top / path).stat())


@pytest.mark.parametrize("path", ["link", "link/b", "out", "out/etc", "a/file", "nothing", "a/x/y"])
def test_a_link_is_no_folder(top: Path, path: str) -> None:
    with opened(os.open(top, FOLDER)) as fd:
        assert open_at(fd, path) is None
        assert open_folder(fd, "link") is None


def test_only_plain_files_are_opened_and_no_fifo_is_waited_for(top: Path) -> None:
    with opened(os.open(top, FOLDER)) as fd:
        assert [open_plain(fd, name) for name in ("fifo", "link", "a", "nothing")] == [None] * 4
        assert facts_of(fd, "nothing") is None
        assert names_in(fd) == ["a", "fifo", "link", "out"]


@pytest.mark.parametrize("path", ["a", "a/b", "...", ".gitignore", "a/.github/x", "git"])
def test_plain_paths(path: str) -> None:
    assert is_plain(path)


@pytest.mark.parametrize(
    "path",
    ["", "/a", "a//b", ".", "a/./b", "..", "a/../b", ".git", ".git/x", "a/.GIT/x", ".git./x",
     "GIT~1/x", "a\0", "a/"],
)  # fmt: skip
def test_paths_that_lead_elsewhere(path: str) -> None:
    assert not is_plain(path)


def test_kinds(top: Path) -> None:
    kinds = [kind_of((top / name).lstat().st_mode) for name in ("a", "a/file", "link", "fifo")]
    assert kinds == ["folder", "file", "link", ""]
    assert [split(path) for path in ("a", "a/b/c")] == [("", "a"), ("a/b", "c")]
