"""No request makes a home, or everything, a workspace."""

import os
import pwd
from pathlib import Path

import pytest

from cleanroom.daemon.workspace_rule import homes_of, judge_workspace
from cleanroom.errors import Refused, UserError

UID = os.geteuid()


def test_a_project_folder_is_one(tmp_path: Path) -> None:
    judge_workspace(os.path.realpath(tmp_path), UID, ["/home/someone", f"{tmp_path}-home"])


@pytest.mark.parametrize("inside", ["", "people/someone"])
def test_a_home_or_a_folder_that_holds_one_is_refused(tmp_path: Path, inside: str) -> None:
    root = os.path.realpath(tmp_path)
    with pytest.raises(Refused, match="home"):
        judge_workspace(root, UID, [os.path.normpath(f"{root}/{inside}")])


def test_everything_is_refused() -> None:
    with pytest.raises(Refused):
        judge_workspace("/", 0, [])


@pytest.mark.parametrize(
    "path", ["", "relative", "/no/such/folder", "/usr/../usr", "/usr/", "a\0b"]
)
def test_what_is_no_canonical_folder_is_refused(path: str) -> None:
    with pytest.raises(UserError):
        judge_workspace(path, 0, [])


def test_links_and_files_are_refused(tmp_path: Path) -> None:
    root = Path(os.path.realpath(tmp_path))
    (root / "real").mkdir()
    (root / "link").symlink_to("real")
    (root / "file").touch()
    for name in ("link", "file"):
        with pytest.raises(UserError):
            judge_workspace(str(root / name), UID, [])


def test_another_users_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="not to you"):
        judge_workspace(os.path.realpath(tmp_path), UID + 1, [])


def test_a_home_is_what_the_environment_and_the_database_say() -> None:
    assert homes_of(UID, "/elsewhere")[0] == "/elsewhere"
    assert os.path.realpath(pwd.getpwuid(UID).pw_dir) in homes_of(UID, "")
    assert homes_of(4_000_000, "relative") == ()
