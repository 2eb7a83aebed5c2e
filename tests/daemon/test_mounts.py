"""Which folders of the host may be shown, and what of them is."""

import os
from pathlib import Path

import pytest

from cleanroom.api.mount_types import MountRequest
from cleanroom.backends.workspace.scan import ScanCache
from cleanroom.daemon.mounts import Closed, judge_mount, mount_views, shared_mounts
from cleanroom.daemon.parts import Side
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


def writable(path: str, at: str = "") -> MountRequest:
    return MountRequest(path=path, at=at, writable=True)


def refused_writable(path: str, tmp_path: Path) -> str:
    """Why it is shown, but not writable."""
    judge_mount(path, WORKSPACE, Closed())
    with pytest.raises(Refused, match="writable: ") as caught:
        mount_views([writable(path)], WORKSPACE, Closed(), (tmp_path / "sandbox", ScanCache()))
    assert not (tmp_path / "sandbox").exists()
    return caught.value.message


def test_where_programs_and_settings_are_nothing_is_writable(tmp_path: Path) -> None:
    for path in ("/usr/share", "/opt"):
        assert "programs of the host are there" in refused_writable(path, tmp_path)
    (tmp_path / ".local/bin").mkdir(parents=True)
    said = refused_writable(str(tmp_path / ".local/bin"), tmp_path)
    assert said.endswith("programs and settings of the host are kept in .local")


def test_what_belongs_to_somebody_else_is_not_writable(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = data.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert f"it belongs to uid {owner}, not to you" in refused_writable(str(data), tmp_path)


def test_a_writable_mount_has_layers_of_its_own_and_two_sides(tmp_path: Path, data: Path) -> None:
    (data / ".env").touch()
    folder = tmp_path / "sandbox"
    requests = [MountRequest(path=str(data)), writable(str(data), "/d")]
    _, view = mount_views(requests, WORKSPACE, Closed(), (folder, ScanCache()))
    (overlay,) = view.overlays
    assert overlay.targets == ("/d",)
    assert overlay.upper == str(folder / "mounts/1/workspace/upper")
    assert overlay.follows
    assert view.notes == ("/d: left out of the sandbox: .env (see .cleanroomignore)",)
    (side,) = shared_mounts(requests, folder)
    assert side == Side(str(data), folder / "mounts/1", "/d", "/d/")
    assert [each.text() for each in requests] == [str(data), f"{data}:/d:rw"]
