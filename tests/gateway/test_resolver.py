"""Look-ups: shared, remembered for seconds, fair between sandboxes."""

import threading
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from cleanroom.gateway.reactor import Reactor
from cleanroom.gateway.resolver import Resolved, Resolver, ask_host
from tests.gateway.world import turn_for_a_while, turn_until

FOUND = Resolved((ip_address("203.0.113.7"),))


class Clocked(Reactor):
    """A reactor whose clock the test sets."""

    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead


class Slow:
    """A lookup that waits for the test."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.go = threading.Event()
        self.answer = FOUND

    def __call__(self, name: str) -> Resolved:
        self.asked.append(name)
        assert self.go.wait(10)
        return self.answer


@pytest.fixture
def reactor() -> Iterator[Clocked]:
    made = Clocked()
    yield made
    made.close()


@pytest.fixture
def slow() -> Iterator[Slow]:
    made = Slow()
    yield made
    made.go.set()


def test_equal_questions_are_asked_once_and_answered_each(reactor: Clocked, slow: Slow) -> None:
    resolver = Resolver(reactor, slow)
    answers: list[Resolved] = []
    resolver.resolve("sbx_1", "a.test", answers.append)
    resolver.resolve("sbx_2", "a.test", answers.append)
    slow.go.set()
    turn_until(reactor, lambda: answers == [FOUND, FOUND])
    resolver.resolve("sbx_3", "a.test", answers.append)
    assert len(answers) == 2  # never within the call
    turn_until(reactor, lambda: len(answers) == 3)
    assert slow.asked == ["a.test"]
    resolver.close()


@pytest.mark.parametrize(("answer", "kept_s"), [(FOUND, 5.0), (Resolved((), "is gone"), 1.0)])
def test_an_answer_is_remembered_for_seconds_only(
    reactor: Clocked, slow: Slow, answer: Resolved, kept_s: float
) -> None:
    slow.go.set()
    slow.answer = answer
    resolver = Resolver(reactor, slow)
    answers: list[Resolved] = []
    for ahead, asked in ((0.0, 1), (kept_s - 0.5, 1), (kept_s + 0.5, 2)):
        reactor.ahead = ahead
        answers.clear()
        resolver.resolve("sbx_1", "a.test", answers.append)
        turn_until(reactor, lambda: answers)
        assert len(slow.asked) == asked
    resolver.close()


def test_slow_names_of_one_sandbox_do_not_hold_up_another(reactor: Clocked) -> None:
    started = threading.Semaphore(0)
    go = threading.Event()

    def lookup(name: str) -> Resolved:
        if name.startswith("slow"):
            started.release()
            assert go.wait(10)
        return FOUND

    resolver = Resolver(reactor, lookup)
    answers: list[str] = []
    for number in range(40):
        resolver.resolve("sbx_1", f"slow{number}.test", lambda _: answers.append("slow"))
    for _ in range(4):
        assert started.acquire(timeout=10)
    resolver.resolve("sbx_2", "quick.test", lambda _: answers.append("quick"))
    turn_until(reactor, lambda: answers == ["quick"])
    assert not started.acquire(blocking=False)  # four at a time
    go.set()
    turn_until(reactor, lambda: len(answers) == 41)
    resolver.close()


def test_what_is_remembered_is_bounded(reactor: Clocked) -> None:
    asked: list[str] = []

    def lookup(name: str) -> Resolved:
        asked.append(name)
        return FOUND

    resolver = Resolver(reactor, lookup)
    answers: list[Resolved] = []
    for number in range(1025):
        resolver.resolve("sbx_1", f"{number}.test", answers.append)
    turn_until(reactor, lambda: len(answers) == 1025)
    resolver.resolve("sbx_1", "0.test", answers.append)
    turn_until(reactor, lambda: len(answers) == 1026)
    assert asked.count("0.test") == 2
    resolver.close()


def test_another_lookup_is_asked_from_then_on(reactor: Clocked, slow: Slow) -> None:
    resolver = Resolver(reactor, slow)
    resolver.ask(lambda _: Resolved((), "was the other"))
    answers: list[Resolved] = []
    resolver.resolve("sbx_1", "a.test", answers.append)
    turn_until(reactor, lambda: answers)
    assert answers[0].why == "was the other"
    turn_for_a_while(reactor)
    resolver.close()


def test_the_hosts_own_resolver_is_asked_for_both_families() -> None:
    assert ip_address("127.0.0.1") in ask_host("localhost").addresses
    missing = ask_host("does-not-exist.invalid")
    assert missing.addresses == ()
    assert "cannot be resolved" in missing.why


class Picky(Slow):
    """A lookup in which only names below slow.test wait for the test."""

    def __call__(self, name: str) -> Resolved:
        if not name.endswith(".slow.test"):
            self.asked.append(name)
            return self.answer
        return super().__call__(name)


def test_a_name_that_waits_in_one_sandboxes_queue_is_asked_for_the_other(reactor: Clocked) -> None:
    slow = Picky()
    resolver = Resolver(reactor, slow)
    first: list[Resolved] = []
    second: list[Resolved] = []
    for number in range(20):  # as many slow names as one may ask at a time, and more
        resolver.resolve("sbx_1", f"n{number}.slow.test", first.append)
    resolver.resolve("sbx_1", "shared.test", first.append)
    resolver.resolve("sbx_2", "shared.test", second.append)
    turn_until(reactor, lambda: second == [FOUND])
    assert first == [FOUND]  # the same question; its own slow ones still wait
    slow.go.set()
    turn_until(reactor, lambda: len(first) == 21)
    assert sorted(slow.asked) == sorted({*slow.asked})  # nothing was asked twice
    assert slow.asked.count("shared.test") == 1
    resolver.close()
