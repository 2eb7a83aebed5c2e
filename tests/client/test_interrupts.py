"""Signals from before a run exists until after its end."""

import os
import select
import signal

import pytest

from cleanroom.client.interrupts import ENDING, Interrupts, breakable


def press(number: int = signal.SIGINT) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", ENDING)
def test_each_is_heard_and_wakes(number: int) -> None:
    heard: list[int] = []
    with Interrupts() as interrupts:
        interrupts.listen(heard.append)
        press(number)
        assert select.select([interrupts.wake], [], [], 5)[0]
    assert heard == [number]


def test_one_that_came_early_is_heard_late() -> None:
    heard: list[int] = []
    with Interrupts() as interrupts:
        press()
        interrupts.listen(heard.append)
        press()
    assert heard == [signal.SIGINT, signal.SIGINT]


def test_two_early_ones_do_not_wait() -> None:
    with Interrupts():
        press()
        with pytest.raises(KeyboardInterrupt):
            press()


@pytest.mark.parametrize("number", ENDING)
def test_where_nothing_has_begun_the_first_one_ends_the_wait(number: int) -> None:
    heard: list[int] = []
    with Interrupts() as interrupts:
        with pytest.raises(KeyboardInterrupt), breakable():
            press(number)
        interrupts.listen(heard.append)
        press(number)
    assert heard == [number]


def test_what_was_ignored_is_ignored_there_too() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with breakable():
            press(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_what_was_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    heard: list[int] = []
    try:
        with Interrupts() as interrupts:
            interrupts.listen(heard.append)
            press(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert heard == []


def test_everything_is_put_back() -> None:
    before = [signal.getsignal(number) for number in ENDING]
    with Interrupts() as interrupts:
        descriptor = interrupts.wake
    assert [signal.getsignal(number) for number in ENDING] == before
    assert signal.set_wakeup_fd(-1) == -1
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(descriptor)
