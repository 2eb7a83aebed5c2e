"""The event loop."""

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom.gateway.reactor import HUNG_UP, READABLE, WRITABLE, Reactor
from tests.gateway.world import turn_for_a_while, turn_until


class Notes:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.events = 0
        self.times = 0

    def ready(self, events: int) -> None:
        self.events |= events
        self.times += 1


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    made = Reactor()
    yield made
    made.close()


def test_a_change_of_readiness_is_told_once(reactor: Reactor) -> None:
    ours, theirs = socket.socketpair()
    notes = Notes()
    with ours, theirs:
        reactor.watch(ours.fileno(), notes)
        turn_until(reactor, lambda: notes.events & WRITABLE)
        assert not notes.events & READABLE
        theirs.send(b"x")
        turn_until(reactor, lambda: notes.events & READABLE)
        times = notes.times
        turn_for_a_while(reactor)
        assert notes.times == times
        theirs.close()
        turn_until(reactor, lambda: notes.events & HUNG_UP)
        reactor.forget(ours.fileno())


def test_a_forgotten_or_handed_over_descriptor_is_told_to_nobody_else(reactor: Reactor) -> None:
    ours, theirs = socket.socketpair()
    first, second = Notes(), Notes()
    with ours, theirs:
        reactor.watch(ours.fileno(), first)
        reactor.hand_over(ours.fileno(), second)
        turn_until(reactor, lambda: second.times)
        assert first.times == 0
        reactor.forget(ours.fileno())
        reactor.forget(ours.fileno())
        theirs.send(b"x")
        times = second.times
        turn_for_a_while(reactor)
        assert second.times == times


def test_a_closed_descriptor_needs_no_more_than_closing(reactor: Reactor) -> None:
    ours, theirs = socket.socketpair()
    notes = Notes()
    with theirs:
        reactor.watch(ours.fileno(), notes)
        reactor.closing(ours.fileno())
        ours.close()
        turn_for_a_while(reactor)
    assert notes.times == 0


def test_timers_fire_in_their_order_unless_cancelled(reactor: Reactor) -> None:
    fired: list[str] = []
    reactor.later(0.02, lambda: fired.append("second"))
    reactor.later(0.0, lambda: fired.append("first"))
    cancelled = reactor.later(0.01, lambda: fired.append("never"))
    cancelled.cancel()
    turn_until(reactor, lambda: len(fired) == 2)
    assert fired == ["first", "second"]


def test_a_cancelled_timer_wakes_nobody(reactor: Reactor) -> None:
    timer = reactor.later(0.0, lambda: None)
    assert timer.is_pending
    timer.cancel()
    began = reactor.now()
    reactor.turn(0.05)
    assert reactor.now() - began >= 0.04


def test_soon_is_later_this_turn_and_after_turn_is_last(reactor: Reactor) -> None:
    order: list[str] = []
    reactor.after_turn(lambda: order.append("after"))

    def now_and_next() -> None:
        order.append("soon")
        reactor.soon(lambda: order.append("next"))

    reactor.soon(now_and_next)
    reactor.turn()
    assert order == ["soon", "after"]
    reactor.turn()
    assert order == ["soon", "after", "next"]


def test_another_thread_may_post(reactor: Reactor) -> None:
    seen: list[int] = []
    thread = threading.Thread(
        target=lambda: reactor.post(lambda: seen.append(threading.get_ident()))
    )
    thread.start()
    turn_until(reactor, lambda: seen)
    thread.join()
    assert seen == [threading.get_ident()]


def test_run_ends_by_stop(reactor: Reactor) -> None:
    reactor.later(0.0, reactor.stop)
    reactor.run()


def test_the_loops_own_descriptors_are_released() -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    Reactor().close()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_what_cannot_be_watched_is_not_watched(reactor: Reactor, tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:  # epoll knows no plain files
        with pytest.raises(PermissionError):
            reactor.watch(file.fileno(), Notes())
        reactor.forget(file.fileno())
