"""Entries of another group, copied up where a rootless overlay could not."""

import os
from pathlib import Path

import pytest

from cleanroom.backends.workspace import foreign
from cleanroom.backends.workspace.foreign import copy_foreign


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "r"
    (root / "d/e").mkdir(parents=True)
    (root / "d/e/f").write_text("text")
    (root / "d").chmod(0o2750)
    (root / "d/link").symlink_to("e/f")
    (tmp_path / "up").mkdir()
    return root


def test_each_kind_is_copied_with_its_mode(root: Path) -> None:
    upper = root.parent / "up"
    assert copy_foreign(str(root), upper, ("d/e/f", "d", "d/e", "d/link")) == 0
    assert (upper / "d/e/f").read_text() == "text"
    assert (upper / "d/link").readlink() == Path("e/f")
    assert (upper / "d").stat().st_mode & 0o7777 == 0o750
    assert (upper / "d").stat().st_gid == os.getegid()


def test_what_a_kept_sandbox_changed_is_not_overwritten(root: Path) -> None:
    upper = root.parent / "up"
    (upper / "d/e").mkdir(parents=True)
    (upper / "d/e/f").write_text("changed")
    assert copy_foreign(str(root), upper, ("d/e/f",)) == 0
    assert (upper / "d/e/f").read_text() == "changed"


def test_what_cannot_be_copied_is_counted(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign, "MAX_BYTES", 3)
    os.mkfifo(root / "fifo")
    upper = root.parent / "up"
    assert copy_foreign(str(root), upper, ("d/e/f", "fifo", "gone")) == 3
    monkeypatch.setattr(foreign, "MAX_ENTRIES", 1)
    assert copy_foreign(str(root), upper, ("d", "d/e", "d/link")) == 2
