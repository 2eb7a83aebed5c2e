"""Which daemon a command talks to, and when one is started or replaced."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cleanroom import __version__
from cleanroom.client.calls import Call
from cleanroom.client.connect import Caller, connect, may_start
from cleanroom.errors import Code, Fault, Refused
from tests.client.scripted import HEALTH, Answer, Script, scripted
from tests.conftest import Home


def caller(home: Home, said: list[str], host: str | None = None, **environ: str) -> Caller:
    return Caller(host, autostart=True, environ={**home.environment, **environ}, say=said.append)


def test_a_daemon_of_this_version_is_simply_used(home: Home) -> None:
    said: list[str] = []
    with (
        scripted(home.runtime) as daemon,
        connect(caller(home, said, CLEANROOM_HOST=daemon.url)) as connection,
    ):
        assert connection.call(Call("health")).text("version") == __version__
    assert said == []


def test_nothing_is_started_where_a_person_named_the_endpoint(home: Home) -> None:
    with pytest.raises(Refused, match="nothing listens at unix:///nonexistent/s"):
        connect(caller(home, [], "unix:///nonexistent/s"))


@pytest.mark.parametrize("word", ["0", "off", "No", "FALSE"])
def test_starting_can_be_switched_off(home: Home, word: str) -> None:
    with pytest.raises(Refused, match=r"cleanroom\.sock") as caught:
        connect(caller(home, [], CLEANROOM_AUTOSTART=word))
    assert caught.value.hint.startswith("cleanroom serve --listen unix://")
    assert not may_start(Caller(None, autostart=False, environ={}, say=print))
    assert may_start(Caller(None, autostart=True, environ={"CLEANROOM_AUTOSTART": "1"}, say=print))


def test_a_socket_that_may_not_be_used_is_a_fault(home: Home) -> None:
    (home.runtime / "file").touch()
    (home.runtime / "folder").mkdir()
    with pytest.raises(Refused):
        connect(caller(home, [], f"unix://{home.runtime}/file"))  # refused: nobody listens
    with pytest.raises(Refused):
        connect(caller(home, [], f"unix://{home.runtime}/file/below"))
    looped = home.runtime / "loop"
    looped.symlink_to("loop")
    with pytest.raises(Fault, match="cannot reach the daemon"):
        connect(caller(home, [], f"unix://{looped}"))


def test_a_busy_or_named_daemon_of_another_version_is_said(home: Home) -> None:
    said: list[str] = []
    script = Script({"GET /v1/health": Answer({**HEALTH, "version": "9.9", "idle": True})})
    with scripted(home.runtime, script) as daemon:
        connect(caller(home, said, daemon.url)).close()
    assert "the daemon is version 9.9" in said[0]


STAND_IN = """
import json, os, signal, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1]); listener.listen()
print("up", flush=True)
sock, _ = listener.accept()
sock.recv(65536)
body = json.dumps({"status": "ok", "version": "0.0", "pid": 1, "idle": True}).encode()
sock.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body)
signal.pause()
"""


@pytest.mark.slow
def test_an_idle_daemon_of_another_version_is_replaced(home: Home) -> None:
    said: list[str] = []
    folder = home.runtime / "cleanroom"
    folder.mkdir(mode=0o700)
    path = folder / "cleanroom.sock"
    with subprocess.Popen(  # noqa: TID251 -- a test's own process
        [sys.executable, "-c", STAND_IN, str(path)], stdout=subprocess.PIPE
    ) as old:
        assert old.stdout
        assert old.stdout.readline() == b"up\n"
        with connect(caller(home, said)) as connection:
            assert connection.call(Call("health")).text("version") == __version__
            new = connection.peer_pid()
        assert old.wait(10) == -signal.SIGTERM
    assert said == [f"cleanroom: started a daemon (pid {new}); it ends by itself when idle"]
    assert os.getpgid(new) == new
    os.kill(new, signal.SIGTERM)
    os.waitpid(new, 0)


@pytest.mark.slow
def test_a_command_that_finds_none_starts_one_and_the_next_uses_it(home: Home) -> None:
    said: list[str] = []
    with connect(caller(home, said, CLEANROOM_TOOLS="/opt/tools")) as first:
        pid = first.peer_pid()
    with connect(caller(home, said)) as second:
        assert second.peer_pid() == pid
    assert said[1:] == ["cleanroom: it reads config.yaml, not CLEANROOM_TOOLS"]
    assert Path(f"/proc/{pid}/cwd").resolve() == Path("/")
    os.kill(pid, signal.SIGTERM)
    os.waitpid(pid, 0)


def test_configuration_can_forbid_it(home: Home) -> None:
    folder = home.config / "cleanroom"
    folder.mkdir()
    (folder / "config.yaml").write_text("daemon:\n  autostart: false\n")
    began = time.monotonic()
    with pytest.raises(Exception, match=r"daemon\.autostart is false") as caught:
        connect(caller(home, []))
    assert getattr(caught.value, "code", None) is Code.BACKEND_UNAVAILABLE
    assert time.monotonic() - began < 10
