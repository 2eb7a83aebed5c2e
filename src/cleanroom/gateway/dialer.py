"""Connects to upstreams: resolve, judge every address, dial exactly a judged one.

In: a target whose name or address a rule allows. Out: a connected socket and its address, or the
denial. Never: a connection to an address that was not judged as it is dialled.

Several addresses are raced as RFC 8305 says: families alternate, the next attempt starts when one
fails or after 250 ms.
"""

import errno
import os
import socket
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Final, Protocol

from cleanroom.decide.match import Address
from cleanroom.decide.model import Deny
from cleanroom.decide.tcp import parse_address
from cleanroom.errors import Code
from cleanroom.gateway.reactor import HUNG_UP, WRITABLE, Reactor, Timer
from cleanroom.gateway.resolver import Resolved, Resolver
from cleanroom.gateway.wire import Target

_NEXT_ATTEMPT_S: Final = 0.25
_MOST_ADDRESSES: Final = 8


@dataclass(frozen=True, slots=True)
class Reached:
    """A connected socket, watched by the reactor until somebody takes it over."""

    socket: socket.socket
    address: str
    through_proxy: bool = False
    told: int = WRITABLE  # what the reactor said of the socket so far


@dataclass(frozen=True, slots=True)
class Failed:
    """Nothing was connected. `address` is the one refused or tried, if there was one."""

    deny: Deny
    address: str = ""


Judge = Callable[[Address], Deny | None]
Done = Callable[[Reached | Failed], None]


class Cancellable(Protocol):
    """A dial under way, for whoever waits."""

    def cancel(self) -> None:
        """Give up silently. Idempotent."""
        ...

    def expire(self) -> None:
        """Give up and say so at once."""
        ...


class NotDialled:
    """A dial that was refused before it began: it fails in the next turn."""

    def __init__(self, reactor: Reactor, deny: Deny, done: Done) -> None:
        self._over = False
        self._failed = Failed(deny)
        self._done = done
        reactor.soon(self.expire)

    def cancel(self) -> None:
        """Give up silently. Idempotent."""
        self._over = True

    def expire(self) -> None:
        """Give up and say so at once."""
        if not self._over:
            self._over = True
            self._done(self._failed)


class Dialling:
    """One dial. `done` is called once, never within `start`, never after `cancel`."""

    def __init__(self, reactor: Reactor, target: Target, judge: Judge, done: Done) -> None:
        self._reactor = reactor
        self._target = target
        self._judge = judge
        self._done = done
        self._over = False
        self._waiting: deque[Address] = deque()
        self._attempts: set[_Attempt] = set()
        self._tried = ""
        self._why = "did not answer"
        self._next: Timer | None = None

    def start(self, owner: str, resolver: Resolver) -> None:
        """Begin; `owner` is the sandbox that pays for the look-up."""
        if self._target.name:
            resolver.resolve(owner, self._target.name, self._resolved)
            return
        literal = parse_address(self._target.address)
        found = Resolved(() if literal is None else (literal,), "is no address")
        self._reactor.soon(lambda: self._resolved(found))

    def cancel(self) -> None:
        """Give up silently. Idempotent."""
        self._over = True
        if self._next is not None:
            self._next.cancel()
        for attempt in self._attempts:
            attempt.close()
        self._attempts.clear()

    def _resolved(self, found: Resolved) -> None:
        if self._over:
            return
        if not found.addresses:
            self._fail(_unreachable(f"{self._target.name} {found.why}"))
            return
        refused: tuple[Deny, str] | None = None
        for address in _alternating(found.addresses[:_MOST_ADDRESSES]):
            deny = self._judge(address)
            if deny is None:
                self._waiting.append(address)
            elif refused is None:
                refused = (deny, str(address))
        if self._waiting:
            self._try_next()
        elif refused is not None:
            self._fail(*refused)

    def _try_next(self) -> None:
        if self._over:
            return
        if self._next is not None:
            self._next.cancel()
        if self._waiting:
            address = self._waiting.popleft()
            self._tried = str(address)
            if self._waiting:
                self._next = self._reactor.later(_NEXT_ATTEMPT_S, self._try_next)
            self._attempt()
        elif not self._attempts:
            where = f"{self._target.name or self._tried} at {self._tried}"
            self._fail(_unreachable(f"{where} {self._why}"), self._tried)

    def _attempt(self) -> None:
        try:
            attempt = _Attempt(self._reactor, self._tried, self._target.port, self._ended)
            attempt.start()
        except OSError as error:  # no descriptor or memory left, or no such address family
            self._why = f"cannot be dialled: {os.strerror(error.errno or 0)}"
            self._reactor.soon(self._try_next)
            return
        self._attempts.add(attempt)

    def _ended(self, attempt: "_Attempt", error: int) -> None:
        self._attempts.discard(attempt)
        if error:
            self._why = f"cannot be connected to: {os.strerror(error)}"
            self._try_next()
            return
        reached = Reached(attempt.socket, attempt.address, told=attempt.told)
        self.cancel()
        self._done(reached)

    def expire(self) -> None:
        """Give up and say so: whoever waits has waited long enough."""
        where = self._target.name or self._target.address
        self._fail(_unreachable(f"{where} did not answer in time"), self._tried)

    def _fail(self, deny: Deny, address: str = "") -> None:
        self.cancel()
        self._done(Failed(deny, address))


class _Attempt:
    """One connect() under way; owns its socket until it succeeds."""

    def __init__(
        self, reactor: Reactor, address: str, port: int, ended: "Callable[[_Attempt, int], None]"
    ) -> None:
        self._reactor = reactor
        self.address = address
        self._port = port
        self._ended = ended
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._is_over = False
        self.told = WRITABLE

    def start(self) -> None:
        """Begin. Raises OSError when nothing is left for it; then its socket is closed."""
        try:
            set_stream_options(self.socket)
            error = self.socket.connect_ex((self.address, self._port))
            self._reactor.watch(self.socket.fileno(), self)
        except OSError:
            self.close()
            raise
        if error != errno.EINPROGRESS:
            # Connected or refused at once, but whoever waits is told later, like always.
            self._reactor.soon(lambda: self._end(error))

    def ready(self, events: int) -> None:
        self.told |= events
        failed = events & HUNG_UP
        self._end(self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if failed else 0)

    def close(self) -> None:
        self._is_over = True
        self._reactor.closing(self.socket.fileno())
        self.socket.close()

    def _end(self, error: int) -> None:
        if self._is_over:
            return
        if error:
            self.close()
        self._is_over = True
        self._ended(self, error)


def set_stream_options(sock: socket.socket) -> None:
    """Send small writes at once, and notice a peer that vanished."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def _alternating(addresses: Sequence[Address]) -> Iterable[Address]:
    if len(addresses) == 1:  # the usual case
        return addresses
    first = [address for address in addresses if address.version == addresses[0].version]
    other = [address for address in addresses if address.version != addresses[0].version]
    pairs = chain.from_iterable(zip_longest(first, other))
    return [address for address in pairs if address is not None]


def _unreachable(reason: str) -> Deny:
    return Deny(Code.UPSTREAM_UNREACHABLE, reason)
