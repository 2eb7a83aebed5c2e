import hashlib
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cleanroom.gateway import store_wire as wire
from cleanroom.gateway.reactor import Reactor
from cleanroom.gateway.shelf import Shelf
from tests.gateway.shelves import Room, room

_PLACE = ("npm.example", "/ms", "json", "")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Room]:
    with room(tmp_path / "cache") as made:
        yield made


class _Heard:
    """What came back."""

    def __init__(self) -> None:
        self.said: list[object] = []
        self.descriptor = -1

    def count(self, number: int) -> Callable[[], bool]:
        """Return what is true when so much was said."""
        return lambda: len(self.said) >= number

    def found(self, found: wire.Found, descriptor: int) -> None:
        self.said.append(found)
        self.descriptor = descriptor

    def room(self, descriptor: int) -> None:
        self.said.append("room")
        self.descriptor = descriptor

    def kept(self, first_seen: str) -> None:
        self.said.append(("kept", first_seen))

    def failed(self, why: str) -> None:
        self.said.append(("failed", why))


def test_a_miss_gets_room_and_is_a_hit_afterwards(world: Room) -> None:
    heard, ticket = _Heard(), world.shelf.ticket()
    ticket.find(_PLACE, heard.found, heard.failed)
    world.turn_until(lambda: heard.said)
    assert heard.said == [wire.Found(1)]
    ticket.need_room(heard.room, heard.failed)
    world.turn_until(lambda: len(heard.said) == 2)
    os.write(heard.descriptor, b"page")
    os.close(heard.descriptor)
    sha256 = hashlib.sha256(b"page").hexdigest()
    ticket.keep((sha256, wire.Said("text/x", '"1"'), True), heard.kept, heard.failed)
    world.turn_until(lambda: len(heard.said) == 3)
    assert heard.said[2] == ("kept", sha256)
    ticket.drop()

    again, ticket = _Heard(), world.shelf.ticket()
    ticket.find(_PLACE, again.found, again.failed)
    world.turn_until(lambda: again.said)
    [found] = again.said
    assert isinstance(found, wire.Found)
    assert found.stored
    assert found.first_seen == sha256
    assert found.stored.said == wire.Said("text/x", '"1"')
    assert os.pread(again.descriptor, 100, 0) == b"page"
    with pytest.raises(OSError, match="Bad file"):
        os.write(again.descriptor, b"poison")
    os.close(again.descriptor)
    ticket.drop()


def test_another_digest_than_the_first_seen_is_not_kept(world: Room) -> None:
    for data in (b"first", b"other"):
        heard, ticket = _Heard(), world.shelf.ticket()
        ticket.find(_PLACE, heard.found, heard.failed)
        world.turn_until(heard.count(1))
        if heard.descriptor >= 0:
            os.close(heard.descriptor)
        ticket.need_room(heard.room, heard.failed)
        world.turn_until(heard.count(2))
        os.write(heard.descriptor, data)
        os.close(heard.descriptor)
        sha256 = hashlib.sha256(data).hexdigest()
        ticket.keep((sha256, wire.Said(), True), heard.kept, heard.failed)
        world.turn_until(heard.count(3))
        assert heard.said[2] == ("kept", hashlib.sha256(b"first").hexdigest())
        ticket.drop()
    assert world.store.info().blobs == 1


def test_what_has_another_digest_than_was_said_is_not_kept(world: Room) -> None:
    heard, ticket = _Heard(), world.shelf.ticket()
    ticket.find(_PLACE, heard.found, heard.failed)
    world.turn_until(lambda: heard.said)
    ticket.need_room(heard.room, heard.failed)
    world.turn_until(lambda: heard.descriptor >= 0)
    os.write(heard.descriptor, b"page")
    os.close(heard.descriptor)
    ticket.keep(("0" * 64, wire.Said(), False), heard.kept, heard.failed)
    world.turn_until(lambda: any("failed" in str(each) for each in heard.said))
    assert world.store.info().blobs == 0


def test_a_damaged_blob_is_forgotten_and_a_validation_is_kept(world: Room) -> None:
    world.put(*_PLACE[:2], b"page", _PLACE[2])
    world.clock.now += 100
    ages: list[float] = []
    ticket = world.shelf.ticket()
    for _ in range(2):
        heard, ticket = _Heard(), world.shelf.ticket()
        ticket.find(_PLACE, heard.found, heard.failed)
        world.turn_until(heard.count(1))
        os.close(heard.descriptor)
        [found] = heard.said
        assert isinstance(found, wire.Found)
        assert found.stored
        ages.append(found.stored.age_s)
        ticket.validated()
    assert ages == [100.0, 0.0]
    ticket.damaged()
    heard, ticket = _Heard(), world.shelf.ticket()
    ticket.find(_PLACE, heard.found, heard.failed)
    world.turn_until(lambda: heard.said)
    assert heard.said == [wire.Found(4)]


def test_who_was_dropped_hears_nothing(world: Room) -> None:
    world.put(*_PLACE[:2], b"page", _PLACE[2])
    silent, heard = _Heard(), _Heard()
    dropped, ticket = world.shelf.ticket(), world.shelf.ticket()
    dropped.find(_PLACE, silent.found, silent.failed)
    dropped.drop()
    dropped.drop()
    ticket.find(_PLACE, heard.found, heard.failed)
    world.turn_until(lambda: heard.said)
    os.close(heard.descriptor)
    assert silent.said == []


def test_the_end_of_a_hit_is_said_with_the_next_question_and_that_of_a_room_at_once() -> None:
    reactor = Reactor()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    shelf, heard = Shelf(reactor, ours), _Heard()

    def said() -> wire.ToStore:
        return wire.decode_for_store(theirs.recv(wire.MAX_PACKET_BYTES))

    hits = [shelf.ticket() for _ in range(wire.MOST_OVER + 1)]
    for hit in hits:
        hit.find(_PLACE, heard.found, heard.failed)
        assert isinstance(said(), wire.Find)
    for hit in hits:
        hit.drop()
        hit.drop()
    assert said() == wire.Drop(wire.MOST_OVER + 1)
    miss = shelf.ticket()
    miss.find(_PLACE, heard.found, heard.failed)
    over = tuple(range(1, wire.MOST_OVER + 1))
    assert said() == wire.Find(wire.MOST_OVER + 2, *_PLACE, over=over)
    miss.need_room(heard.room, heard.failed)
    assert said() == wire.NeedRoom(wire.MOST_OVER + 2)
    miss.drop()
    assert said() == wire.Drop(wire.MOST_OVER + 2)
    theirs.close()
    shelf.close()
    reactor.close()


def test_when_the_daemon_is_gone_everyone_is_told() -> None:
    reactor = Reactor()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    shelf, heard = Shelf(reactor, ours), _Heard()
    shelf.ticket().find(_PLACE, heard.found, heard.failed)
    theirs.close()
    while not heard.said:
        reactor.turn(0.05)
    late = shelf.ticket()
    late.find(_PLACE, heard.found, heard.failed)
    late.validated()
    late.drop()
    while len(heard.said) < 2:
        reactor.turn(0.05)
    assert heard.said == [("failed", "the daemon's end of the content cache is closed")] * 2
    shelf.close()
    reactor.close()


@pytest.mark.parametrize(
    "packet",
    [
        b"no message",
        wire.encode(wire.Room(1)),
        wire.encode(wire.Kept(1)),
        wire.encode(wire.Found(9)),
    ],
)
def test_an_answer_to_another_question_is_a_failure(packet: bytes) -> None:
    reactor = Reactor()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    shelf, heard = Shelf(reactor, ours), _Heard()
    shelf.ticket().find(_PLACE, heard.found, heard.failed)
    with open(os.devnull, "rb") as null:  # noqa: PTH123 -- a descriptor nobody asked for
        socket.send_fds(theirs, [packet], [null.fileno()])
    if packet == wire.encode(wire.Found(9)):
        theirs.close()
    while not heard.said:
        reactor.turn(0.05)
    assert "failed" in str(heard.said)
    assert heard.descriptor == -1
    theirs.close()
    shelf.close()
    reactor.close()


def test_without_a_store_everything_fails_later_not_at_once() -> None:
    reactor = Reactor()
    shelf, heard = Shelf(reactor, None), _Heard()
    shelf.ticket().find(_PLACE, heard.found, heard.failed)
    assert heard.said == []
    while not heard.said:
        reactor.turn(0.05)
    shelf.close()
    reactor.close()
