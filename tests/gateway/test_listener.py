"""Accepting within a budget."""

import socket
from collections.abc import Iterator

import pytest

from cleanroom.gateway.listener import Listener
from cleanroom.gateway.reactor import Reactor
from tests.gateway.world import connect, turn_for_a_while, turn_until


class Budget:
    """Implements Keeper: so many connections, then a pause."""

    def __init__(self) -> None:
        self.reactor = Reactor()
        self.left = 1000
        self.accepts: list[socket.socket] = []
        self.refill = 0

    def wait_before_accepting_s(self) -> float:
        if self.left:
            self.left -= 1
            return 0.0
        self.left = self.refill
        return 0.01 if self.refill else 60.0

    def accepted(self, sock: socket.socket) -> None:
        assert sock.gettimeout() == 0.0
        self.accepts.append(sock)


@pytest.fixture
def budget() -> Iterator[Budget]:
    made = Budget()
    yield made
    for sock in made.accepts:
        sock.close()
    made.reactor.close()


def served(budget: Budget) -> tuple[Listener, socket.socket]:
    """Return a listener, and its socket for the test to connect to."""
    server = socket.create_server(("127.0.0.1", 0))
    return Listener(budget, server), server


def test_everybody_who_came_is_accepted_in_turns(budget: Budget) -> None:
    listener, server = served(budget)
    clients = [connect(server) for _ in range(40)]
    turn_until(budget.reactor, lambda: len(budget.accepts) == 40)
    listener.close()
    listener.close()
    for client in clients:
        client.close()


def test_whoever_is_over_the_budget_waits_and_is_not_dropped(budget: Budget) -> None:
    budget.left, budget.refill = 2, 2
    listener, server = served(budget)
    clients = [connect(server) for _ in range(5)]
    turn_until(budget.reactor, lambda: len(budget.accepts) == 5)
    listener.close()
    for client in clients:
        client.close()


def test_no_budget_accepts_nobody(budget: Budget) -> None:
    budget.left = 0
    listener, server = served(budget)
    client = connect(server)
    turn_for_a_while(budget.reactor)
    assert budget.accepts == []
    listener.close()
    client.close()


def test_a_closed_listener_stops_within_its_turn(budget: Budget) -> None:
    listener, server = served(budget)
    clients = [connect(server) for _ in range(3)]

    def close_then_keep(sock: socket.socket) -> None:
        listener.close()
        budget.accepts.append(sock)

    budget.accepted = close_then_keep  # type: ignore[method-assign]
    turn_until(budget.reactor, lambda: budget.accepts)
    turn_for_a_while(budget.reactor)
    assert len(budget.accepts) == 1
    for client in clients:
        client.close()
