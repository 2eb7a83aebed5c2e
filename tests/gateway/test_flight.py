import dataclasses
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cleanroom.decide.model import Deny
from cleanroom.errors import Code
from cleanroom.gateway.flight import Flight, Hopes
from cleanroom.gateway.reactor import Reactor
from cleanroom.gateway.source import Answer, Served
from cleanroom.gateway.spool import Body
from tests.gateway.upstreams import Reply, Upstream, page, want


class _Heard:
    def __init__(self) -> None:
        self.begun: list[Answer] = []
        self.over = 0
        self.failed: list[Deny] = []
        self.needed: list[int] = []
        self.waiting: list[Callable[[], None]] = []
        self.answers = True

    def hopes(self, *, may_grow: bool = True) -> Hopes:
        return Hopes(
            lambda _size: may_grow,
            self.begun.append,
            self._over,
            self.failed.append,
            self._need_space,
        )

    def _need_space(self, size: int, done: Callable[[], None]) -> None:
        self.needed.append(size)
        self.waiting.append(done)
        if self.answers:
            done()

    def _over(self) -> None:
        self.over += 1


def _fly(reply: Reply, heard: _Heard, body: Body, *, may_grow: bool = True) -> None:
    reactor = Reactor()
    upstream = Upstream(reactor)
    upstream.answers("/ms", reply)
    flight = Flight(reactor, upstream, want(page()), body, heard.hopes(may_grow=may_grow))
    while not heard.over and not heard.failed:
        reactor.turn(0.05)
    flight.cancel()
    flight.ended(None)  # type: ignore[arg-type]  # what comes late is not heard
    flight.failed(Deny(Code.INTERNAL, "late"))
    flight.more(b"late")
    flight.begun(Answer(200, (), 1))
    reactor.close()


def test_it_lands() -> None:
    heard, body = _Heard(), Body.in_memory()
    _fly(Reply(b"{}"), heard, body)
    assert (heard.over, heard.failed, body.read(0, 9), body.is_complete) == (1, [], b"{}", True)
    body.release()


def test_a_sandbox_that_has_too_much_gets_no_more() -> None:
    heard, body = _Heard(), Body.in_memory()
    _fly(Reply(b"{}"), heard, body, may_grow=False)
    assert heard.failed[0].code is Code.RESOURCE_LIMIT
    assert body.failure is heard.failed[0]
    body.release()


def test_a_disk_without_room_is_a_refusal() -> None:
    full = os.open("/dev/full", os.O_RDWR)
    heard, body = _Heard(), Body(full)
    _fly(Reply(b"{}"), heard, body)
    assert heard.failed[0].code is Code.RESOURCE_LIMIT
    assert "no room" in heard.failed[0].reason
    body.release()


@pytest.mark.parametrize("status", [301, 307, 206])
def test_an_answer_that_leads_elsewhere_is_none(status: int) -> None:
    heard, body = _Heard(), Body.in_memory()
    _fly(Reply(b"x", status), heard, body)
    assert f"answers {status}" in heard.failed[0].reason
    body.release()


@pytest.mark.parametrize(("body", "method"), [(b"0000", "POST"), (b"", "GET")])
def test_a_body_is_posted_whatever_the_client_did(body: bytes, method: str) -> None:
    reactor, heard, room = Reactor(), _Heard(), Body.in_memory()
    upstream = Upstream(reactor)
    asked = want(dataclasses.replace(page(), body=body), method="HEAD")
    Flight(reactor, upstream, asked, room, heard.hopes()).cancel()
    assert [each.want.method for each in upstream.asked] == [method]
    room.release()
    reactor.close()


class _Disk:
    """A file of the store on a disk that has room for so many bytes."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room = 0
        self.errno = errno.ENOSPC
        self._write = os.pwrite
        monkeypatch.setattr(os, "pwrite", self._pwrite)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
        self._file = os.fstat(descriptor).st_ino
        self.body = Body(descriptor)

    def _pwrite(self, descriptor: int, data: bytes, position: int) -> int:
        is_there = os.fstat(descriptor).st_ino == self._file  # and not in memory
        if is_there and position + len(data) > self.room:
            raise OSError(self.errno, os.strerror(self.errno))
        return self._write(descriptor, data, position)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Disk]:
    made = _Disk(tmp_path / "spool", monkeypatch)
    yield made
    made.body.release()


class _Flown:
    """A flight that a test gives bytes to."""

    def __init__(self, disk: _Disk, fallback: str = "deny") -> None:
        self.heard = _Heard()
        self.heard.answers = False
        self.reactor = Reactor()
        self.upstream = Upstream(self.reactor)
        asked = want(dataclasses.replace(page(), fallback=fallback))
        self.flight = Flight(self.reactor, self.upstream, asked, disk.body, self.heard.hopes())

    def close(self) -> None:
        self.flight.cancel()
        self.reactor.close()


def test_on_a_full_disk_it_waits_until_old_files_have_gone(disk: _Disk) -> None:
    flown = _Flown(disk)
    flight, heard = flown.flight, flown.heard
    flight.begun(Answer(200, (), 9))
    flight.more(b"abc")
    assert heard.needed == [9]
    flight.more(b"def")  # what is on its way already
    flight.more(b"ghi")
    flight.ended(Served())
    assert (heard.over, heard.failed, disk.body.size) == (0, [], 0)
    disk.room = 6
    heard.waiting.pop()()
    assert (heard.needed, heard.over, disk.body.size) == ([9, 3], 0, 6)
    disk.room = 9
    heard.waiting.pop()()
    assert (heard.over, heard.failed, disk.body.read(0, 10)) == (1, [], b"abcdefghi")
    flown.close()


def test_it_goes_on_with_what_comes_later(disk: _Disk) -> None:
    flown = _Flown(disk)
    flight, heard = flown.flight, flown.heard
    flight.begun(Answer(200, (), None))
    flight.more(b"abc")
    assert heard.needed == [64 * 1024 * 1024]
    disk.room = 6
    heard.waiting.pop()()
    flight.more(b"def")
    flight.ended(Served())
    assert (heard.over, disk.body.read(0, 10)) == (1, b"abcdef")
    flown.close()


@pytest.mark.parametrize("fallback", ["deny", "direct"])
def test_where_nothing_makes_room_it_is_as_ever(disk: _Disk, fallback: str) -> None:
    flown = _Flown(disk, fallback)
    flight, heard = flown.flight, flown.heard
    flight.begun(Answer(200, (), 6))
    flight.more(b"abc")
    flight.more(b"def")
    flight.ended(Served())
    heard.waiting.pop()()
    if fallback == "deny":
        assert "the content cache has no room: No space" in heard.failed[0].reason
    else:
        assert (heard.over, disk.body.is_stored, disk.body.read(0, 9)) == (1, False, b"abcdef")
    assert heard.needed == [6]  # once, as nothing came of it
    flown.close()


def test_what_is_no_matter_of_room_is_not_waited_for(disk: _Disk) -> None:
    disk.errno = errno.EIO
    flown = _Flown(disk)
    flown.flight.begun(Answer(200, (), 6))
    flown.flight.more(b"abc")
    assert "Input/output error" in flown.heard.failed[0].reason
    assert flown.heard.needed == []
    flown.close()


def test_one_that_is_cancelled_meanwhile_writes_nothing(disk: _Disk) -> None:
    flown = _Flown(disk)
    flown.flight.begun(Answer(200, (), 6))
    flown.flight.more(b"abc")
    flown.flight.cancel()
    disk.room = 6
    flown.heard.waiting.pop()()
    assert disk.body.size == 0
    flown.close()
