"""One TCP connection of a sandbox: feeds its layer events and carries out the commands.

In: an accepted socket, a layer. Out: bytes on both sides, reports. Never: a byte upstream while a
report is unwritten; that order is kept here, structurally, for every layer (gateway/wire.py).
"""

import socket
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol, assert_never

from msgspec.structs import replace

from cleanroom.events import NetworkEvent
from cleanroom.gateway.dialer import Cancellable, Failed, Reached
from cleanroom.gateway.endpoint import BUFFER, BUFFER_BYTES, BrokenError, Endpoint
from cleanroom.gateway.intake import Intake
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
    Fetch,
    FetchEnded,
    FetchFailed,
    Finish,
    Hold,
    Layer,
    Opened,
    Pause,
    Relay,
    Report,
    Resume,
    Send,
    Side,
    Target,
)

_READ_BYTES: Final = 64 * 1024  # at a time, for a layer
_STEPS: Final = 16  # of one connection before others have their turn
_LINGER_S: Final = 2.0  # for the sandbox to take its last bytes


class Keeper(Protocol):
    """What a connection needs of its door."""

    @property
    def reactor(self) -> Reactor: ...

    def report(self, event: NetworkEvent, written: Callable[[], None]) -> bool:
        """Have it written; False: it need not be waited for, `written` is not called."""
        ...

    def dial(
        self, connection: "Connection", done: Callable[[Reached | Failed], None]
    ) -> Cancellable:
        """Connect to its target; `done` is called later, once, unless cancelled."""
        ...

    def fetch(self, want: Want, taker: Taker) -> Fetching:
        """Have it answered; the taker is called later."""
        ...

    def hold(self, size: int) -> bool:
        """Account `size` more (or fewer) bytes of unjudged heads; False: they are too many."""
        ...

    def settled(self, connection: "Connection") -> None:
        """Take note that it was allowed: no deadline any more."""
        ...

    def gone(self, connection: "Connection") -> None:
        """Take note that it is closed."""
        ...


class Connection:
    """Drives one layer. `start` it once."""

    def __init__(self, keeper: Keeper, sock: socket.socket, target: Target, layer: Layer) -> None:
        self.target = target
        self._keeper = keeper
        self._layer = layer
        self._sandbox = Endpoint(keeper.reactor, sock, self._pump)
        self._upstream: Endpoint | None = None
        self._commands: deque[Command] = deque()
        self._events: deque[Event] = deque()
        self._dialling: Cancellable | None = None
        self._intake: Intake | None = None  # the answer that is being fetched
        self._is_waiting = False  # for a report or a dial
        self._is_relaying = False
        self._is_finishing = False
        self._is_tunnelled = False
        self._is_closed = False
        self._is_scheduled = False
        self._told_ends: set[Side] = set()
        self._paused: set[Side] = set()
        self._held_bytes = 0
        self._allowed: NetworkEvent | None = None
        keeper.reactor.watch(sock.fileno(), self._sandbox)

    def start(self) -> None:
        """Begin with Opened."""
        self._events.append(Opened())
        self._pump()

    def expire(self) -> None:
        """Take note that what the sandbox or the upstream was to do took too long."""
        if self._dialling is not None:
            self._dialling.expire()
        elif not self._is_waiting:
            self._events.append(Expired())
            self._pump()

    def cut(self) -> None:
        """Close both sides at once."""
        self._close(reset=True)

    # --- the loop -------------------------------------------------------------------------

    def _pump(self) -> None:
        try:
            busy = self._relay() if self._is_relaying else self._converse()
        except BrokenError:
            self._close(reset=True)
            return
        if busy and not self._is_scheduled and not self._is_closed:
            self._is_scheduled = True
            self._keeper.reactor.soon(self._pump_again)

    def _pump_later(self) -> None:
        """Pump when a source has said all it has to say now: one answer, one piece on the wire."""
        if not self._is_scheduled:
            self._is_scheduled = True
            self._keeper.reactor.after_turn(self._pump_again)

    def _pump_again(self) -> None:
        self._is_scheduled = False
        if not self._is_closed:
            self._pump()

    def _converse(self) -> bool:
        self._sandbox.flush()
        if self._upstream is not None:
            self._upstream.flush()
        for _ in range(_STEPS):
            if self._is_closed or not self._step():
                return False
            if self._is_relaying:
                break
        return True

    def _step(self) -> bool:
        """Do one thing of the conversation; False: nothing can be done now."""
        if self._is_finishing:
            return self._drain()
        if self._is_waiting:
            return False
        if self._commands:
            self._carry_out(self._commands.popleft())
            return True
        event = self._next_event()
        if event is None:
            return False
        self._commands.extend(self._layer.handle(event))
        return True

    def _next_event(self) -> Event | None:
        if self._events:
            return self._events.popleft()
        if self._intake is not None:
            return self._fetched(self._intake)
        event = self._read(Side.SANDBOX, self._sandbox, self._upstream)
        if event is None and self._upstream is not None:
            event = self._read(Side.UPSTREAM, self._upstream, self._sandbox)
        return event

    def _fetched(self, intake: Intake) -> Event | None:
        event = intake.next(self._sandbox.pending_bytes)
        if isinstance(event, FetchEnded | FetchFailed):
            self._intake = None  # what the sandbox asks next is heard again
        return event

    def _read(self, side: Side, source: Endpoint, sink: Endpoint | None) -> Event | None:
        if side in self._paused or (sink is not None and sink.pending_bytes >= BUFFER_BYTES):
            return None
        if source.can_receive:
            data = source.receive(_READ_BYTES)
            if data:
                self._hold(len(data))
                return DataReceived(side, data)
        if source.ended and side not in self._told_ends:
            self._told_ends.add(side)
            return Ended(side)
        return None

    # --- commands -------------------------------------------------------------------------

    def _carry_out(self, command: Command) -> None:
        match command:
            case Send(side=side, data=data):
                self._endpoint(side).send(memoryview(data))
            case Report(event=event):
                self._report(event)
            case Dial():
                self._is_waiting = True
                self._dialling = self._keeper.dial(self, self._dialled)
            case End(side=side):
                self._endpoint(side).end()
            case Pause() | Resume() | Fetch() | Hold():
                self._listen(command)
            case Relay():
                self._is_relaying = True
            case Finish() | Abort():
                self._finish(command)
            case _:
                assert_never(command)

    def _listen(self, command: Pause | Resume | Fetch | Hold) -> None:
        if isinstance(command, Hold):
            if self._allowed is not None:  # else they were counted as they were read
                self._take_in(command.size)
        elif isinstance(command, Pause):
            self._paused.add(command.side)
        elif isinstance(command, Resume):
            self._paused.discard(command.side)
        else:
            self._intake = Intake(self._pump_later)
            self._intake.fetching = self._keeper.fetch(command.want, self._intake)

    def _endpoint(self, side: Side) -> Endpoint:
        endpoint = self._sandbox if side is Side.SANDBOX else self._upstream
        if endpoint is None:  # a layer's mistake must not become a byte on the wrong side
            raise BrokenError
        return endpoint

    def _report(self, event: NetworkEvent) -> None:
        if self._is_tunnelled and event.allowed:
            event = replace(event, through_proxy=True)
        if event.phase == "served":  # it follows what the audit has already: nobody waits
            self._keeper.report(event, _nothing)
            return
        if event.allowed:
            self._allowed = event
            self._hold(-self._held_bytes)
            self._keeper.settled(self)
        self._is_waiting = self._keeper.report(event, self._written)

    def _written(self) -> None:
        if not self._is_closed:
            self._is_waiting = False
            self._pump()

    def _hold(self, size: int) -> None:
        if self._allowed is None or size <= 0:
            self._take_in(size)

    def _take_in(self, size: int) -> None:
        self._held_bytes += size
        if not self._keeper.hold(size):
            raise BrokenError

    def _dialled(self, outcome: Reached | Failed) -> None:
        self._dialling = None
        self._is_waiting = False
        match outcome:
            case Failed(deny=deny, address=address):
                self._events.append(DialFailed(deny, address))
            case Reached(socket=sock, address=address, through_proxy=through_proxy, told=told):
                self._is_tunnelled = through_proxy
                self._upstream = Endpoint(self._keeper.reactor, sock, self._pump, told)
                self._keeper.reactor.hand_over(sock.fileno(), self._upstream)
                self._events.append(Dialled(address, through_proxy))
        self._pump()

    # --- relaying -------------------------------------------------------------------------

    def _relay(self) -> bool:
        upstream = self._endpoint(Side.UPSTREAM)
        busy = self._copy(self._sandbox, upstream)
        busy = self._copy(upstream, self._sandbox) or busy
        both_ended = self._sandbox.ended and upstream.ended
        if both_ended and self._sandbox.is_drained and upstream.is_drained:
            self._close()
        return busy

    def _copy(self, source: Endpoint, sink: Endpoint) -> bool:
        """Move what can be moved; True: there may be more at once."""
        for _ in range(4):
            sink.flush()
            if sink.pending_bytes or not source.can_receive:
                return False
            size = source.receive_into(BUFFER)
            if size:
                sink.send(BUFFER[:size])
            elif source.ended and not sink.ended:  # else both are closed at once
                sink.end()
        return source.can_receive

    # --- the end --------------------------------------------------------------------------

    def _finish(self, command: Finish | Abort) -> None:
        if isinstance(command, Abort):
            self._close(reset=True)
            return
        self._is_finishing = True
        self._sandbox.end()
        if self._upstream is not None:
            self._upstream.end()
        # SECURITY: nobody waits for ever on a sandbox that does not take its last bytes.
        self._keeper.reactor.later(_LINGER_S, self._close)

    def _drain(self) -> bool:
        # Closing with received bytes unread would reset, and destroy the answer on its way.
        for _ in range(_STEPS):
            if not self._sandbox.can_receive:
                break
            self._sandbox.receive_into(BUFFER)
        if self._sandbox.ended and self._sandbox.is_drained:
            self._close()
        return False

    def _close(self, *, reset: bool = False) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        if self._intake is not None:
            self._intake.cancel()
        if self._dialling is not None:
            self._dialling.cancel()
        self._sandbox.close(reset=reset)
        if self._upstream is not None:
            self._upstream.close(reset=reset)
        self._keeper.hold(-self._held_bytes)
        if self._allowed is not None:
            self._keeper.report(self._ending(self._allowed), _nothing)
        self._keeper.gone(self)

    def _ending(self, allowed: NetworkEvent) -> NetworkEvent:
        sent = 0 if self._upstream is None else self._upstream.sent_bytes
        return replace(allowed, phase="closed", bytes_in=self._sandbox.sent_bytes, bytes_out=sent)


def _nothing() -> None:
    """Nobody waits for the report of an end."""
