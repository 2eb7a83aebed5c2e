import errno
import hashlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom.cache.model import Digests, Fields, Key
from cleanroom.cache.store import Store
from cleanroom.daemon import cache_link
from cleanroom.daemon.cache_link import _MOST_KEPT, CacheLink
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


def test_where_the_disk_is_full_old_files_go_if_there_are_any(
    store: Store, gateway: socket.socket
) -> None:
    _ask(gateway, wire.Find(1, "npm.example", "/ms"))
    assert _ask(gateway, wire.NeedSpace(1, 10))[0] == wire.Failed(1, "No space left on device")
    _, [descriptor] = _ask(gateway, wire.NeedRoom(1))
    os.write(descriptor, b"x")
    os.close(descriptor)
    assert _ask(gateway, wire.Keep(1, hashlib.sha256(b"x").hexdigest()))[0] == wire.Kept(1)
    assert _ask(gateway, wire.NeedSpace(1, 10))[0] == wire.Space(1)
    assert store.find(Key("npm.example", "/ms")) is None
    store.close()
    failed, _ = _ask(gateway, wire.NeedSpace(1, 10))
    assert isinstance(failed, wire.Failed)


def test_a_link_that_was_never_started_can_be_closed(store: Store) -> None:
    link = CacheLink(lambda: store)
    link.close()


def _room(gateway: socket.socket, number: int) -> wire.Keep:
    """Have a file opened; return what asks for it to be kept, empty as it is."""
    _ask(gateway, wire.Find(number, "npm.example", f"/{number}"))
    _, [descriptor] = _ask(gateway, wire.NeedRoom(number))
    os.close(descriptor)
    return wire.Keep(number, hashlib.sha256().hexdigest())


def test_files_that_wait_to_be_kept_are_counted_also_when_they_are_dropped(
    store: Store, gateway: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()
    keep = store.keep

    def slowly(key: Key, source: int, fields: Fields, wanted: tuple[str, ...]) -> Digests:
        assert goes_on.wait(60)
        return keep(key, source, fields, wanted)

    monkeypatch.setattr(store, "keep", slowly)
    for number in range(_MOST_KEPT):
        gateway.send(wire.encode(_room(gateway, number)))
        gateway.send(wire.encode(wire.Drop(number)))
    answer, _ = _ask(gateway, _room(gateway, _MOST_KEPT))
    assert answer == wire.Failed(_MOST_KEPT, "too many files at once")
    goes_on.set()
    kept = {gateway.recv(wire.MAX_PACKET_BYTES) for _ in range(_MOST_KEPT)}
    assert kept == {wire.encode(wire.Kept(number)) for number in range(_MOST_KEPT)}


def test_questions_for_space_are_counted_too(
    store: Store, gateway: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()
    monkeypatch.setattr(store, "make_space", lambda _: goes_on.wait(60))
    assert _ask(gateway, wire.Find(1, "a", "/"))[0] == wire.Found(1)
    for _ in range(_MOST_KEPT):
        gateway.send(wire.encode(wire.NeedSpace(1, 1)))
    assert _ask(gateway, wire.NeedSpace(1, 1))[0] == wire.Failed(1, "too many files at once")
    goes_on.set()
    for _ in range(_MOST_KEPT):
        assert gateway.recv(wire.MAX_PACKET_BYTES) == wire.encode(wire.Space(1))


def test_one_request_too_many_is_refused_and_does_not_end_the_link(
    gateway: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_link, "_MOST_REQUESTS", 2)
    for number in (1, 2):
        assert _ask(gateway, wire.Find(number, "a", "/"))[0] == wire.Found(number)
    answer, _ = _ask(gateway, wire.Find(3, "a", "/"))
    assert answer == wire.Failed(3, "too many requests at once")
    gateway.send(wire.encode(wire.Drop(3)))
    gateway.send(wire.encode(wire.Drop(1)))
    assert _ask(gateway, wire.Find(3, "a", "/"))[0] == wire.Found(3)


def test_a_question_says_which_requests_are_over(gateway: socket.socket) -> None:
    for number in (1, 2):
        assert _ask(gateway, wire.Find(number, "a", "/"))[0] == wire.Found(number)
    assert _ask(gateway, wire.Find(1, "a", "/", over=(1, 2, 7)))[0] == wire.Found(1)
    assert _ask(gateway, wire.Find(2, "a", "/"))[0] == wire.Found(2)


def test_without_a_descriptor_nothing_is_kept_and_the_link_goes_on(
    gateway: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _room(gateway, 1)
    with monkeypatch.context() as patched:
        patched.setattr(os, "dup", _no_descriptor)
        answer, _ = _ask(gateway, asked)
    assert answer == wire.Failed(1, "Too many open files")
    assert _ask(gateway, asked)[0] == wire.Kept(1)


def _no_descriptor(_descriptor: int) -> int:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
