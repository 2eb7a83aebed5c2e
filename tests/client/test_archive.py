"""An archive over a WebSocket: every byte, and its last word."""

import json
import socket
import threading
from collections.abc import Callable

import pytest

from cleanroom.client.archive import receive, send
from cleanroom.client.blocking import Upgraded
from cleanroom.client.calls import RemoteError
from cleanroom.errors import Code, Fault
from tests.client.scripted import Peer

PROBLEM = {"title": "t", "status": 500, "detail": "cannot read it", "code": "internal"}


def talk(play: Callable[[Peer], None], ours: Callable[[Upgraded], object]) -> object:
    """Let a daemon play in a thread, and return what we make of it."""
    here, there = socket.socketpair()
    peer = Peer(there)

    def work() -> None:
        play(peer)
        peer.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        return ours((here, b""))
    finally:
        here.close()
        thread.join(30)


def test_bytes_come_until_the_last_word() -> None:
    def play(peer: Peer) -> None:
        peer.output(97, b"bc")
        peer.output(100, b"ef")
        peer.exit()

    assert talk(play, lambda way: b"".join(receive(way))) == b"abcdef"


def test_what_failed_is_said() -> None:
    with pytest.raises(RemoteError, match="cannot read it"):
        talk(lambda peer: peer.say("error", problem=PROBLEM), lambda way: list(receive(way)))


def test_a_connection_that_is_lost_is_no_end() -> None:
    with pytest.raises(Fault, match="closed the connection") as lost:
        talk(lambda peer: peer.output(97, b""), lambda way: list(receive(way)))
    assert lost.value.code is Code.BACKEND_TRANSPORT_ERROR


def test_what_is_sent_ends_and_is_waited_for() -> None:
    got: list[bytes] = []

    def play(peer: Peer) -> None:
        while (message := peer.message()) is not None and message[0] == 2:
            got.append(message[1])
        assert message is not None
        assert json.loads(message[1]) == {"type": "eof"}
        peer.exit()

    talk(play, lambda way: send(way, [b"one", b"two"]))
    assert got == [b"one", b"two"]


def test_a_daemon_that_gives_up_early_is_heard() -> None:
    def play(peer: Peer) -> None:
        peer.message()
        peer.say("error", problem=PROBLEM)
        while peer.message() is not None:
            pass

    def ours(way: Upgraded) -> None:
        send(way, [b"x" * 1000] * 3)

    with pytest.raises(RemoteError, match="cannot read it"):
        talk(play, ours)
