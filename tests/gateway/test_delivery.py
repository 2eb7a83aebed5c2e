import errno
import os

import pytest

from cleanroom.errors import Code
from cleanroom.gateway.delivery import Delivery, Order, read_range
from cleanroom.gateway.reactor import Reactor
from cleanroom.gateway.spool import Body
from cleanroom.gateway.store_wire import Said
from tests.gateway.upstreams import Taken


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("bytes=0-9", (0, 10)),
        ("bytes=5-", (5, 100)),
        ("bytes=-30", (70, 100)),
        ("bytes=-300", (0, 100)),
        ("bytes=90-500", (90, 100)),
        ("bytes=100-", (100, 100)),
        ("bytes=-0", (100, 100)),
        ("bytes=9-1", None),
        ("bytes=-", None),
        ("bytes=0-1,4-5", None),
        ("lines=0-1", None),
        ("bytes=" + "9" * 5000 + "-", None),
        ("", None),
    ],
)
def test_a_range_is_read(text: str, span: tuple[int, int] | None) -> None:
    assert read_range(text, 100) == span


def test_a_file_that_is_shorter_than_it_was_is_cut_not_repaired() -> None:
    reactor, taken = Reactor(), Taken()
    body = Body.in_memory()
    body.write(b"abc")
    body.size = 10
    body.finish()

    def never(delivery: Delivery, *, is_right: bool) -> None:
        raise AssertionError(delivery, is_right)

    Delivery(reactor, body, Order(Said(), digests=("sha256:0",)), taken, never)
    while not taken.is_over:
        reactor.turn(0.01)
    assert taken.deny
    assert "ended before its end" in taken.deny.reason
    body.release()
    reactor.close()


@pytest.mark.parametrize("fails_at", [1, 2, 3])
def test_a_file_that_cannot_be_read_is_refused_and_nothing_else_ends(
    fails_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    reactor, taken, pread, reads = Reactor(), Taken(), os.pread, list[int]()
    body = Body.in_memory()
    body.write(b"a" * 300_000)  # two pieces to hash, and then to release
    body.finish()

    def fails(descriptor: int, size: int, position: int) -> bytes:
        reads.append(position)
        if len(reads) == fails_at:
            raise OSError(errno.EIO, "Input/output error")
        return pread(descriptor, size, position)

    def release(delivery: Delivery, *, is_right: bool) -> None:
        assert is_right
        delivery.release()

    monkeypatch.setattr(os, "pread", fails)
    Delivery(reactor, body, Order(Said(), needs_whole=True), taken, release)
    while not taken.is_over:
        reactor.turn(0.01)
    assert taken.deny
    assert taken.deny.code is Code.RESOURCE_LIMIT
    assert "cannot be read: Input/output error" in taken.deny.reason
    assert taken.body == b""
    body.release()
    reactor.close()
