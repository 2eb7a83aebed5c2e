"""Dials: every address judged, exactly a judged one dialled."""

import errno
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address

import pytest

from cleanroom.decide.match import Address
from cleanroom.decide.model import Deny
from cleanroom.errors import Code
from cleanroom.gateway.dialer import Dialling, Failed, NotDialled, Reached
from cleanroom.gateway.reactor import Reactor
from cleanroom.gateway.resolver import Resolved, Resolver
from cleanroom.gateway.wire import Target
from tests.gateway.world import listening, turn_for_a_while, turn_until

PRIVATE = Deny(Code.ADDRESS_NOT_ALLOWED, "private")


@dataclass
class Dial:
    """One dial of a test; names resolve to what the test says."""

    found: Resolved
    judge: Callable[[Address], Deny | None] = lambda _: None
    judged: list[str] = field(default_factory=list)
    outcomes: list[Reached | Failed] = field(default_factory=list)
    reactor: Reactor = field(default_factory=Reactor)

    def start(self, port: int, name: str = "a.test", address: str = "198.18.0.16") -> Dialling:
        self.resolver = Resolver(self.reactor, lambda _: self.found)
        target = Target(name, address, port, 1)
        dialling = Dialling(self.reactor, target, self._judge, self.outcomes.append)
        dialling.start("sbx_1", self.resolver)
        return dialling

    def _judge(self, address: Address) -> Deny | None:
        self.judged.append(str(address))
        return self.judge(address)

    @property
    def outcome(self) -> Reached | Failed:
        turn_until(self.reactor, lambda: self.outcomes)
        return self.outcomes[0]

    def close(self) -> None:
        for outcome in self.outcomes:
            if isinstance(outcome, Reached):
                outcome.socket.close()
        self.resolver.close()
        self.reactor.close()


@pytest.fixture
def dial() -> Iterator[Callable[..., Dial]]:
    made: list[Dial] = []

    def make(*addresses: str, why: str = "") -> Dial:
        made.append(Dial(Resolved(tuple(map(ip_address, addresses)), why)))
        return made[-1]

    yield make
    for one in made:
        one.close()


Make = Callable[..., Dial]


def test_a_name_is_resolved_judged_and_connected(dial: Make) -> None:
    with listening() as server:
        one = dial("127.0.0.1")
        one.start(server.getsockname()[1])
        reached = one.outcome
        assert isinstance(reached, Reached)
        assert (reached.address, reached.through_proxy) == ("127.0.0.1", False)
        assert reached.socket.getpeername() == server.getsockname()
        assert one.judged == ["127.0.0.1"]


def test_a_dial_refused_before_it_began_fails_once_in_a_later_turn() -> None:
    reactor, told = Reactor(), list[Reached | Failed]()
    NotDialled(reactor, PRIVATE, told.append).cancel()
    late = NotDialled(reactor, PRIVATE, told.append)
    assert told == []
    turn_until(reactor, lambda: told)
    late.expire()
    turn_for_a_while(reactor)
    assert told == [Failed(PRIVATE)]
    reactor.close()


def test_a_socket_that_cannot_be_watched_fails_the_dial_alone(
    dial: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_descriptor: int, _watcher: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with listening() as server:
        one = dial("127.0.0.1")
        monkeypatch.setattr(one.reactor, "watch", fails)
        one.start(server.getsockname()[1])
        failed = one.outcome
        assert isinstance(failed, Failed)
        assert failed.deny.code is Code.UPSTREAM_UNREACHABLE
        assert "cannot be dialled: No space left on device" in failed.deny.reason


def test_an_ip_literal_asks_no_resolver(dial: Make) -> None:
    with listening(socket.AF_INET6) as server:
        one = dial()
        one.start(server.getsockname()[1], name="", address="::1")
        assert isinstance(one.outcome, Reached)
        assert one.judged == ["::1"]


def test_refused_addresses_are_never_tried(dial: Make) -> None:
    with listening() as server:
        one = dial("127.0.0.2", "127.0.0.1")
        one.judge = lambda address: PRIVATE if str(address) == "127.0.0.2" else None
        one.start(server.getsockname()[1])
        reached = one.outcome
        assert isinstance(reached, Reached)
        assert reached.address == "127.0.0.1"


def test_when_all_are_refused_the_first_refusal_is_the_answer(dial: Make) -> None:
    with listening() as server:
        one = dial("127.0.0.1", "127.0.0.2")
        one.judge = lambda _: PRIVATE
        one.start(server.getsockname()[1])
        assert one.outcome == Failed(PRIVATE, "127.0.0.1")
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_refused_connection_is_followed_by_the_next_address(dial: Make) -> None:
    with listening() as server:
        one = dial("::1", "127.0.0.1")
        one.start(server.getsockname()[1])
        assert isinstance(one.outcome, Reached)
        assert one.judged == ["::1", "127.0.0.1"]


def test_an_address_that_stays_silent_is_raced_by_the_next(dial: Make) -> None:
    with silent() as (address, port), socket.create_server(("127.0.0.1", port)):
        one = dial(address, "127.0.0.1")
        one.start(port)
        reached = one.outcome
        assert isinstance(reached, Reached)
        assert reached.address == "127.0.0.1"


def test_families_alternate(dial: Make) -> None:
    one = dial("2001:db8::1", "2001:db8::2", "203.0.113.1", "203.0.113.2", "203.0.113.3")
    one.judge = lambda _: PRIVATE
    one.start(9)
    assert isinstance(one.outcome, Failed)
    assert one.judged == [
        "2001:db8::1", "203.0.113.1", "2001:db8::2", "203.0.113.2", "203.0.113.3",
    ]  # fmt: skip


def test_a_name_without_addresses_says_why(dial: Make) -> None:
    one = dial(why="does not exist")
    one.start(9)
    failed = one.outcome
    assert isinstance(failed, Failed)
    assert (failed.deny.code, failed.deny.reason) == (
        "upstream_unreachable", "a.test does not exist",
    )  # fmt: skip


def test_when_nobody_answers_the_last_reason_is_told(dial: Make) -> None:
    with listening() as server:
        port = server.getsockname()[1]
    one = dial("127.0.0.1")
    one.start(port)
    failed = one.outcome
    assert isinstance(failed, Failed)
    assert failed.address == "127.0.0.1"
    assert "refused" in failed.deny.reason


def test_a_dial_can_be_expired_and_cancelled(dial: Make) -> None:
    with silent() as (address, port):
        one = dial(address)
        expired = one.start(port)
        turn_for_a_while(one.reactor)
        expired.expire()
        failed = one.outcome
        assert isinstance(failed, Failed)
        assert (failed.address, "in time" in failed.deny.reason) == (address, True)
        other = dial(address)
        cancelled = other.start(port)
        cancelled.cancel()
        turn_for_a_while(other.reactor)
        cancelled.cancel()
        assert other.outcomes == []


class silent:  # noqa: N801 -- reads as a word
    """A loopback address that answers no SYN: its queue is full."""

    def __enter__(self) -> tuple[str, int]:
        self.server = socket.socket()
        self.server.bind(("127.0.0.3", 0))
        self.server.listen(0)
        self.clients = []
        for _ in range(4):
            client = socket.socket()
            client.settimeout(0)
            client.connect_ex(self.server.getsockname())
            self.clients.append(client)
        address, port = self.server.getsockname()
        return address, port

    def __exit__(self, *_: object) -> None:
        for sock in (self.server, *self.clients):
            sock.close()
