"""One end of a relayed connection."""

import socket
from collections.abc import Iterator

import pytest

from cleanroom.gateway.endpoint import BrokenError, Endpoint, close_with_reset
from cleanroom.gateway.reactor import Reactor
from tests.gateway.world import connect, listening, received, turn_until


class Pair:
    """An endpoint, and its peer in the test's hand."""

    def __init__(self, reactor: Reactor) -> None:
        self.reactor = reactor
        with listening() as server:
            self.peer = connect(server)
            accepted, _ = server.accept()
        accepted.settimeout(0)
        self.changes = 0
        self.end = Endpoint(reactor, accepted, self.changed)
        reactor.watch(accepted.fileno(), self.end)

    def changed(self) -> None:
        self.changes += 1


@pytest.fixture
def pair() -> Iterator[Pair]:
    reactor = Reactor()
    made = Pair(reactor)
    yield made
    made.end.close()
    made.peer.close()
    reactor.close()


def test_what_was_received_is_told_and_its_end_too(pair: Pair) -> None:
    assert pair.end.receive(10) == b""
    pair.peer.send(b"partly")
    turn_until(pair.reactor, lambda: pair.end.can_receive)
    assert pair.end.receive(3) == b"par"
    assert pair.end.can_receive
    assert pair.end.receive(10) == b"tly"
    pair.peer.shutdown(socket.SHUT_WR)
    turn_until(pair.reactor, lambda: pair.end.can_receive)
    assert pair.end.receive(10) == b""
    assert pair.end.ended
    assert not pair.end.can_receive


def test_bytes_and_end_in_one_go_are_both_found(pair: Pair) -> None:
    pair.end.receive(10)
    pair.peer.send(b"x")
    pair.peer.shutdown(socket.SHUT_WR)
    turn_until(pair.reactor, lambda: pair.end.can_receive)
    got = b""
    while not pair.end.ended:
        got += pair.end.receive(10)
        if not pair.end.can_receive:
            turn_until(pair.reactor, lambda: pair.end.can_receive or pair.end.ended)
    assert got == b"x"


def test_what_cannot_be_sent_now_is_kept_and_sent_in_order(pair: Pair) -> None:
    data = bytes(range(256)) * (1 << 16)
    pair.end.send(memoryview(data))
    assert pair.end.pending_bytes > 0
    pair.end.send(memoryview(b"last"))
    pair.end.is_ending = True
    arrived = bytearray()
    while (piece := received(pair.peer)) != b"":
        arrived += piece or b""
        pair.reactor.turn(0.01)
        pair.end.flush()
    assert arrived == data + b"last"
    assert pair.end.is_drained
    assert pair.end.pending_bytes == 0
    assert pair.end.sent_bytes == len(arrived)


def test_a_reset_breaks_it(pair: Pair) -> None:
    pair.end.receive(10)
    close_with_reset(pair.peer)
    turn_until(pair.reactor, lambda: pair.end.can_receive)
    with pytest.raises(BrokenError):
        pair.end.receive(10)
    with pytest.raises(BrokenError):
        pair.end.send(memoryview(b"x"))


def test_a_reset_is_what_the_peer_sees_of_one(pair: Pair) -> None:
    pair.end.close(reset=True)
    pair.peer.settimeout(5)
    with pytest.raises(ConnectionResetError):
        pair.peer.recv(1)
