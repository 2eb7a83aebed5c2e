"""One connection: calls, streams, an upgrade."""

import os
import socket
import threading
from pathlib import Path

import pytest

from cleanroom.client.blocking import Connection
from cleanroom.client.calls import Call, RemoteError
from cleanroom.errors import Code, Fault
from tests.client.scripted import Answer, Script, problem, scripted

ATTACH = Call("attach_execution", {"sandbox_id": "sbx_1", "execution_id": "exe_1"})


def chunked(*lines: bytes) -> bytes:
    """Return an NDJSON answer as an HTTP server streams it."""
    parts = b"".join(b"%x\r\n%s\r\n" % (len(line), line) for line in lines)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + parts + b"0\r\n\r\n"


class Raw(Answer):
    """An answer whose bytes are the test's own."""

    def bytes(self) -> bytes:
        """Return them."""
        assert isinstance(self.body, bytes)
        return self.body


def test_one_connection_serves_many_calls(short_path: Path) -> None:
    with scripted(short_path) as daemon, Connection.open(str(daemon.path)) as connection:
        assert connection.call(Call("health")).text("status") == "ok"
        assert connection.call(Call("create_run", body={})).text("id") == "run_1"
        assert connection.peer_pid() == os.getpid()
        assert len(daemon.requests) == 2


def test_a_connection_that_was_idle_for_too_long_is_made_anew(short_path: Path) -> None:
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(short_path / "d.sock"))
    server.listen()

    def serve() -> None:
        for _ in range(2):  # one answer for each connection
            peer, _ = server.accept()
            with peer:
                peer.recv(4096)
                peer.sendall(b"HTTP/1.1 200 X\r\nContent-Length: 2\r\n\r\n{}")

    thread = threading.Thread(target=serve)
    thread.start()
    with server, Connection.open(str(short_path / "d.sock")) as connection:
        connection.call(Call("health"))
        connection.renew()
        connection.call(Call("health"))
        thread.join(60)


def test_a_daemon_that_has_ended_in_the_meantime_is_a_fault_with_a_next_step(
    short_path: Path,
) -> None:
    with scripted(short_path) as daemon:
        path = str(daemon.path)
        connection = Connection.open(path)
    for ask_again in (connection.renew, lambda: Connection.again(path)):
        with pytest.raises(Fault, match="it has ended in the meantime") as caught:
            ask_again()
        assert (caught.value.code, caught.value.hint) == (
            Code.BACKEND_TRANSPORT_ERROR,
            "run it again",
        )


def test_a_refusal_is_raised_and_the_connection_goes_on(short_path: Path) -> None:
    script = Script({"GET /v1/version": problem("sandbox_not_found", "cannot find it", 404)})
    with scripted(short_path, script) as daemon, Connection.open(str(daemon.path)) as connection:
        with pytest.raises(RemoteError) as caught:
            connection.call(Call("version"))
        assert caught.value.code is Code.SANDBOX_NOT_FOUND
        with pytest.raises(RemoteError):
            connection.read(Call("version"))
        with pytest.raises(RemoteError):
            list(connection.lines(Call("version")))
        with pytest.raises(RemoteError):
            connection.upgrade(Call("version"))
        assert connection.call(Call("health")).text("status") == "ok"


def test_lines_come_one_by_one(short_path: Path) -> None:
    answer = Raw(chunked(b'{"type":"ev', b'ent"}\n', b'{"type":"exit"}\n'))
    script = Script({"GET /v1/audit": answer})
    with scripted(short_path, script) as daemon, Connection.open(str(daemon.path)) as connection:
        lines = connection.lines(Call("read_audit"))
        assert [line.text("type") for line in lines] == ["event", "exit"]


def test_an_upgrade_keeps_what_came_with_it(short_path: Path) -> None:
    with scripted(short_path) as daemon, Connection.open(str(daemon.path)) as connection:
        connection.call(Call("create_run", body={}))
        sock, first = connection.upgrade(ATTACH)
        assert (first or sock.recv(1))[0] == 0x81


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "does not attach"),
        (b"HTTP/1.1 101 X\r\nSec-WebSocket-Accept: x\r\n\r\n", "does not speak WebSocket"),
        (b"", "ended too early"),
    ],
)
def test_what_is_no_upgrade_is_a_fault(short_path: Path, answer: bytes, why: str) -> None:
    path = str(short_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def serve() -> None:
            sock, _ = listener.accept()
            with sock:
                sock.recv(65536)
                sock.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with Connection.open(path) as connection, pytest.raises(Fault, match=why):
            connection.upgrade(ATTACH)
        thread.join()


def test_no_daemon_is_an_os_error(short_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Connection.open(str(short_path / "absent"))


def test_a_lost_connection_names_the_request(short_path: Path) -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    with Connection(ours) as connection, pytest.raises(Fault, match="GET /v1/health"):
        connection.call(Call("health"))


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"])
def test_a_silent_daemon_is_given_up(begun: bytes) -> None:
    ours, theirs = socket.socketpair()
    ours.settimeout(0.01)
    theirs.sendall(begun)
    with theirs, Connection(ours) as connection, pytest.raises(Fault, match="did not answer"):
        connection.call(Call("health"))


def test_an_endless_answer_is_bounded(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cleanroom.client.blocking.BODY_LIMIT", 10)
    with (
        scripted(short_path) as daemon,
        Connection.open(str(daemon.path)) as connection,
        pytest.raises(Fault, match="too long"),
    ):
        connection.call(Call("health"))
