import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom.cache.store import Store
from cleanroom.daemon.cache_link import CacheLink
from cleanroom.gateway import store_wire as wire


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(tmp_path / "cache", 10**6, lambda: 0.0)
    yield store
    store.close()


@pytest.fixture
def gateway(store: Store) -> Iterator[socket.socket]:
    link = CacheLink(lambda: store)
    sock = link.theirs.dup()
    sock.settimeout(30)
    link.start()
    yield sock
    sock.close()
    link.close()
    link.close()


def _ask(sock: socket.socket, message: wire.ToStore) -> tuple[wire.ToGateway, list[int]]:
    sock.send(wire.encode(message))
    packet, descriptors, _, _ = socket.recv_fds(sock, wire.MAX_PACKET_BYTES, 4)
    return wire.decode_for_gateway(packet), descriptors


def test_a_room_has_no_name(store: Store, gateway: socket.socket) -> None:
    assert _ask(gateway, wire.Find(1, "npm.example", "/ms")) == (wire.Found(1), [])
    answer, [descriptor] = _ask(gateway, wire.NeedRoom(1))
    assert answer == wire.Room(1)
    assert os.fstat(descriptor).st_nlink == 0
    os.close(descriptor)


@pytest.mark.parametrize(
    "packets",
    [
        [b"no message"],
        [wire.encode(wire.Find(1, "a", "/")), wire.encode(wire.Find(1, "a", "/"))],
        [wire.encode(wire.Find(1, "a", "/")), wire.encode(wire.Keep(1, "0" * 64))],
    ],
)
def test_a_gateway_that_makes_no_sense_is_left(
    gateway: socket.socket, packets: list[bytes]
) -> None:
    for packet in packets:
        gateway.send(packet)
    while gateway.recv(wire.MAX_PACKET_BYTES):
        pass


def test_a_question_about_no_request_is_ignored(gateway: socket.socket) -> None:
    gateway.send(wire.encode(wire.NeedRoom(7)))
    gateway.send(wire.encode(wire.Drop(7)))
    assert _ask(gateway, wire.Find(1, "npm.example", "/ms")) == (wire.Found(1), [])


def test_a_store_that_fails_is_said_and_does_not_end_the_link(
    store: Store, gateway: socket.socket, tmp_path: Path
) -> None:
    _ask(gateway, wire.Find(1, "npm.example", "/ms"))
    folder = tmp_path / "cache" / "tmp"
    folder.rmdir()
    answer, _ = _ask(gateway, wire.NeedRoom(1))
    assert answer == wire.Failed(1, "No such file or directory")
    folder.mkdir()
    answer, [descriptor] = _ask(gateway, wire.NeedRoom(1))
    assert answer == wire.Room(1)
    os.close(descriptor)


def test_a_link_that_was_never_started_can_be_closed(store: Store) -> None:
    link = CacheLink(lambda: store)
    link.close()
