"""The order that every layer may rely on, with real sockets on both sides."""

import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace

from cleanroom.decide.model import Deny
from cleanroom.errors import Code
from cleanroom.events import NetworkEvent
from cleanroom.gateway.connection import Connection
from cleanroom.gateway.dialer import Cancellable, Failed, Reached
from cleanroom.gateway.reactor import Reactor
from cleanroom.gateway.source import Fetching, Taker, Want
from cleanroom.gateway.wire import (
    Abort,
    Command,
    DataReceived,
    Dial,
    DialFailed,
    Dialled,
    End,
    Ended,
    Event,
    Expired,
    Finish,
    Opened,
    Relay,
    Report,
    Send,
    Side,
    Target,
)
from tests.gateway.test_budgets import denied
from tests.gateway.world import connect, listening, received, turn_for_a_while, turn_until

SANDBOX, UPSTREAM = Side.SANDBOX, Side.UPSTREAM
ALLOWED = replace(denied(), allowed=True, code="", reason="")
Script = Callable[[Event], Sequence[Command]]


@dataclass
class Given:
    """A layer that is a function, and remembers."""

    script: Script
    events: list[Event] = field(default_factory=list)

    def handle(self, event: Event) -> Sequence[Command]:
        self.events.append(event)
        return self.script(event)


class Pending:
    """A dial that the test answers."""

    def __init__(self, done: Callable[[Reached | Failed], None]) -> None:
        self.done = done
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True

    def expire(self) -> None:
        self.done(Failed(Deny(Code.UPSTREAM_UNREACHABLE, "too late")))


class Scene:
    """One connection between a client and an upstream of the test; implements Keeper."""

    def __init__(self, reactor: Reactor) -> None:
        self.reactor = reactor
        self.events: list[NetworkEvent] = []
        self.written: list[Callable[[], None]] = []
        self.dials: list[Pending] = []
        self.held = 0
        self.most_held = 1 << 20
        self.calls: list[str] = []
        self.waits = True

    def begin(self, script: Script) -> None:
        """Accept a connection and start its layer."""
        with listening() as server:
            self.client = connect(server)
            accepted, _ = server.accept()
        accepted.settimeout(0)
        self.layer = Given(script)
        target = Target("a.test", "198.18.0.16", 443, 1)
        self.connection = Connection(self, accepted, target, self.layer)
        self.connection.start()

    def reach(self) -> None:
        """Let the dial succeed."""
        with listening() as server:
            dialled = connect(server)
            self.upstream, _ = server.accept()
        self.upstream.settimeout(0)
        self.reactor.watch(dialled.fileno(), self)
        self.dials[-1].done(Reached(dialled, "203.0.113.7"))

    def ready(self, events: int) -> None:
        """Watch for the dialler; nobody listens."""

    def report(self, event: NetworkEvent, written: Callable[[], None]) -> bool:
        self.events.append(event)
        self.written.append(written)
        return self.waits

    def dial(self, connection: Connection, done: Callable[[Reached | Failed], None]) -> Cancellable:
        self.dials.append(Pending(done))
        return self.dials[-1]

    def fetch(self, want: Want, taker: Taker) -> Fetching:
        self.taker = taker
        self.calls.append("fetch")
        return self

    def pause(self) -> None:
        self.calls.append("pause")

    def resume(self) -> None:
        self.calls.append("resume")

    def cancel(self) -> None:
        self.calls.append("cancel")

    def hold(self, size: int) -> bool:
        self.held += size
        return self.held <= self.most_held

    def settled(self, connection: Connection) -> None:
        self.calls.append("settled")

    def gone(self, connection: Connection) -> None:
        self.calls.append("gone")

    def until(self, holds: Callable[[], object]) -> None:
        turn_until(self.reactor, holds)

    def arrives(self, sock: socket.socket, data: bytes) -> None:
        """Turn until exactly these bytes have arrived."""
        got = bytearray()

        def whole() -> bool:
            got.extend(received(sock) or b"")
            return len(got) >= len(data)

        self.until(whole)
        assert bytes(got) == data

    def ends(self, sock: socket.socket) -> None:
        """Turn until the peer has ended in order."""
        self.until(lambda: received(sock) == b"")


@pytest.fixture
def scene() -> Iterator[Scene]:
    reactor = Reactor()
    made = Scene(reactor)
    yield made
    made.connection.cut()
    made.client.close()
    if hasattr(made, "upstream"):
        made.upstream.close()
    reactor.close()


def relaying(event: Event) -> Sequence[Command]:
    """Dial at once, report, relay."""
    match event:
        case Opened():
            return [Dial()]
        case Dialled():
            return [Report(ALLOWED), Send(UPSTREAM, b"first"), Relay()]
        case _:
            return [Abort()]


def test_no_byte_passes_before_the_report_is_written(scene: Scene) -> None:
    scene.begin(relaying)
    scene.reach()
    assert scene.events == [ALLOWED]
    scene.client.send(b"second")
    turn_for_a_while(scene.reactor)
    assert received(scene.upstream) is None
    scene.written[0]()
    scene.arrives(scene.upstream, b"firstsecond")
    assert scene.calls == ["settled"]


def test_a_report_that_need_not_wait_does_not(scene: Scene) -> None:
    scene.waits = False
    scene.begin(relaying)
    scene.reach()
    scene.arrives(scene.upstream, b"first")


def test_both_directions_are_copied_and_half_closed(scene: Scene) -> None:
    scene.waits = False
    scene.begin(relaying)
    scene.reach()
    scene.arrives(scene.upstream, b"first")
    scene.client.send(b"question")
    scene.client.shutdown(socket.SHUT_WR)
    scene.arrives(scene.upstream, b"question")
    scene.ends(scene.upstream)
    scene.upstream.send(b"answer")
    scene.arrives(scene.client, b"answer")
    scene.upstream.shutdown(socket.SHUT_WR)
    scene.ends(scene.client)
    scene.until(lambda: "gone" in scene.calls)
    closed = scene.events[-1]
    assert (closed.phase, closed.bytes_in, closed.bytes_out) == ("closed", 6, 13)


def test_an_upstream_that_ends_first_is_no_end_of_the_question(scene: Scene) -> None:
    scene.waits = False
    scene.begin(relaying)
    scene.reach()
    scene.arrives(scene.upstream, b"first")
    scene.upstream.send(b"bye")
    scene.upstream.shutdown(socket.SHUT_WR)
    scene.arrives(scene.client, b"bye")
    scene.ends(scene.client)
    scene.client.send(b"still here")
    scene.arrives(scene.upstream, b"still here")
    scene.client.close()
    scene.until(lambda: "gone" in scene.calls)


def test_a_receiver_that_does_not_read_stops_the_sender(scene: Scene) -> None:
    scene.waits = False
    scene.begin(relaying)
    scene.reach()
    sent = 0
    for _ in range(400):
        scene.reactor.turn(0.001)
        try:
            sent += scene.client.send(bytes(1 << 20))
        except BlockingIOError:
            continue
    assert sent < 64 << 20  # what socket buffers and ours hold, and no more
    arrived = 0
    while arrived < sent + 5:
        arrived += len(received(scene.upstream) or b"")
        scene.reactor.turn(0.001)
    assert arrived == sent + 5


def test_a_reset_on_one_side_resets_the_other(scene: Scene) -> None:
    scene.waits = False
    scene.begin(relaying)
    scene.reach()
    scene.arrives(scene.upstream, b"first")
    scene.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    scene.client.close()
    scene.until(lambda: "gone" in scene.calls)
    with pytest.raises(ConnectionResetError):
        scene.upstream.recv(1)


def test_a_failed_dial_is_an_event(scene: Scene) -> None:
    deny = Deny(Code.ADDRESS_NOT_ALLOWED, "private")
    scene.begin(lambda e: [Dial()] if isinstance(e, Opened) else [Report(denied()), Abort()])
    scene.dials[0].done(Failed(deny, "10.0.0.1"))
    assert scene.layer.events == [Opened(), DialFailed(deny, "10.0.0.1")]
    assert scene.calls == []
    scene.written[0]()
    assert scene.calls == ["gone"]
    with pytest.raises(ConnectionResetError):
        scene.client.recv(1)


def test_the_layer_hears_nothing_while_it_waits(scene: Scene) -> None:
    scene.begin(lambda event: [Report(denied())] if isinstance(event, Opened) else [])
    scene.client.send(b"x")
    scene.client.shutdown(socket.SHUT_WR)
    turn_for_a_while(scene.reactor)
    assert scene.layer.events == [Opened()]
    scene.written[0]()
    scene.until(lambda: len(scene.layer.events) == 3)
    assert scene.layer.events[1:] == [DataReceived(SANDBOX, b"x"), Ended(SANDBOX)]
    assert scene.held == 1


def test_unjudged_heads_are_accounted_until_they_are_judged(scene: Scene) -> None:
    scene.begin(lambda e: [Report(ALLOWED)] if isinstance(e, DataReceived) else [])
    scene.client.send(bytes(500))
    scene.until(lambda: scene.events)
    assert scene.held == 0
    scene.written[0]()
    scene.client.send(bytes(500))
    scene.until(lambda: len(scene.events) == 2)
    assert scene.held == 0


def test_too_many_unjudged_bytes_end_the_connection(scene: Scene) -> None:
    scene.most_held = 100
    scene.begin(lambda _: [])
    scene.client.send(bytes(200))
    scene.until(lambda: scene.calls == ["gone"])
    assert scene.held == 0


def test_a_client_that_is_too_late_is_told_to_the_layer(scene: Scene) -> None:
    scene.begin(lambda event: [Abort()] if isinstance(event, Expired) else [])
    scene.connection.expire()
    assert scene.layer.events == [Opened(), Expired()]
    assert scene.calls == ["gone"]


def test_an_upstream_that_is_too_late_fails_the_dial(scene: Scene) -> None:
    scene.begin(lambda event: [Dial()] if isinstance(event, Opened) else [Abort()])
    scene.connection.expire()
    assert isinstance(scene.layer.events[-1], DialFailed)


def test_whoever_waits_for_the_daemon_is_not_late(scene: Scene) -> None:
    scene.begin(lambda event: [Report(denied())] if isinstance(event, Opened) else [])
    scene.connection.expire()
    assert scene.layer.events == [Opened()]


def test_a_cut_connection_cancels_its_dial_and_ignores_its_report(scene: Scene) -> None:
    scene.begin(lambda _: [Dial()])
    scene.connection.cut()
    assert scene.dials[0].is_cancelled
    scene.connection.cut()
    assert scene.calls == ["gone"]


def test_a_report_written_after_the_end_moves_nothing(scene: Scene) -> None:
    scene.begin(lambda _: [Report(denied()), Abort()])
    scene.connection.cut()
    scene.written[0]()
    assert scene.calls == ["gone"]


def test_a_finished_connection_delivers_its_last_bytes_first(scene: Scene) -> None:
    scene.begin(lambda e: [Send(SANDBOX, b"no"), Finish()] if isinstance(e, DataReceived) else [])
    scene.client.send(bytes(1000))
    scene.arrives(scene.client, b"no")
    scene.ends(scene.client)
    scene.client.send(b"more")  # unread bytes must not turn the end into a reset
    scene.client.shutdown(socket.SHUT_WR)
    scene.until(lambda: scene.calls == ["gone"])


def test_a_finished_connection_is_closed_even_if_the_sandbox_stays(scene: Scene) -> None:
    scene.begin(lambda event: [Finish()] if isinstance(event, Opened) else [])
    scene.until(lambda: scene.calls == ["gone"])


def test_a_layer_may_end_one_side(scene: Scene) -> None:
    def script(event: Event) -> Sequence[Command]:
        if isinstance(event, Opened):
            return [Dial()]
        return [Report(ALLOWED), Send(UPSTREAM, b"all"), End(UPSTREAM)] * isinstance(event, Dialled)

    scene.waits = False
    scene.begin(script)
    scene.reach()
    scene.arrives(scene.upstream, b"all")
    scene.ends(scene.upstream)
    scene.upstream.send(b"answer")
    scene.until(lambda: DataReceived(UPSTREAM, b"answer") in scene.layer.events)


def test_bytes_for_an_upstream_that_is_not_there_end_the_connection(scene: Scene) -> None:
    scene.begin(lambda _: [Send(UPSTREAM, b"x")])
    assert scene.calls == ["gone"]
