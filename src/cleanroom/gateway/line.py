"""One TLS connection to an upstream, kept between two requests.

In: a socket that was dialled as judged, bytes. Out: `changed`, when there is something to do.
Never: HTTP; a connection that says something while nobody asks is used again.
"""

import ssl
from collections.abc import Callable
from typing import Final, Protocol

from cleanroom.gateway.dialer import Reached
from cleanroom.gateway.endpoint import Endpoint
from cleanroom.gateway.layers.tls_session import TlsSession
from cleanroom.gateway.places import Place
from cleanroom.gateway.reactor import Reactor, Timer
from cleanroom.gateway.source import Served

KEPT_S: Final = 20.0
_READ_BYTES: Final = 64 * 1024


class Surroundings(Protocol):
    """What a connection needs."""

    @property
    def reactor(self) -> Reactor: ...

    @property
    def upstream_tls(self) -> ssl.SSLContext: ...


class Line:
    """One TLS connection to an upstream; tells `changed` when there is something to do."""

    def __init__(self, doors: Surroundings, place: Place, reached: Reached) -> None:
        self.place = place
        self.served = Served(address=reached.address, through_proxy=reached.through_proxy)
        self.is_used = False  # it has answered before
        self.session = TlsSession(doors.upstream_tls, place.host)
        self._reactor = doors.reactor
        self._changed: Callable[[], None] = _nothing
        self._timer: Timer | None = None
        self._is_closed = False
        self.endpoint = Endpoint(doors.reactor, reached.socket, self._ready, reached.told)
        doors.reactor.hand_over(reached.socket.fileno(), self.endpoint)

    def serve(self, changed: Callable[[], None]) -> None:
        """Belong to somebody who asks."""
        self._changed = changed
        if self._timer is not None:
            self._timer.cancel()

    def rest(self, drop: Callable[[], None]) -> None:
        """Belong to nobody for a while; anything that comes ends it."""
        self.is_used = True
        self._changed = drop
        self._timer = self._reactor.later(KEPT_S, drop)

    def send(self, request: bytes) -> None:
        """Ask; the handshake is over."""
        self.endpoint.send(memoryview(self.session.take() + self.session.write(request)))

    def turn(self) -> bool:
        """Hand on what is to be sent, take in what has come; tell whether anything has.

        Raises BrokenError or TlsError.
        """
        wire = self.session.take()
        if wire:
            self.endpoint.send(memoryview(wire))
        self.endpoint.flush()
        if not self.endpoint.can_receive:
            return False
        data = self.endpoint.receive(_READ_BYTES)
        if not data and not self.endpoint.ended:
            return False
        self.session.feed(data if data else None)
        return True

    def close(self) -> None:
        """Close the socket. Idempotent."""
        self._changed = _nothing
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._is_closed:
            self._is_closed = True
            self.endpoint.close()

    def _ready(self) -> None:
        self._changed()


def _nothing() -> None:
    """Nobody asks any more."""
