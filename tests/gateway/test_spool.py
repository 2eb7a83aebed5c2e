import errno
import os
from collections.abc import Iterator

import pytest

from cleanroom.decide.model import Deny
from cleanroom.errors import Code
from cleanroom.gateway import spool
from cleanroom.gateway.spool import Body, LostError
from tests.gateway.upstreams import sha256


@pytest.fixture
def body() -> Iterator[Body]:
    body = Body(os.memfd_create("test"))
    yield body
    body.release()


def test_what_was_written_is_read_at_any_place_while_it_grows(body: Body) -> None:
    told: list[int] = []

    def more() -> None:
        told.append(body.size)

    body.watch(more)
    body.write(b"abc")
    body.write(b"def")
    assert body.read(2, 100) == b"cdef"
    assert body.read(6, 10) == b""
    body.finish()
    assert told == [3, 6, 6]
    assert f"sha256:{body.sha256}" == sha256(b"abcdef")
    body.unwatch(more)
    body.unwatch(more)
    body.fail(Deny(Code.INTERNAL, "no"))
    assert told == [3, 6, 6]


def test_the_last_user_closes_the_file() -> None:
    descriptor = os.memfd_create("test")
    body = Body(descriptor)
    body.retain().release()
    os.fstat(descriptor)
    body.release()
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(descriptor)


def test_it_moves_to_memory_with_what_it_has(body: Body) -> None:
    body.write(b"abc")
    body.move_to_memory()
    assert not body.is_stored
    body.write(b"def")
    assert body.read(0, 100) == b"abcdef"


def test_memory_has_a_limit(body: Body, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "MEMORY_LIMIT", 4)
    body.write(b"abcdef")
    with pytest.raises(OSError, match="too large"):
        body.move_to_memory()
    memory = Body.in_memory()
    memory.write(b"abcd")
    with pytest.raises(OSError, match="too large"):
        memory.write(b"e")
    assert memory.read(0, 9) == b"abcd"
    memory.release()


def test_a_device_that_fails_is_said_and_leaves_no_descriptor(
    body: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_args: object) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    body.write(b"abc")
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    monkeypatch.setattr(os, "pread", fails)
    with pytest.raises(LostError, match="Input/output error"):
        body.read(0, 3)
    with pytest.raises(LostError):
        body.move_to_memory()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    assert body.is_stored


def test_a_device_that_fails_at_the_last_close_ends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    descriptor, close = os.memfd_create("test"), os.close

    def fails(number: int) -> None:
        close(number)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "close", fails)
    Body(descriptor).release()
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(descriptor)
