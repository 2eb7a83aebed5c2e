"""The real process: starts, serves, ends on a signal or when idle, says what is wrong."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import pytest

from cleanroom.daemon.main import Starter
from cleanroom.daemon.server import Lock
from tests.conftest import Home

Process: TypeAlias = "subprocess.Popen[str]"  # noqa: TID251 -- the type only


@contextmanager
def daemon(home: Home, *flags: str, **variables: str) -> Iterator[Process]:
    """The daemon as a process of its own, ended afterwards."""
    process = subprocess.Popen(  # noqa: TID251 -- a test of the process itself
        [sys.executable, "-m", "cleanroom.daemon.main", *flags],
        env={**home.environment, **variables},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def line(process: Process) -> str:
    """Return the message of the process's next line."""
    assert process.stderr is not None
    return str(json.loads(process.stderr.readline())["message"])


def ask(path: Path, target: str) -> tuple[int, bytes]:
    """Send a GET by hand; return status and body."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        head = f"GET {target} HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode())
        answer = b""
        while data := connection.recv(65536):
            answer += data
    head_bytes, _, body = answer.partition(b"\r\n\r\n")
    return int(head_bytes.split()[1]), body


@pytest.mark.usefixtures("programs")
def test_it_serves_at_the_default_place_until_it_is_told_to_stop(home: Home) -> None:
    path = home.runtime / "cleanroom" / "cleanroom.sock"
    with daemon(home) as process:
        assert line(process) == f"serving {path}"
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
        status, body = ask(path, "/v1/health")
        assert (status, json.loads(body)["pid"]) == (200, process.pid)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert not path.exists()


@pytest.mark.usefixtures("programs")
def test_a_terminal_that_is_closed_ends_it_well_but_not_under_nohup(home: Home) -> None:
    with daemon(home) as process:
        line(process)
        process.send_signal(signal.SIGHUP)
        assert process.wait(20) == 0
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with daemon(home) as process:
            line(process)
            process.send_signal(signal.SIGHUP)
            assert ask(home.runtime / "cleanroom" / "cleanroom.sock", "/v1/health")[0] == 200
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("programs")
def test_a_second_one_is_refused_and_a_killed_one_is_replaced(home: Home) -> None:
    listen = f"unix://{home.runtime}/d.sock"
    with daemon(home, "--listen", listen) as first:
        line(first)
        with daemon(home, "--listen", listen) as second:
            assert "another" in line(second)
            assert second.wait(20) == 125
        first.kill()
        first.wait()
        with daemon(home, "--listen", listen) as third:
            assert line(third).startswith("serving")


@pytest.mark.usefixtures("programs")
def test_one_that_meets_another_on_its_way_out_waits_for_its_end(home: Home) -> None:
    state = home.state / "cleanroom"
    state.mkdir(mode=0o700)
    last = Lock(state / "daemon.lock", "it")
    last.say_ending()
    with daemon(home) as process:
        assert process.stderr is not None
        assert not select.select([process.stderr], [], [], 1.0)[0]
        last.release()
        assert line(process).startswith("serving")


@pytest.mark.usefixtures("programs")
def test_an_idle_one_that_a_command_started_ends_by_itself(home: Home) -> None:
    with daemon(home, "--idle-exit", "0.5") as process:
        line(process)
        assert process.wait(20) == 0


def test_a_command_may_not_start_one_where_the_operator_forbids_it(home: Home) -> None:
    with daemon(home, "--idle-exit", "60", CLEANROOM_DAEMON_AUTOSTART="false") as process:
        assert "CLEANROOM_DAEMON_AUTOSTART" in line(process)
        assert process.wait(20) == 125


def test_a_wrong_configuration_stops_it_with_the_place(home: Home) -> None:
    (home.config / "cleanroom").mkdir()
    (home.config / "cleanroom" / "config.yaml").write_text("limits:\n  sandboxs: 1\n")
    with daemon(home) as process:
        message = line(process)
        assert "config.yaml:2:3" in message
        assert "sandboxes" in message  # the nearest known key
        assert process.wait(20) == 125


def test_a_wrong_address_is_a_usage_error(home: Home) -> None:
    with daemon(home, "--listen", "tcp://0.0.0.0:1") as process:
        assert "unix:///PATH" in line(process)
        assert process.wait(20) == 2
    assert list(home.runtime.iterdir()) == []


def test_a_starter_is_told_once_and_no_other_file_that_comes_by_its_number() -> None:
    reading, writing = os.pipe()
    other, by_number = os.pipe()
    lock = os.open(os.devnull, os.O_RDONLY)
    starter = Starter(writing, lock)
    starter.tell(ready=True)
    assert os.read(reading, 100) == b'{"ready": true}\n'
    os.dup2(by_number, writing)
    starter.tell(ready=False)
    for each in (by_number, writing):
        os.close(each)
    assert os.read(other, 100) == b""
    os.close(other)
    os.close(reading)
    Starter().tell(ready=True)  # nobody
