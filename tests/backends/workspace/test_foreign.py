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


@pytest.mark.parametrize("replaced", ["d", "d/e"])
def test_a_link_of_a_kept_sandbox_is_not_followed(root: Path, replaced: str) -> None:
    upper, outside = root.parent / "up", root.parent / "outside"
    (outside / "e").mkdir(parents=True)
    (upper / replaced).parent.mkdir(exist_ok=True)
    (upper / replaced).symlink_to(outside)
    (root / "sub").mkdir()
    assert copy_foreign(str(root), upper, ("d/e/f", "d/e", "d/link", "sub")) > 0
    assert sorted(outside.rglob("*")) == [outside / "e"]
    assert (upper / "sub").is_dir()  # the control


def test_a_link_in_place_of_a_file_stays_a_link(root: Path) -> None:
    upper, outside = root.parent / "up", root.parent / "outside"
    (upper / "d/e").mkdir(parents=True)
    (upper / "d/e/f").symlink_to(outside)
    assert copy_foreign(str(root), upper, ("d/e/f",)) == 0
    assert not outside.exists()


def test_a_disk_that_is_full_leaves_no_half_of_a_file(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cleanroom.backends.workspace.foreign.shutil.copyfileobj", full)
    upper = root.parent / "up"
    assert copy_foreign(str(root), upper, ("d/e/f",)) == 1
    assert list((upper / "d/e").iterdir()) == []


def test_what_cannot_be_copied_is_counted(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign, "MAX_BYTES", 3)
    os.mkfifo(root / "fifo")
    upper = root.parent / "up"
    assert copy_foreign(str(root), upper, ("d/e/f", "fifo", "gone")) == 3
    monkeypatch.setattr(foreign, "MAX_ENTRIES", 1)
    assert copy_foreign(str(root), upper, ("d", "d/e", "d/link")) == 2
