"""Surroundings of a gateway for tests: a real reactor, turned by hand; a daemon that is a list."""

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from cleanroom.decide.address import Guard, make_guard
from cleanroom.decide.match import Address
from cleanroom.decide.mirror import Mirrors
from cleanroom.decide.model import Deny
from cleanroom.decide.secret import Foreign
from cleanroom.events import NetworkEvent
from cleanroom.gateway.budgets import Allowances
from cleanroom.gateway.ca import upstream_context
from cleanroom.gateway.dialer import Cancellable, Dialling, Failed, Reached
from cleanroom.gateway.reactor import Reactor
from cleanroom.gateway.resolver import Resolved, Resolver
from cleanroom.gateway.source import Fetching, Source, Taker, Want
from cleanroom.gateway.wire import Target

PATIENCE_S = 60.0
LOOPBACK = "127.0.0.1"


class Nowhere:
    """A Source that nobody may ask."""

    def fetch(self, want: Want, taker: Taker) -> Fetching:
        raise AssertionError(want)


@dataclass
class World:
    """Implements Surroundings of gateway/door.py. `upstream` is where every dial really goes."""

    reactor: Reactor
    allowances: Allowances = field(default_factory=Allowances)
    guard: Guard = field(default_factory=lambda: make_guard(["127.0.0.0/8", "::1"], []))
    mirrors: Mirrors = field(default_factory=dict)
    writes: bool = True  # whether the daemon acknowledges
    upstream: tuple[str, int] = (LOOPBACK, 1)
    events: list[NetworkEvent] = field(default_factory=list)
    waiting: list[Callable[[], None]] = field(default_factory=list)
    source: Source = field(default_factory=Nowhere)
    foreign: dict[str, Foreign] = field(default_factory=dict)
    upstream_tls: ssl.SSLContext = field(default_factory=lambda: upstream_context(""))

    def write(self, sandbox_id: str, event: NetworkEvent, written: Callable[[], None]) -> None:
        assert sandbox_id == "sbx_test"
        self.events.append(event)
        if self.writes:
            self.reactor.soon(written)
        else:
            self.waiting.append(written)

    def unwritten(self, sandbox_id: str) -> int:
        assert sandbox_id == "sbx_test"
        return len(self.waiting)

    def dial(
        self,
        sandbox_id: str,
        target: Target,
        judge: Callable[[Address], Deny | None],
        done: Callable[[Reached | Failed], None],
    ) -> Cancellable:
        address, port = self.upstream
        elsewhere = replace(target, name="", address=address, port=port)
        dialling = Dialling(self.reactor, elsewhere, judge, done)
        dialling.start(sandbox_id, Resolver(self.reactor, nobody_asks))
        return dialling

    def acknowledge(self) -> None:
        """Write everything that waits."""
        waiting, self.waiting = self.waiting, []
        for written in waiting:
            written()

    def turn_until(self, holds: Callable[[], object]) -> None:
        """Turn the reactor until something is so; fails after ten seconds."""
        turn_until(self.reactor, holds)


def turn_until(reactor: Reactor, holds: Callable[[], object]) -> None:
    """Turn until `holds()`; fails after ten seconds."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "it never became so"
        reactor.turn(0.02)


def turn_for_a_while(reactor: Reactor) -> None:
    """Turn as often as anything already under way could need."""
    for _ in range(20):
        reactor.turn(0.005)


def nobody_asks(name: str) -> Resolved:
    """Fail: this test resolves nothing."""
    raise AssertionError(name)


@contextmanager
def listening(family: int = socket.AF_INET) -> Iterator[socket.socket]:
    """A listening TCP socket on loopback."""
    host = LOOPBACK if family == socket.AF_INET else "::1"
    with socket.create_server((host, 0), family=family) as server:
        server.settimeout(PATIENCE_S)
        yield server


def connect(server: socket.socket) -> socket.socket:
    """Connect to a listening socket; the client end waits, up to ten seconds."""
    client = socket.create_connection(server.getsockname()[:2], timeout=PATIENCE_S)
    client.settimeout(0)
    return client


def received(sock: socket.socket) -> bytes | None:
    """Return what arrived on a non-blocking socket: b"" is the end, None nothing, or a reset."""
    try:
        return sock.recv(1 << 20)
    except BlockingIOError:
        return None
