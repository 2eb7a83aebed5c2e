"""Objects are copied within limits, before and after they are inflated."""

import os
import zlib
from pathlib import Path

import pytest

from cleanroom.backends.workspace.carry import Budget, copy_objects
from cleanroom.backends.workspace.gitview import GitView
from cleanroom.errors import Refused

NAME = "c" * 38


def copied(tmp_path: Path, content: bytes, budget: Budget) -> bytes | None:
    """What arrives of one loose object."""
    upper, scratch = tmp_path / "upper", tmp_path / "scratch"
    (upper / "objects/ab").mkdir(parents=True)
    (scratch / "objects").mkdir(parents=True)
    (upper / "objects/ab" / NAME).write_bytes(content)
    fd = os.open(upper, os.O_RDONLY)
    try:
        assert copy_objects(GitView(fd, fd, ""), scratch, budget) == []
    finally:
        os.close(fd)
    return (scratch / "objects/ab" / NAME).read_bytes()


def test_an_object_is_copied_as_it_is(tmp_path: Path) -> None:
    content = zlib.compress(b"blob 3\0abc")
    assert copied(tmp_path, content, Budget(1, 100)) == content


def test_what_is_no_stream_is_cut_before_git_sees_it(tmp_path: Path) -> None:
    assert copied(tmp_path, b"nonsense", Budget()) == b""


@pytest.mark.parametrize("budget", [Budget(0, 1 << 30), Budget(9, 1 << 20), Budget(9, 10)])
def test_a_bomb_is_refused(tmp_path: Path, budget: Budget) -> None:
    with pytest.raises(Refused, match="more than"):
        copied(tmp_path, zlib.compress(bytes(4 << 20)), budget)


def test_links_and_folders_are_no_objects(tmp_path: Path) -> None:
    upper, scratch = tmp_path / "upper", tmp_path / "scratch"
    (upper / "objects/pack").mkdir(parents=True)
    (upper / "objects/ab" / NAME).mkdir(parents=True)
    (upper / f"objects/pack/pack-{'1' * 40}.pack").symlink_to("/etc/passwd")
    (scratch / "objects").mkdir(parents=True)
    fd = os.open(upper, os.O_RDONLY)
    try:
        packs = copy_objects(GitView(fd, fd, ""), scratch, Budget())
    finally:
        os.close(fd)
    assert [pack.exists() for pack in packs] == [False]
    assert list((scratch / "objects/ab").iterdir()) == []
