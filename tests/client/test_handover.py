"""The client's half of the hand-over, against a daemon that scripts its answers."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cleanroom.client.blocking import Connection
from cleanroom.client.calls import RemoteError
from cleanroom.client.handover import HandOver
from cleanroom.errors import CleanroomError, Fault, Refused
from tests.daemon.test_handovers import sealed

SWITCH = b"HTTP/1.1 101 X\r\n\r\n"


class Listening:
    """What arrived at a daemon, with the value of the descriptor."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "d.sock")
        self.line, self.value = b"", b""


@contextmanager
def daemon(folder: Path, head: bytes, answer: bytes) -> Iterator[Listening]:
    """Have a daemon that takes one hand-over and answers it so."""
    listening = Listening(folder)
    server = socket.socket(socket.AF_UNIX)
    server.bind(listening.path)
    server.listen()

    def serve() -> None:
        peer, _ = server.accept()
        with peer:
            peer.recv(4096)
            peer.sendall(head)
            if head == SWITCH:
                listening.line, descriptors, _, _ = socket.recv_fds(peer, 4096, 4)
                for descriptor in descriptors:
                    listening.value = os.pread(descriptor, 99, 0)
                    os.close(descriptor)
                peer.sendall(answer)
                if answer:
                    peer.recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listening
    finally:
        thread.join(60)
        server.close()


def test_descriptors_go_beside_the_ids(tmp_path: Path) -> None:
    value = sealed()
    with (
        daemon(tmp_path, SWITCH, b'{"ticket": "t"}\n') as listening,
        HandOver(listening.path, {"s": value}) as handover,
    ):
        assert handover.ticket == "t"
    os.close(value)
    assert (listening.line, listening.value) == (b'["s"]\n', b"a value of it")


@pytest.mark.parametrize(
    ("head", "answer", "kind"),
    [
        (SWITCH, b'{"code": "request_invalid", "detail": "no"}\n', RemoteError),
        (SWITCH, b"", Fault),
        (b"HTTP/1.1 200 X\r\nContent-Length: 2\r\n\r\n{}", b"", Fault),
    ],
)
def test_another_answer_is_an_error(
    tmp_path: Path, head: bytes, answer: bytes, kind: type[CleanroomError]
) -> None:
    value = sealed()
    with daemon(tmp_path, head, answer) as listening, pytest.raises(kind):
        HandOver(listening.path, {"s": value})
    os.close(value)


def test_a_daemon_of_somebody_else_is_given_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: mine + 1)
    ours, theirs = socket.socketpair()
    with theirs, Connection(ours) as connection, pytest.raises(Refused, match="belongs to uid"):
        connection.check_owner()
