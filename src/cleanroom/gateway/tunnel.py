"""Dials through the operator's CONNECT proxy (`gateway.proxy`).

In: a target that a rule allows. Out: a socket behind which the target is, or the denial. Never: a
private IP literal; a name cannot be judged by its address here, for the proxy resolves it.
"""

import socket
from collections.abc import Callable
from typing import Final

from cleanroom.decide.match import Address
from cleanroom.decide.model import Deny
from cleanroom.decide.tcp import parse_address
from cleanroom.errors import Code
from cleanroom.gateway.dialer import Dialling, Done, Failed, Judge, Reached
from cleanroom.gateway.endpoint import BrokenError, Endpoint
from cleanroom.gateway.layers.connect import ConnectReader, Refused, encode_connect
from cleanroom.gateway.reactor import HUNG_UP, READABLE, WRITABLE, Reactor
from cleanroom.gateway.resolver import Resolver
from cleanroom.gateway.wire import Target

_READ_BYTES: Final = 4096


def parse_proxy(text: str) -> tuple[str, int]:
    """Read "HOST:PORT", "[IP6]:PORT", with or without "http://". Raises ValueError."""
    host, _, port = text.removeprefix("http://").rstrip("/").rpartition(":")
    return host.removeprefix("[").removesuffix("]").lower(), int(port)


class Tunnelling:
    """One dial through the proxy; a Dialling for whoever waits."""

    def __init__(
        self, reactor: Reactor, proxy: tuple[str, int], target: Target, done: Done
    ) -> None:
        self._reactor = reactor
        self._host = target.name or target.address
        self._port = target.port
        self._done = done
        host, port = proxy
        name = "" if parse_address(host) else host
        place = Target(name, host, port, target.connection_id)
        self._dialling = Dialling(reactor, place, _operator_said_so, self._reached)
        self._handshake: _Handshake | None = None

    def start(self, owner: str, resolver: Resolver, judge: Judge) -> None:
        """Begin; an IP literal is judged first, as if dialled from here."""
        literal = parse_address(self._host)
        deny = None if literal is None else judge(literal)
        if deny is not None:
            failed = Failed(deny, self._host)
            self._dialling.cancel()
            self._reactor.soon(lambda: self._done(failed))
            return
        self._dialling.start(owner, resolver)

    def cancel(self) -> None:
        """Give up silently. Idempotent."""
        self._done = _nobody
        self._dialling.cancel()
        if self._handshake is not None:
            self._handshake.close()

    def expire(self) -> None:
        """Give up and say so at once."""
        done = self._done
        self.cancel()
        reason = "the proxy of this host's operator did not answer in time"
        done(Failed(Deny(Code.UPSTREAM_UNREACHABLE, reason)))

    def _reached(self, outcome: Reached | Failed) -> None:
        if isinstance(outcome, Failed):
            reason = f"the proxy of this host's operator: {outcome.deny.reason}"
            self._done(Failed(Deny(Code.UPSTREAM_UNREACHABLE, reason), outcome.address))
            return
        request = encode_connect(self._host, self._port)
        handshake = _Handshake(self._reactor, outcome, request, self._answered)
        self._handshake = handshake
        handshake.begin()

    def _answered(self, outcome: Reached | Failed) -> None:
        self._handshake = None
        self._done(outcome)


class _Handshake:
    """Sends CONNECT and reads the answer; owns the socket until it is granted."""

    def __init__(self, reactor: Reactor, reached: Reached, request: bytes, done: Done) -> None:
        self._reactor = reactor
        self._reached = reached
        self._request = request
        self._done = done
        self._reader = ConnectReader()
        self._endpoint = Endpoint(reactor, reached.socket, self._proceed, reached.told)

    def begin(self) -> None:
        """Send the request; the answer comes later."""
        self._reactor.hand_over(self._reached.socket.fileno(), self._endpoint)
        self._attempt(lambda: self._endpoint.send(memoryview(self._request)))

    def close(self) -> None:
        """Give up silently."""
        self._endpoint.close()

    def _proceed(self) -> None:
        self._attempt(self._read)

    def _read(self) -> None:
        self._endpoint.flush()
        while self._endpoint.can_receive:
            data = self._endpoint.receive(_READ_BYTES)
            if self._endpoint.ended:
                raise BrokenError
            answer = self._reader.feed(data) if data else None
            if isinstance(answer, Refused):
                self._fail(answer.why)
                return
            if answer is not None:
                sock: socket.socket = self._reached.socket
                # What was told is spent, and a receive too many is better than one too few.
                told = READABLE | WRITABLE | HUNG_UP
                self._done(Reached(sock, self._reached.address, through_proxy=True, told=told))
                return

    def _attempt(self, step: Callable[[], None]) -> None:
        try:
            step()
        except BrokenError:
            self._fail("the proxy closed the connection")

    def _fail(self, why: str) -> None:
        self.close()
        reason = f"the proxy of this host's operator gave no tunnel: {why}"
        self._done(Failed(Deny(Code.UPSTREAM_UNREACHABLE, reason), self._reached.address))


def _operator_said_so(_address: Address) -> None:
    """Judge the proxy's own address: the operator named it, so it may be private."""


def _nobody(_outcome: Reached | Failed) -> None:
    """Nobody waits any more."""
