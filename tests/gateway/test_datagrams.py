"""The UDP sockets of a door, on loopback: the kernel fills the same fields there."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from cleanroom.events import NetworkEvent
from cleanroom.gateway.datagrams import DatagramSocket, DnsSocket, RefusedSocket
from cleanroom.gateway.reactor import Reactor
from cleanroom.gateway.wire import Answer, Answerer
from tests.gateway.test_budgets import denied
from tests.gateway.world import received, turn_for_a_while, turn_until

PKTINFO = {socket.AF_INET: (socket.IPPROTO_IP, 8), socket.AF_INET6: (socket.IPPROTO_IPV6, 49)}
ORIGINAL = {socket.AF_INET: (socket.IPPROTO_IP, 20), socket.AF_INET6: (socket.IPPROTO_IPV6, 74)}
FAMILIES = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]


class Keeper:
    """Implements Keeper and Answerer: echoes queries, remembers what is reported."""

    def __init__(self) -> None:
        self.reactor = Reactor()
        self.events: list[NetworkEvent] = []
        self.written: list[Callable[[], None]] = []
        self.waits = True
        self.asks = True
        self.reply: bytes | None = b"answer"
        self.event: NetworkEvent | None = denied()
        self.queries: list[bytes] = []

    @property
    def answerer(self) -> Answerer:
        return self

    def answer(self, query: bytes) -> Answer:
        self.queries.append(query)
        return Answer(self.reply, self.event)

    def name_of(self, address: str) -> str:
        return "lo.test" if address in ("127.0.0.1", "::1") else ""

    def may_ask(self) -> bool:
        return self.asks

    def report(self, event: NetworkEvent, written: Callable[[], None]) -> bool:
        self.events.append(event)
        self.written.append(written)
        return self.waits


class Scene:
    """One socket of a door, and a client that is connected to it."""

    def __init__(self, stack: ExitStack) -> None:
        self.keeper = Keeper()
        self.stack = stack
        stack.callback(self.keeper.reactor.close)

    def open(
        self,
        kind: type[DatagramSocket],
        family: socket.AddressFamily,
        host: str,
        options: dict[socket.AddressFamily, tuple[int, int]],
    ) -> socket.socket:
        served = socket.socket(family, socket.SOCK_DGRAM)
        served.setsockopt(*options[family], 1)
        served.bind((host, 0))
        place = served.getsockname()
        self.served = kind(self.keeper, served)
        self.stack.callback(self.served.close)
        client = self.stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
        client.connect(place)
        client.settimeout(0)
        return client

    def until(self, holds: Callable[[], object]) -> None:
        turn_until(self.keeper.reactor, holds)


@pytest.fixture
def scene() -> Iterator[Scene]:
    with ExitStack() as stack:
        yield Scene(stack)


@pytest.mark.parametrize(("family", "host"), FAMILIES)
def test_a_query_is_answered_from_its_address_once_it_is_written(
    scene: Scene, family: socket.AddressFamily, host: str
) -> None:
    client = scene.open(DnsSocket, family, host, PKTINFO)
    client.send(b"query")
    scene.until(lambda: scene.keeper.events)
    assert received(client) is None
    scene.keeper.written[0]()
    scene.until(lambda: received(client) == b"answer")  # connected: from there and nowhere else
    assert scene.keeper.queries == [b"query"]


def test_a_folded_query_is_answered_at_once(scene: Scene) -> None:
    client = scene.open(DnsSocket, *FAMILIES[0], PKTINFO)
    scene.keeper.waits = False
    client.send(b"query")
    scene.until(lambda: received(client) == b"answer")
    scene.keeper.event = None
    client.send(b"query")
    scene.until(lambda: received(client) == b"answer")


def test_what_is_no_query_gets_nothing_but_a_report(scene: Scene) -> None:
    client = scene.open(DnsSocket, *FAMILIES[0], PKTINFO)
    scene.keeper.reply = None
    client.send(b"x")
    scene.until(lambda: scene.keeper.events)
    scene.keeper.written[0]()
    scene.keeper.event = None
    client.send(b"x")
    scene.until(lambda: len(scene.keeper.queries) == 2)
    assert received(client) is None


def test_a_query_over_the_budget_gets_silence(scene: Scene) -> None:
    client = scene.open(DnsSocket, *FAMILIES[0], PKTINFO)
    scene.keeper.asks = False
    client.send(b"query")
    turn_for_a_while(scene.keeper.reactor)
    assert scene.keeper.queries == []


def test_many_queries_are_taken_in_turns(scene: Scene) -> None:
    client = scene.open(DnsSocket, *FAMILIES[0], PKTINFO)
    for _ in range(100):
        client.send(b"query")
    scene.until(lambda: len(scene.keeper.queries) == 100)


def test_a_door_closed_meanwhile_answers_nothing(scene: Scene) -> None:
    client = scene.open(DnsSocket, *FAMILIES[0], PKTINFO)
    client.send(b"query")
    scene.until(lambda: scene.keeper.events)
    scene.served.close()
    scene.keeper.written[0]()
    assert received(client) is None


@pytest.mark.parametrize(("family", "host"), FAMILIES)
def test_any_other_datagram_is_refused_with_where_it_went(
    scene: Scene, family: socket.AddressFamily, host: str
) -> None:
    client = scene.open(RefusedSocket, family, host, ORIGINAL)
    client.send(b"secret")
    scene.until(lambda: scene.keeper.events)
    scene.keeper.written[0]()
    event = scene.keeper.events[0]
    assert (event.name, event.address, event.port) == ("lo.test", host, client.getpeername()[1])
    assert "secret" not in repr(event)


def test_a_datagram_without_a_destination_or_over_the_budget_is_dropped(scene: Scene) -> None:
    client = scene.open(RefusedSocket, *FAMILIES[0], PKTINFO)
    client.send(b"x")
    turn_for_a_while(scene.keeper.reactor)
    other = scene.open(RefusedSocket, *FAMILIES[0], ORIGINAL)
    scene.keeper.asks = False
    other.send(b"x")
    turn_for_a_while(scene.keeper.reactor)
    assert scene.keeper.events == []
