"""Which folders of the host may be shown, and what of them is."""

import os
from pathlib import Path

import pytest

from cleanroom.api.mount_types import MountRequest
from cleanroom.backends.workspace.scan import ScanCache
from cleanroom.daemon.mounts import Closed, judge_mount, mount_views
from cleanroom.errors import Refused, UserError

WORKSPACE = "/home/ann/project"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def test_what_is_no_canonical_folder_is_no_mount(tmp_path: Path, data: Path) -> None:
    (tmp_path / "link").symlink_to(data)
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "fifo")
    for name in ("gone", "link", "file", "fifo", "data/../data", "data/", "a\0b"):
        with pytest.raises(UserError, match="cannot mount"):
            judge_mount(f"{tmp_path}/{name}", WORKSPACE, Closed())
    with pytest.raises(UserError, match="cannot mount"):
        judge_mount("data", WORKSPACE, Closed())


def test_a_home_is_not_shown_but_a_folder_in_it_is(tmp_path: Path, data: Path) -> None:
    closed = Closed(homes=(str(tmp_path),))
    judge_mount(str(data), WORKSPACE, closed)
    for path in (tmp_path, tmp_path.parent, Path("/")):
        with pytest.raises(Refused, match="holds a home folder"):
            judge_mount(str(path), WORKSPACE, closed)


@pytest.mark.parametrize("name", [".ssh", ".gnupg", ".aws", ".kube", ".config/gh", ".docker/x"])
def test_folders_of_keys_are_not_shown(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir(parents=True)
    with pytest.raises(Refused, match="keys and credentials"):
        judge_mount(str(tmp_path / name), WORKSPACE, Closed())


def test_cleanrooms_own_folders_are_not_shown(tmp_path: Path, data: Path) -> None:
    for own in (data, data / "below", tmp_path):
        with pytest.raises(Refused, match="its own files"):
            judge_mount(str(data), WORKSPACE, Closed(own=(str(own),)))


@pytest.mark.parametrize("path", ["/etc", "/proc/self/net", "/dev", "/sys/kernel", "/run"])
def test_folders_of_the_system_are_not_shown(path: str) -> None:
    with pytest.raises((Refused, UserError), match="cannot mount"):
        judge_mount(path, WORKSPACE, Closed())


def test_the_workspace_is_not_shown_twice(tmp_path: Path, data: Path) -> None:
    for workspace in (data, data / "below", tmp_path):
        with pytest.raises(Refused, match="inside already"):
            judge_mount(str(data), str(workspace), Closed())


def test_each_becomes_a_read_only_view_at_its_place(tmp_path: Path, data: Path) -> None:
    (data / ".env").touch()
    wanted = [MountRequest(path=str(data)), MountRequest(path=str(data), at="/data")]
    views = mount_views(wanted, WORKSPACE, Closed(), (tmp_path / "sbx", ScanCache()))
    assert [view.overlays[0].targets for view in views] == [(str(data),), ("/data",)]
    assert all(view.overlays[0].upper is None for view in views)
    assert views[1].notes == ("/data: left out of the sandbox: .env (see .cleanroomignore)",)


def test_nothing_is_made_if_one_of_them_is_refused(tmp_path: Path, data: Path) -> None:
    wanted = [MountRequest(path=str(data)), MountRequest(path="/etc")]
    with pytest.raises(Refused):
        mount_views(wanted, WORKSPACE, Closed(), (tmp_path / "sbx", ScanCache()))
    assert not (tmp_path / "sbx").exists()
