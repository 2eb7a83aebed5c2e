import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom.gateway import memory
from cleanroom.gateway.memory import HOLD_S, PROVEN_S, SMALL, Held, Memory
from cleanroom.gateway.spool import Body
from cleanroom.gateway.store_wire import Found, Said, Stored
from tests.gateway.shelves import Clock, Turned

PLACE = ("npm.example", "/ms", "", "")
_LARGE = bytes(SMALL + 1)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def held(clock: Clock) -> Iterator[Memory]:
    reactor = Turned(clock)
    yield Memory(reactor)
    reactor.close()


def _held(data: bytes, since_s: float) -> Held:
    stored = Stored("ab", "cd", "ef", len(data), Said(), 0.0)
    return Held(Found(1, stored), stored, data, since_s)


def _file(path: Path, data: bytes) -> Body:
    path.write_bytes(data)
    return _open(path)


def _open(path: Path) -> Body:
    return Body.kept(os.open(path, os.O_RDONLY), path.stat().st_size, "ab")


def test_a_small_body_is_found_at_its_own_place_for_a_while(held: Memory, clock: Clock) -> None:
    one = _held(b"x", held._reactor.now())
    held.hold(PLACE, one)
    assert held.find(PLACE) is one
    for other in (("a.example", *PLACE[1:]), (*PLACE[:3], "somebody")):
        assert held.find(other) is None
    clock.now += HOLD_S
    assert held.find(PLACE) is None
    assert held._bytes == 0


def test_what_was_read_before_the_store_changed_is_not_held(
    held: Memory, clock: Clock, tmp_path: Path
) -> None:
    body = _file(tmp_path / "large", _LARGE)
    clock.now += 10
    early = _held(b"x", held._reactor.now())
    held.hold(PLACE, early)
    held.prove(body, body.stamp())
    assert held.is_proven(body)
    held.clear()
    assert (held.find(PLACE), held.is_proven(body), held._bytes) == (None, False, 0)
    held.hold(PLACE, early)
    assert held.find(PLACE) is None
    clock.now += 1
    late = _held(b"x", held._reactor.now())
    held.hold(PLACE, late)
    assert held.find(PLACE) is late
    body.release()


def test_no_more_is_held_than_may_be(held: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MOST_BYTES", 2 * (SMALL + 1024))
    now = held._reactor.now()
    held.hold(("too", "large", "", ""), _held(_LARGE, now))
    for name in "abcab":
        held.hold((name, "", "", ""), _held(bytes(SMALL), now))
    assert [key[0] for key in held._held] == ["a", "b"]
    assert held._bytes == memory.MOST_BYTES
    held.find(("a", "", "", ""))
    held.hold(("c", "", "", ""), _held(bytes(SMALL), now))
    assert [key[0] for key in held._held] == ["a", "c"]  # b was not used for longest
    held.forget(("a", "", "", ""))
    held.forget(("a", "", "", ""))
    assert held._bytes == SMALL + 1024


def test_a_large_file_is_proven_until_it_is_changed(
    held: Memory, clock: Clock, tmp_path: Path
) -> None:
    path = tmp_path / "blob"
    body = _file(path, _LARGE)
    assert not held.is_proven(body)
    held.prove(body, body.stamp())
    assert not held.is_proven(body)  # it was written just now
    clock.now += 10
    held.prove(body, body.stamp()._replace(inode=1))
    assert not held.is_proven(body)  # another stood there when its bytes were hashed
    held.prove(body, body.stamp())
    assert held.is_proven(body)
    again, other = _open(path), _file(tmp_path / "other", _LARGE)
    assert held.is_proven(again)
    assert not held.is_proven(other)
    with path.open("r+b") as file:
        file.write(b"A")
    assert not held.is_proven(again)
    for each in (body, again, other):
        each.release()


def test_a_proof_ends_and_small_files_need_none(
    held: Memory, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_MOST_PROVEN", 1)
    bodies = [_file(tmp_path / name, _LARGE) for name in "ab"]
    small = _file(tmp_path / "small", b"x")
    clock.now += 10
    for body in (*bodies, small):
        held.prove(body, body.stamp())
    assert [held.is_proven(body) for body in (*bodies, small)] == [False, True, False]
    clock.now += PROVEN_S
    assert not held.is_proven(bodies[1])
    for body in (*bodies, small):
        body.release()
