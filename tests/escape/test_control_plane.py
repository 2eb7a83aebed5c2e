"""Hostile clients against the daemon's API: promises C1 to C5, C8, C9, C12 and I15.

One daemon serves the whole file: what one test does to it must not show in another.
"""

import base64
import contextlib
import json
import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import Home
from tests.escape.control import Api, Json, Served, open_files, somebody, until
from tests.people import Person, descendants

pytestmark = [pytest.mark.escape, pytest.mark.slow]

OTHER_UID = 65534
HEALTH_S = 1.0  # with 150 slow clients
CONNECT = """
import os, socket, sys
os.setgid({uid}); os.setuid({uid})
client = socket.socket(socket.AF_UNIX)
try:
    client.connect({path!r})
except PermissionError:
    sys.exit("no way in")
client.sendall(b"GET /v1/sandboxes HTTP/1.1\\r\\nHost: d\\r\\nConnection: close\\r\\n\\r\\n")
print(client.recv(65536).decode())
"""


@pytest.fixture(scope="module")
def served(programs: Path) -> Iterator[Served]:
    assert programs.is_dir()
    with somebody() as made:
        yield made


@pytest.fixture
def sandbox(served: Served) -> Iterator[str]:
    """A sandbox that allows nothing."""
    made = served.api.sandbox()
    yield made
    served.api.ask("POST", f"/v1/sandboxes/{made}/stop")


def healthy(api: Api) -> float:
    """Ask for the daemon's health; return how long the answer took."""
    began = time.monotonic()
    status, said = api.ask("GET", "/v1/health")
    assert status == 200, said
    return time.monotonic() - began


def connect_as(uid: int, path: Path) -> str:
    """Ask for the sandboxes as another user, return everything that was said."""
    program = CONNECT.format(uid=uid, path=str(path))
    done = subprocess.run(
        [sys.executable, "-ISc", program], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def test_the_socket_is_for_its_owner(served: Served) -> None:
    """C1."""
    socket_file = served.person.socket
    assert stat.S_IMODE(socket_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(socket_file.parent.stat().st_mode) == 0o700
    assert socket_file.stat().st_uid == socket_file.parent.stat().st_uid == os.geteuid()
    assert "200 OK" in connect_as(os.geteuid(), socket_file)


def test_another_user_is_refused_even_where_the_modes_would_let_them_in(home: Home) -> None:
    """C1: only root can act as another user, so an ordinary user plays the one who is refused."""
    person = Person(home)
    with person.serving():
        if os.geteuid():
            # The kernel's answer for any socket of root's that is open to all: see access.py.
            assert "200 OK" in connect_as(os.geteuid(), person.socket)
            return
        assert "no way in" in connect_as(OTHER_UID, person.socket)
        for folder in (person.socket.parent, *person.socket.parents[1:3]):
            folder.chmod(0o755)
        person.socket.chmod(0o666)
        said = connect_as(OTHER_UID, person.socket)
        assert "403" in said
        assert f"cannot serve uid {OTHER_UID}" in said
        assert "sandboxes" not in said.partition("\r\n\r\n")[2]


@pytest.mark.parametrize(
    "word",
    ["..%2f..%2fetc", "%2e%2e", "%00", "sbx_%00", "sbx_%0a", "%F0%9D%9F%99", "%D9%A1", "sbx_",
     "sbx_" + "0" * 20, "-", "a" * 3000, "%25", "%FF", "sbx_%0d%0aX:1", "*", "'--"],
)  # fmt: skip
def test_a_hostile_id_names_nothing(served: Served, sandbox: str, word: str) -> None:
    """C2."""
    places = (
        f"/v1/sandboxes/{word}",
        f"/v1/sandboxes/{word}/executions",
        f"/v1/sandboxes/{sandbox}/executions/{word}",
        f"/v1/runs/{word}",
        f"/v1/runs/{word}/changes",
        f"/v1/runs/sandbox:{word}/patch",
    )
    for place in places:
        status, said = served.api.ask("GET", place)
        assert status in (400, 404), (place, said)
    assert served.api.ask("GET", f"/v1/sandboxes/{sandbox}")[0] == 200


def bodies(workspace: str) -> dict[str, bytes]:
    """Bodies that are no request."""
    good = json.dumps({"workspace": workspace})
    return {
        "deep": b"[" * 100_000,
        "deep inside": b'{"workspace": "/", "policy": ' + b'{"a":' * 50_000,
        "nan": good.replace("{", '{"options": {"timeout_s": NaN},').encode(),
        "infinity": good.replace("{", '{"options": {"timeout_s": 1e999},').encode(),
        "negative": good.replace("{", '{"options": {"timeout_s": -1},').encode(),
        "twice": good.replace("{", '{"workspace": "/",').encode(),
        "unknown": good.replace("{", '{"privileged": true,').encode(),
        "surrogate": good.replace("{", '{"policy": {"text": "\\ud800"},').encode(),
        "not utf-8": good.encode().replace(b"{", b'{"policy": {"text": "\xff"},'),
        "nothing": b"",
        "null": b"null",
    }


@pytest.mark.parametrize("name", bodies("/"))
def test_a_body_that_is_no_request_is_refused_and_starts_nothing(served: Served, name: str) -> None:
    """C3."""
    body = bodies(served.api.workspace)[name]
    began = time.monotonic()
    status, said = served.api.send("POST", "/v1/sandboxes", body)
    assert status == 400, said
    assert said["code"] in ("request_invalid", "policy_invalid"), said
    assert time.monotonic() - began < 2
    assert served.api.ask("GET", "/v1/sandboxes")[1]["sandboxes"] == []


@pytest.mark.parametrize(
    ("head", "statuses"),
    [
        ("Content-Length: 1000000000000", {"413"}),
        ("Content-Length: 314572800", {"413"}),
        ("Transfer-Encoding: chunked", {"413"}),
        ("Content-Length: -1", {"400"}),
        ("Content-Length: 5\r\nContent-Length: 6", {"400"}),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", {"400"}),
        ("Content-Encoding: gzip\r\nContent-Length: 20", {"400", "415"}),
        ("X: " + "a" * 1_000_000, {"400", "431"}),
    ],
)
def test_a_giant_is_refused_before_it_is_read(
    served: Served, head: str, statuses: set[str]
) -> None:
    """C3: at most what a policy with its lock files may have is ever taken."""
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    with served.api.connect() as client:
        sent = 0
        with contextlib.suppress(OSError):
            client.sendall(f"POST /v1/sandboxes HTTP/1.1\r\nHost: d\r\n{head}\r\n\r\n".encode())
            while sent < 300 * 1024 * 1024 and not _answered(client):
                sent += client.send(chunk)
        answer = client.recv(4096).decode()
    assert answer.split()[1] in statuses, answer
    assert sent < 32 * 1024 * 1024
    assert healthy(served.api) < HEALTH_S


def _answered(client: socket.socket) -> bool:
    client.setblocking(False)  # noqa: FBT003 -- the socket's own interface
    try:
        return bool(client.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False
    finally:
        client.settimeout(20)


def test_150_slow_clients_stop_nobody(served: Served, sandbox: str) -> None:
    """C4: heads, bodies and readers that never come to an end."""
    _, flood = served.api.start(sandbox, "yes")
    output = f"/v1/sandboxes/{sandbox}/executions/{flood['id']}/output?follow=true"
    head = b"POST /v1/sandboxes HTTP/1.1\r\nHost: d\r\n"
    slow = (
        head,
        head + b"Content-Length: 900\r\n\r\n{",
        f"GET {output} HTTP/1.1\r\nHost: d\r\n\r\n",
    )
    with contextlib.ExitStack() as held:
        for number in range(150):
            client = held.enter_context(served.api.connect())
            words = slow[number % 3]
            client.sendall(words if isinstance(words, bytes) else words.encode())
        took = [healthy(served.api) for _ in range(5)]
        assert sorted(took)[2] < HEALTH_S, took
        done = served.person.types("exec", "--", "echo served")
        assert done.stdout == "served\n", done.stderr
    files = open_files(served.daemon)
    until(lambda: open_files(served.daemon) <= max(60, files - 100), 10, "descriptors return")


def test_32_commands_at_once_in_one_sandbox_all_end_as_they_should(
    served: Served, sandbox: str
) -> None:
    """C5."""

    def one(number: int) -> Json:
        status, made = served.api.start(sandbox, f"echo {number}; exit {number}")
        assert status == 201, made
        return served.api.ended(made)

    with ThreadPoolExecutor(32) as pool:
        ended = list(pool.map(one, range(32)))
    assert [each["exit_code"] for each in ended] == list(range(32))
    assert len({each["id"] for each in ended}) == 32


def test_a_stop_during_commands_ends_them_and_nothing_starts_after_it(served: Served) -> None:
    """C5: stop, a second stop at the same time, then a command."""
    made = served.api.sandbox()
    started = [served.api.start(made, "sleep 60")[1] for _ in range(4)]

    def running() -> list[str]:
        return [words for words in descendants(served.daemon).values() if words == "sleep 60 "]

    until(lambda: len(running()) == 4, 5, "they run: the control")
    with ThreadPoolExecutor(4) as pool:
        stops = list(
            pool.map(lambda _: served.api.ask("POST", f"/v1/sandboxes/{made}/stop"), range(4))
        )
    assert [(status, said["state"]) for status, said in stops] == [(200, "stopped")] * 4
    assert not running()
    for each in started:
        assert served.api.ended(each)["state"] == "canceled"
    status, said = served.api.start(made, "true")
    assert (status, said["code"]) == (409, "conflict")
    assert served.api.ask("POST", f"/v1/sandboxes/{made}/stop")[0] == 200


def test_a_stop_ends_what_left_its_session_and_its_parent(served: Served) -> None:
    """I15: twice forked, in sessions of their own, deaf to signals."""
    made = served.api.sandbox()
    deaf = "trap '' TERM HUP INT; while :; do sleep 777; done"
    program = f'for i in 1 2 3; do setsid sh -c "{deaf}" >/dev/null 2>&1 & done; echo gone'
    status, started = served.api.start(made, program)
    assert status == 201
    assert served.api.ended(started)["exit_code"] == 0

    def daemons() -> list[int]:
        return [pid for pid, words in descendants(served.daemon).items() if "sleep 777" in words]

    until(lambda: len(daemons()) >= 3, 5, "they run on after their command: the control")
    assert served.api.ask("POST", f"/v1/sandboxes/{made}/stop")[1]["state"] == "stopped"
    assert not daemons()


def test_a_command_that_runs_too_long_is_ended(served: Served, sandbox: str) -> None:
    """C9: TERM is ignored, so KILL has to follow; the sandbox stays usable."""
    began = time.monotonic()
    _, started = served.api.start(sandbox, "trap '' TERM; sleep 60 & wait; sleep 60", timeout_s=0.5)
    ended = served.api.ended(started)
    assert (ended["state"], ended["failure"]["code"]) == ("timed_out", "timed_out")
    assert time.monotonic() - began < 12
    assert served.api.ended(served.api.start(sandbox, "exit 3")[1])["exit_code"] == 3


def request_of(place: str, way: str) -> bytes:
    """Return a request for the output of an execution, as lines or as a web socket."""
    key = base64.b64encode(os.urandom(16)).decode()
    upgrade = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
    more = upgrade + "Sec-WebSocket-Version: 13\r\n" if way == "attach" else ""
    return f"GET {place}/{way} HTTP/1.1\r\nHost: d\r\n{more}\r\n".encode()


@pytest.mark.parametrize("way", ["output?follow=true", "attach"])
def test_a_client_that_vanishes_in_a_flood_is_no_failure_of_the_daemon(
    home: Home, programs: Path, way: str
) -> None:
    """C12: it leaves with much unread; the daemon's log has no traceback."""
    assert programs.is_dir()
    person = Person(home)
    log = home.state / "log"
    with log.open("w") as stderr, person.serving(stderr):
        api = Api(person)
        sandbox = api.sandbox()
        _, started = api.start(sandbox, "yes", detach=False)
        with api.connect() as client:
            client.sendall(request_of(f"/v1/sandboxes/{sandbox}/executions/{started['id']}", way))
            assert client.recv(4096)
            assert len(client.recv(65536)) > 0
        assert api.ended(started)["state"] == "canceled"
    assert "serving" in log.read_text()  # the control: it is the daemon's log
    assert "raceback" not in log.read_text()


@pytest.mark.parametrize("gone", ["closed", "half closed"])
@pytest.mark.parametrize("way", ["output?follow=true", "attach"])
def test_a_client_that_vanishes_ends_its_command(
    served: Served, sandbox: str, way: str, gone: str
) -> None:
    """C12: who can send nothing any more counts as gone."""
    files = open_files(served.daemon)
    _, started = served.api.start(sandbox, "echo up; sleep 60", detach=False)
    place = f"/v1/sandboxes/{sandbox}/executions/{started['id']}"
    with served.api.connect() as client:
        client.sendall(request_of(place, way))
        said = b""
        while b"up" not in said.partition(b"\r\n\r\n")[2]:
            said += client.recv(4096)
        assert served.api.ask("GET", place)[1]["state"] == "running"
        if gone == "closed":
            client.close()
        else:
            client.shutdown(socket.SHUT_WR)
        assert served.api.ended(started)["state"] == "canceled"
    until(lambda: open_files(served.daemon) <= files, 5, "its descriptors return")


def test_a_client_that_was_killed_before_it_attached_ends_its_command(
    served: Served, sandbox: str
) -> None:
    """C12: between the request and the attachment nobody owns the command."""
    _, started = served.api.start(sandbox, "sleep 60", detach=False)
    assert served.api.ended(started)["state"] == "canceled"
    _, kept = served.api.start(sandbox, "sleep 6; exit 4")
    assert served.api.ended(kept)["exit_code"] == 4  # the control: nobody has to attach to it


def test_an_open_standard_input_hangs_nothing(served: Served) -> None:
    """I15: nobody ever writes to it or closes it; a command that does not read it still ends."""
    reader, writer = os.pipe()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "cleanroom", "exec", "--", "echo done"],
            stdin=reader, capture_output=True, text=True, check=False, timeout=15,
            cwd=served.person.work, env=served.person.environment,
        )  # fmt: skip
    finally:
        os.close(reader)
        os.close(writer)
    assert (done.returncode, done.stdout) == (0, "done\n")


def test_a_second_daemon_takes_neither_socket_nor_state(served: Served) -> None:
    """C8."""
    on_same_socket = served.person.types("serve", "--listen", f"unix://{served.person.socket}")
    assert on_same_socket.returncode == 125
    assert "use that daemon" in on_same_socket.stderr
    other = served.person.socket.with_name("other.sock")
    on_same_state = served.person.types("serve", "--listen", f"unix://{other}")
    assert on_same_state.returncode == 125
    assert "use that daemon" in on_same_state.stderr
    assert not other.exists()
    assert healthy(served.api) < HEALTH_S


@pytest.mark.parametrize("kind", ["link", "file", "folder", "fifo"])
def test_a_socket_path_that_somebody_prepared_is_not_used(home: Home, kind: str) -> None:
    """C8: a link is not followed, and what lies there is not removed."""
    person = Person(home)
    person.socket.parent.mkdir(mode=0o700)
    victim = home.home / "victim"
    victim.write_text("untouched")
    make: dict[str, Callable[[], object]] = {
        "link": lambda: person.socket.symlink_to(victim),
        "file": lambda: person.socket.write_text("untouched"),
        "folder": person.socket.mkdir,
        "fifo": lambda: os.mkfifo(person.socket),
    }
    make[kind]()
    done = person.types("serve", "--listen", f"unix://{person.socket}")
    assert done.returncode == 125
    assert "something else is there" in done.stderr
    assert os.path.lexists(person.socket)
    assert victim.read_text() == "untouched"


def test_a_socket_that_a_dead_daemon_left_is_replaced(home: Home) -> None:
    """C8: the control of the test above."""
    person = Person(home)
    person.socket.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(person.socket))
    with person.serving():
        assert healthy(Api(person)) < HEALTH_S
