"""Which daemon a command talks to, and when one is started or replaced."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cleanroom import __version__
from cleanroom.client.calls import Call, RemoteError
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


@pytest.mark.parametrize(
    ("health", "words"),
    [
        ({"version": "9.9", "idle": True}, ("is version 9.9", "end it where it was started")),
        (
            {"changed": "/c.yaml", "on_demand": True, "sandboxes": 2},
            ("began before /c.yaml was changed", "2 sandboxes live there", "cleanroom stop --all"),
        ),
    ],
)
def test_a_busy_or_named_daemon_that_is_outdated_is_said(
    home: Home, health: dict[str, object], words: tuple[str, ...]
) -> None:
    said: list[str] = []
    script = Script({"GET /v1/health": Answer({**HEALTH, **health})})
    with scripted(home.runtime, script) as daemon:
        connect(caller(home, said, daemon.url)).close()
    assert all(word in said[0] for word in words), said


# A daemon as a client sees one, of another version; it ends when it is asked to, or says no.
STAND_IN = """
import json, socket, sys
path, mode = sys.argv[1:]
listener = socket.socket(socket.AF_UNIX)
listener.bind(path); listener.listen()
print("up", flush=True)
health = {"status": "ok", "version": "0.0", "pid": 1, "idle": True, "on_demand": True}
met = 0
while True:
    sock, _ = listener.accept()
    met += 1
    while asked := sock.recv(65536):
        retires = asked.startswith(b"POST /v1/retire ")
        leaves = mode == "gone" or (mode == "late" and met == 2)
        ends = leaves or (retires and mode == "idle")
        if ends:
            listener.close()
        if leaves:
            sys.exit()
        status, answer = 200, health
        if retires and mode == "busy":
            status, answer = 409, {"code": "conflict", "detail": "busy", "title": "", "status": 409}
        body = json.dumps(answer).encode()
        head = b"HTTP/1.1 %d X\\r\\nContent-Length: %d\\r\\n\\r\\n"
        sock.sendall(head % (status, len(body)) + body)
        if ends:
            sys.exit()
"""


@contextmanager
def stand_in(home: Home, mode: str) -> Iterator["subprocess.Popen[bytes]"]:  # noqa: TID251
    """An outdated daemon in the usual place."""
    folder = home.runtime / "cleanroom"
    folder.mkdir(mode=0o700)
    with subprocess.Popen(  # noqa: TID251 -- a test's own process
        [sys.executable, "-c", STAND_IN, str(folder / "cleanroom.sock"), mode],
        stdout=subprocess.PIPE,
    ) as old:
        assert old.stdout
        assert old.stdout.readline() == b"up\n"
        try:
            yield old
        finally:
            old.kill()


def end(pid: int) -> None:
    """End a daemon that a test started."""
    os.kill(pid, signal.SIGTERM)
    os.waitpid(pid, 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "why"),
    [
        ("idle", f", as the last one is version 0.0, this is {__version__}"),
        ("gone", ""),
        ("late", ""),
    ],
)
def test_an_idle_daemon_of_another_version_is_replaced(home: Home, mode: str, why: str) -> None:
    said: list[str] = []
    with stand_in(home, mode) as old:
        with connect(caller(home, said)) as connection:
            assert connection.call(Call("health")).text("version") == __version__
            new = connection.peer_pid()
        assert old.wait(30) == 0
    assert said == [f"cleanroom: started a daemon (pid {new}){why}; it ends by itself when idle"]
    assert os.getpgid(new) == new
    end(new)


def test_one_that_became_busy_is_used_and_said(home: Home) -> None:
    said: list[str] = []
    with stand_in(home, "busy") as old, connect(caller(home, said)) as connection:
        assert connection.peer_pid() == old.pid
    assert f"the daemon (pid {old.pid}) is version 0.0" in said[0]
    assert f"`kill {old.pid}` ends it" in said[0]


@pytest.mark.slow
def test_an_idle_daemon_takes_changed_settings_and_others_are_left_alone(home: Home) -> None:
    said: list[str] = []
    with connect(caller(home, said)) as first:
        old = first.peer_pid()
    file = home.config / "cleanroom" / "config.yaml"
    file.parent.mkdir()
    file.write_text("limits:\n  sandboxes: 3\n")
    with connect(caller(home, said, CLEANROOM_AUTOSTART="0")) as unchanged:
        assert unchanged.peer_pid() == old
    assert said[1] == (
        f"cleanroom: the daemon (pid {old}) began before {file} was changed; `kill {old}` ends it"
    )
    with connect(caller(home, said)) as second:
        new = second.peer_pid()
        values = {each.text("key"): each for each in second.call(Call("config")).items("values")}
    os.waitpid(old, 0)
    assert new != old
    assert values["limits.sandboxes"].text("value") == "3"
    assert f"(pid {new}), as the last one began before {file} was changed;" in said[2]
    with connect(caller(home, said)) as third:
        assert third.peer_pid() == new
    assert len(said) == 3
    file.write_text("limits:\n  sandboxs: 3\n")
    with pytest.raises(RemoteError, match=r"config\.yaml:2:3") as caught:
        connect(caller(home, said))
    assert [(each.line, each.hint) for each in caught.value.placed] == [
        (2, "did you mean 'sandboxes'?")
    ]
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
