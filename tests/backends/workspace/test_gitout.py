"""A pack and a branch in a git folder; test_branch.py asks git what it thinks of them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom.backends.workspace.gitout import judge_name, place_branch, place_pack
from cleanroom.errors import UserError


@pytest.fixture
def git(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "git").mkdir()
    fd = os.open(tmp_path / "git", os.O_RDONLY)
    yield fd
    os.close(fd)


@pytest.mark.parametrize("taken", ["refs/heads/a/b", "refs/heads/a", "refs/heads/a/b/c"])
def test_a_name_in_the_way_of_another_is_taken(taken: str) -> None:
    with pytest.raises(UserError, match="exists"):
        judge_name({taken}, "a/b")


def test_a_name_like_another_is_free() -> None:
    judge_name({"refs/heads/a/bc", "refs/tags/a/b", "refs/heads/ab"}, "a/b")


def test_a_branch_that_appeared_meanwhile_stays(git: int, tmp_path: Path) -> None:
    place_branch(git, "a", "1")
    with pytest.raises(UserError, match="exists"):
        place_branch(git, "a", "2")
    assert (tmp_path / "git/refs/heads/a").read_text() == "1\n"
    assert [each.name for each in (tmp_path / "git/refs/heads").iterdir()] == ["a"]


def test_a_branch_that_git_is_writing_is_left_alone(git: int, tmp_path: Path) -> None:
    (tmp_path / "git/refs/heads").mkdir(parents=True)
    (tmp_path / "git/refs/heads/a.lock").touch()
    with pytest.raises(UserError, match="git is writing"):
        place_branch(git, "a", "1")
    assert (tmp_path / "git/refs/heads/a.lock").exists()


def test_a_pack_is_placed_once_and_whole(git: int, tmp_path: Path) -> None:
    pack = tmp_path / "pack-1.pack"
    pack.write_text("p")
    pack.with_suffix(".idx").write_text("i")
    place_pack(git, pack)
    place_pack(git, pack)
    there = tmp_path / "git/objects/pack"
    assert {each.name: each.read_text() for each in there.iterdir()} == {
        "pack-1.idx": "i",
        "pack-1.pack": "p",
    }
