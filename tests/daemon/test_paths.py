"""Folders follow the XDG rules, are private, and never below /tmp by themselves."""

import os
import pwd
from pathlib import Path

import pytest

from cleanroom.daemon.paths import make_private, paths_of
from cleanroom.errors import Fault, UserError


def test_a_user_with_xdg_folders() -> None:
    paths = paths_of({"HOME": "/h", "XDG_RUNTIME_DIR": "/r", "XDG_STATE_HOME": "/s"}, 4_000_000)
    assert paths.socket == Path("/r/cleanroom/cleanroom.sock")
    assert paths.database == Path("/s/cleanroom/state.db")
    assert paths.audit == Path("/s/cleanroom/audit")
    assert paths.runs == Path("/s/cleanroom/runs")
    assert paths.sandboxes == Path("/s/cleanroom/sandboxes")
    assert paths.config == Path("/h/.config/cleanroom/config.yaml")
    assert paths.cache == Path("/h/.cache/cleanroom")


def test_a_user_without_a_runtime_folder_has_the_socket_beside_the_state() -> None:
    paths = paths_of({"HOME": "/h"}, 4_000_000)
    assert paths.socket == Path("/h/.local/state/cleanroom/run/cleanroom.sock")


def test_a_relative_xdg_folder_is_ignored() -> None:
    paths = paths_of({"HOME": "/h", "XDG_RUNTIME_DIR": "r", "XDG_STATE_HOME": "s"}, 4_000_000)
    assert paths.socket == Path("/h/.local/state/cleanroom/run/cleanroom.sock")


def test_without_home_the_user_database_is_asked() -> None:
    entry = pwd.getpwuid(os.geteuid())
    paths = paths_of({"XDG_STATE_HOME": "/s"}, entry.pw_uid)
    assert paths.state == Path("/s/cleanroom")
    with pytest.raises(UserError):
        paths_of({}, 4_000_000)


def test_root_has_the_folders_of_a_service() -> None:
    paths = paths_of({"HOME": "/root"}, 0)
    assert paths.socket == Path("/run/cleanroom/cleanroom.sock")
    assert paths.state == Path("/var/lib/cleanroom")
    assert paths.config == Path("/etc/cleanroom/config.yaml")
    assert paths.cache == Path("/var/cache/cleanroom")


def test_the_client_looks_where_the_daemon_listens() -> None:
    from cleanroom.client.endpoint import default_socket  # noqa: PLC0415 -- the other half

    for environment in ({"HOME": "/h"}, {"HOME": "/h", "XDG_RUNTIME_DIR": "/r"}):
        for uid in (0, os.geteuid(), 4_000_000):
            assert str(paths_of(environment, uid).socket) == default_socket(environment, uid)


def test_a_private_folder_is_made_or_repaired(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    make_private(folder)
    folder.chmod(0o755)
    make_private(folder)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_link_or_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "file").touch()
    for name in ("link", "file"):
        with pytest.raises(Fault):
            make_private(tmp_path / name)
