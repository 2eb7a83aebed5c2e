"""The policy file is replaced in one step, or not at all."""

import os
from pathlib import Path

import pytest

from cleanroom.cli.policy_file import changed_lines, replace, write_policy
from cleanroom.client.workspace import Caller, Workspace, find_workspace
from cleanroom.errors import Code, Refused, UserError


def workspace(root: Path) -> Workspace:
    return find_workspace(str(root), Caller(os.getuid(), ()))


def test_a_new_file_is_ordinary(tmp_path: Path) -> None:
    path = write_policy(workspace(tmp_path), "version: 1\n")
    assert path == tmp_path / "cleanroom.yaml"
    assert path.read_text() == "version: 1\n"
    assert path.stat().st_mode & 0o777 == 0o644


def test_mode_and_link_are_kept(tmp_path: Path) -> None:
    real = tmp_path / "real.yaml"
    real.write_text("version: 1\n")
    real.chmod(0o600)
    (tmp_path / "cleanroom.yaml").symlink_to("real.yaml")
    write_policy(workspace(tmp_path), "new\n")
    assert real.read_text() == "new\n"
    assert real.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "cleanroom.yaml").is_symlink()


def test_a_file_that_changed_meanwhile_is_left(tmp_path: Path) -> None:
    before = workspace(tmp_path)
    (tmp_path / "cleanroom.yaml").write_text("theirs\n")
    with pytest.raises(Refused) as caught:
        write_policy(before, "mine\n")
    assert caught.value.code is Code.CONFLICT
    assert (tmp_path / "cleanroom.yaml").read_text() == "theirs\n"


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "cleanroom.yaml"
    folder.mkdir()
    (folder / "x").touch()
    with pytest.raises(OSError, match="directory"):
        replace(folder, "text")
    assert [entry.name for entry in tmp_path.iterdir()] == ["cleanroom.yaml"]


def test_a_folder_that_is_gone_is_an_error(tmp_path: Path) -> None:
    root = tmp_path / "r"
    root.mkdir()
    found = workspace(root)
    root.rmdir()
    with pytest.raises(UserError, match="cannot write"):
        write_policy(found, "text")


def test_changes_are_shown_as_a_diff() -> None:
    assert changed_lines("p", "a\n", "a\nb").splitlines() == [
        *("--- a/p", "+++ b/p", "@@ -1 +1,2 @@", " a", "+b")
    ]
