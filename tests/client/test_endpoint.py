"""Which socket is meant."""

import os
from pathlib import Path

import pytest

from cleanroom.client.endpoint import (
    default_socket,
    find_endpoint,
    home_of,
    passwd_home,
    state_folder,
)
from cleanroom.errors import UsageError, UserError

NOBODY = 4_000_000_000  # no user, no /run/user folder


def test_a_flag_wins_over_the_variable_which_wins_over_the_default() -> None:
    environ = {"CLEANROOM_HOST": "unix:///env.sock", "XDG_RUNTIME_DIR": "/run/user/9"}
    assert find_endpoint("unix:///flag.sock", environ, 9).path == "/flag.sock"
    assert find_endpoint(None, environ, 9).path == "/env.sock"
    default = find_endpoint(None, {"XDG_RUNTIME_DIR": "/run/user/9"}, 9)
    assert default.url == "unix:///run/user/9/cleanroom/cleanroom.sock"
    assert not default.chosen


@pytest.mark.parametrize("url", ["/a.sock", "unix://a.sock", "tcp://1.2.3.4:5", "unix://"])
def test_only_a_unix_url_is_an_address(url: str) -> None:
    with pytest.raises(UsageError, match="as the daemon's address"):
        find_endpoint(url, {}, 9)


def test_a_path_too_long_for_a_socket_is_refused() -> None:
    with pytest.raises(UserError, match="longer than 107 bytes"):
        find_endpoint("unix:///" + "x" * 120, {}, 9)


def test_without_a_runtime_folder_the_socket_is_beside_the_state() -> None:
    environ = {"HOME": "/h"}
    assert default_socket(environ, NOBODY) == "/h/.local/state/cleanroom/run/cleanroom.sock"
    assert default_socket({"XDG_STATE_HOME": "/s"}, NOBODY) == "/s/cleanroom/run/cleanroom.sock"


def test_root_has_the_places_of_a_service() -> None:
    assert default_socket({"HOME": "/root"}, 0) == "/run/cleanroom/cleanroom.sock"
    assert state_folder({"HOME": "/root"}, 0) == "/var/lib/cleanroom"


def test_a_home_comes_from_the_variable_or_the_user_database() -> None:
    assert home_of({"HOME": "/h"}, NOBODY) == "/h"
    assert home_of({}, os.getuid()) == passwd_home(os.getuid())
    with pytest.raises(UserError, match="HOME is not set"):
        home_of({}, NOBODY)


def test_the_daemon_listens_where_the_client_looks(tmp_path: Path) -> None:
    from cleanroom.daemon.paths import paths_of  # noqa: PLC0415 -- the other side of the agreement

    for environ in (
        {"HOME": "/h"},
        {"HOME": "/h", "XDG_STATE_HOME": str(tmp_path)},
        {"HOME": "/h", "XDG_RUNTIME_DIR": str(tmp_path)},
    ):
        for uid in (0, os.getuid(), NOBODY):
            paths = paths_of(environ, uid)
            assert str(paths.socket) == default_socket(environ, uid)
            assert str(paths.state) == state_folder(environ, uid)
