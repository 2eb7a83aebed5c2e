"""A daemon is started with what it needs and nothing else."""

import fcntl
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from cleanroom.client.autostart import (
    IDLE_EXIT_S,
    Starter,
    daemon_argv,
    daemon_environment,
    unread,
)
from cleanroom.client.calls import RemoteError
from cleanroom.client.endpoint import Endpoint, find_endpoint
from cleanroom.daemon.settings import DaemonSettings
from cleanroom.errors import Fault, Refused
from tests.conftest import ROOT, Home

DESCRIPTORS = ("--ready-fd", "3", "--lock-fd", "4")


def endpoint(home: Home) -> Endpoint:
    return Endpoint(str(home.runtime / "cleanroom" / "cleanroom.sock"), chosen=False)


def test_the_environment_is_built_not_filtered() -> None:
    environ = {
        "HOME": "/h",
        "PATH": "/bin",
        "XDG_RUNTIME_DIR": "/r",
        "GITHUB_TOKEN": "secret",
        "HTTPS_PROXY": "http://u:p@proxy.example",
        "PYTHONPATH": "/evil",
        "LD_PRELOAD": "/evil.so",
        "CLEANROOM_HOST": "unix:///x",
    }
    assert daemon_environment(environ) == {"HOME": "/h", "PATH": "/bin", "XDG_RUNTIME_DIR": "/r"}


def test_settings_that_it_does_not_hear_of_are_named() -> None:
    page = (ROOT / "docs" / "config.md").read_text(encoding="utf-8")
    settings = set(re.findall(r"`(CLEANROOM_[A-Z_]+)`", page))
    assert "CLEANROOM_TOOLS" in settings
    commands = dict.fromkeys(("CLEANROOM_HOST", "CLEANROOM_APPROVED_POLICY", "HOME"), "x")
    assert unread(commands | dict.fromkeys(settings, "x")) == sorted(settings)


def test_it_waits_as_long_as_the_settings_say_by_default() -> None:
    assert DaemonSettings().idle_exit == IDLE_EXIT_S


def test_its_command_line_is_our_own_python() -> None:
    argv = daemon_argv(Endpoint("/r/s", chosen=False))
    assert argv[:4] == [sys.executable, "-P", "-m", "cleanroom.daemon.main"]
    assert argv[4:] == ["--listen", "unix:///r/s", "--idle-exit", "900", *DESCRIPTORS]


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that stands in for the daemon; tests write its text."""
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    return program


def test_it_runs_apart_from_its_starter(home: Home, python: Path) -> None:
    log = home.state / "cleanroom" / "daemon.log"
    python.write_text(
        "#!/bin/sh\n"
        'pwd; env | sort; ls /proc/self/fd | tr "\\n" " "; cut -d" " -f6 /proc/$$/stat\n'
        "echo '{\"ready\": true}' >&3; exec 3>&-; sleep 60\n"
    )
    environ = {**home.environment, "SECRET": "s3cr3t"}
    with Starter(endpoint(home), environ) as starter:
        pid = starter.launch()
    try:
        said = log.read_text()
        assert said.startswith("/\n")
        assert "s3cr3t" not in said
        assert f"HOME={home.home}" in said
        assert said.splitlines()[-1].endswith(f" {pid}")  # a session of its own
        assert "0 1 2 3 " in said
        assert log.stat().st_mode & 0o777 == 0o600
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_why_it_cannot_start_is_what_is_raised(home: Home, python: Path) -> None:
    said = '{"code": "backend_unavailable", "detail": "cannot start: it is off", "hint": "serve"}'
    python.write_text(f"#!/bin/sh\necho '{said}' >&3\n")
    with (
        Starter(endpoint(home), home.environment) as starter,
        pytest.raises(RemoteError, match="it is off"),
    ):
        starter.launch()


@pytest.mark.parametrize(
    ("text", "why"),
    [("echo first; echo last words; exit 3", "status 3: last words"), ("", "it said nothing")],
)
def test_an_early_end_shows_its_last_words(home: Home, python: Path, text: str, why: str) -> None:
    python.write_text(f"#!/bin/sh\n{text}\n")
    with (
        Starter(endpoint(home), home.environment) as starter,
        pytest.raises(Fault, match=why),
    ):
        starter.launch()


def test_no_program_at_all_is_127(home: Home, python: Path) -> None:
    python.unlink()
    with (
        Starter(endpoint(home), home.environment) as starter,
        pytest.raises(Fault, match="status 127"),
    ):
        starter.launch()


def test_two_commands_do_not_start_two(home: Home) -> None:
    with Starter(endpoint(home), home.environment) as starter:
        second = os.open(home.runtime / "cleanroom" / "start.lock", os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(second)
    assert "daemon.log" in starter.log_hint


def test_a_daemon_that_does_not_serve_yet_keeps_the_next_command_waiting(
    home: Home, python: Path
) -> None:
    """The command that started it may have been interrupted."""
    python.write_text(
        "#!/bin/sh\n"
        'mkfifo "$HOME/go"\n'
        "echo '{\"ready\": true}' >&3; exec 3>&-\n"  # for this test only, before it serves
        'read -r word <"$HOME/go"\n'
    )
    with Starter(endpoint(home), home.environment) as starter:
        pid = starter.launch()
    second = os.open(home.runtime / "cleanroom" / "start.lock", os.O_RDWR)
    with pytest.raises(BlockingIOError):
        fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
    (home.home / "go").write_text("now\n")
    os.waitpid(pid, 0)
    fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(second)


@pytest.mark.parametrize("name", ["XDG_RUNTIME_DIR", "XDG_STATE_HOME"])
def test_a_folder_that_cannot_be_made_is_said_with_what_to_do(home: Home, name: str) -> None:
    (home.home / "file").touch()
    environ = {**home.environment, name: str(home.home / "file" / "below")}
    with (
        pytest.raises(Refused, match=r"cannot start a daemon: .*/file/below: Not a dir") as caught,
        Starter(find_endpoint(None, environ, os.getuid()), environ),
    ):
        pass
    assert "XDG_RUNTIME_DIR and XDG_STATE_HOME" in caught.value.hint
