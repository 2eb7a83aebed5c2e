"""TLS that the gateway opens: a session on each side, and the layer that sees inside between them.

In: events of gateway/wire.py with bytes of TLS. Out: commands with bytes of TLS. Never: a byte
upstream before the connection's verdict is reported; a byte inside before the upstream's
certificate was verified for the very name; a byte that is not inside a session.

The layer inside speaks and hears plain bytes. When it dials, it is told Dialled only after the
handshake with the upstream; an upstream that cannot be verified is a DialFailed to it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import assert_never

from cleanroom.decide.model import Allow, Deny
from cleanroom.errors import Code
from cleanroom.events import Protocol
from cleanroom.gateway.layers.report import verdict_event
from cleanroom.gateway.layers.tls_session import TlsError, TlsSession
from cleanroom.gateway.wire import (
    Abort,
    Begun,
    Command,
    DataReceived,
    Dial,
    DialFailed,
    Dialled,
    End,
    Ended,
    Event,
    Expired,
    Fetched,
    FetchEnded,
    FetchFailed,
    Finish,
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


@dataclass(frozen=True, slots=True)
class Sessions:
    """Make the two sessions of a connection; `sandbox` shows the leaf for the name."""

    sandbox: Callable[[], TlsSession]
    upstream: Callable[[], TlsSession]


class _Stage(Enum):
    GREETING = auto()  # the handshake with the sandbox
    SERVING = auto()
    DIALLING = auto()
    VERIFYING = auto()  # the handshake with the upstream; the sandbox waits
    OVER = auto()


class OpenedLayer:
    """One opened connection; implements Layer. It was allowed, its ClientHello was judged."""

    def __init__(self, target: Target, allow: Allow, sessions: Sessions, inside: Layer) -> None:
        self._target = target
        self._allow = allow
        self._sessions = sessions
        self._inside = inside
        self._stage = _Stage.GREETING
        self._sandbox = sessions.sandbox()
        self._upstream: TlsSession | None = None
        self._dialled: Dialled | None = None
        self._told_ends: set[Side] = set()

    def handle(self, event: Event) -> Sequence[Command]:
        """Implement Layer."""
        if self._stage is _Stage.OVER:
            return []
        try:
            return self._handle(event)
        except TlsError as error:
            return self._broken(error)

    def _handle(self, event: Event) -> list[Command]:
        match event:
            case DataReceived(side=side, data=data):
                is_sandbox = side is Side.SANDBOX
                commands = self._from_sandbox(data) if is_sandbox else self._from_upstream(data)
            case Ended(side=side):
                is_sandbox = side is Side.SANDBOX
                commands = self._from_sandbox(None) if is_sandbox else self._from_upstream(None)
            case Dialled():
                commands = self._connected(event)
            case DialFailed():
                commands = self._not_connected(event)
            case Opened() | Begun() | Fetched() | FetchEnded() | FetchFailed():
                commands = self._outward(self._inside.handle(event))
            case Expired():
                commands = self._expired(event)
            case _:
                assert_never(event)
        return commands

    # --- the sandbox -------------------------------------------------------------------------

    def _from_sandbox(self, data: bytes | None) -> list[Command]:
        self._sandbox.feed(data)
        answer: list[Command] = []
        if self._stage is _Stage.GREETING:
            if self._sandbox.handshake():
                self._stage = _Stage.SERVING
            answer = self._wire(Side.SANDBOX, self._sandbox)
        return [*answer, *self._hear(Side.SANDBOX, self._sandbox)]

    # --- the upstream ------------------------------------------------------------------------

    def _connected(self, event: Dialled) -> list[Command]:
        self._stage = _Stage.VERIFYING
        self._dialled = event
        upstream = self._upstream = self._sessions.upstream()
        upstream.handshake()
        report = verdict_event(self._target, Protocol.TLS, self._allow, event.address)
        return [Report(report), *self._wire(Side.UPSTREAM, upstream)]

    def _from_upstream(self, data: bytes | None) -> list[Command]:
        upstream = self._upstream
        if upstream is None:
            return self._over(Abort())
        upstream.feed(data)
        return self._go_on(upstream)

    def _go_on(self, upstream: TlsSession) -> list[Command]:
        if self._stage is not _Stage.VERIFYING:
            return self._hear(Side.UPSTREAM, upstream)
        try:
            is_done = upstream.handshake()
        except TlsError as error:
            alert = self._wire(Side.UPSTREAM, upstream)
            return [*self._not_verified(error), *alert]
        answer = self._wire(Side.UPSTREAM, upstream)
        if not is_done or self._dialled is None:
            return answer
        self._stage = _Stage.SERVING
        return [
            *answer,
            Resume(Side.SANDBOX),
            *self._outward(self._inside.handle(self._dialled)),
            *self._hear(Side.SANDBOX, self._sandbox),  # its end, if that came before
            *self._hear(Side.UPSTREAM, upstream),
        ]

    def _not_verified(self, error: TlsError) -> list[Command]:
        name = self._target.name
        if error.certificate:
            reason = f"the certificate of {name} cannot be verified: {error.why}"
            deny = Deny(Code.UPSTREAM_CERTIFICATE_INVALID, reason)
        else:
            deny = Deny(Code.UPSTREAM_UNREACHABLE, f"no TLS with {name}: {error.why}")
        self._upstream = None
        return self._not_connected(DialFailed(deny, self._dialled.address if self._dialled else ""))

    def _not_connected(self, event: DialFailed) -> list[Command]:
        self._stage = _Stage.SERVING
        return [Resume(Side.SANDBOX), *self._outward(self._inside.handle(event))]

    # --- both --------------------------------------------------------------------------------

    def _hear(self, side: Side, session: TlsSession) -> list[Command]:
        """Give the layer inside what came, and put on the wire what the session itself says."""
        if self._stage is not _Stage.SERVING:
            return []
        data = session.read()
        commands = self._wire(side, session)
        if data:
            commands += self._outward(self._inside.handle(DataReceived(side, data)))
        if session.is_ended and side not in self._told_ends and self._is_serving():
            self._told_ends.add(side)
            commands += self._outward(self._inside.handle(Ended(side, session.is_torn)))
        return commands

    def _is_serving(self) -> bool:
        return self._stage is _Stage.SERVING

    def _outward(self, commands: Sequence[Command]) -> list[Command]:
        """Return what the layer inside wants, on the wire."""
        outside: list[Command] = []
        for command in commands:
            match command:
                case Send(side=side, data=data):
                    outside.append(Send(side, self._session(side).write(data)))
                case End(side=side):
                    outside += [Send(side, self._session(side).end()), command]
                case Dial():
                    self._stage = _Stage.DIALLING
                    outside += [Pause(Side.SANDBOX), command]
                case Finish():
                    outside += [Send(Side.SANDBOX, self._sandbox.end()), *self._over(command)]
                case Abort() | Relay():  # nothing inside may be relayed
                    outside += self._over(Abort())
                case _:
                    outside.append(command)
        return outside

    def _session(self, side: Side) -> TlsSession:
        session = self._sandbox if side is Side.SANDBOX else self._upstream
        if session is None:
            reason = "there is no session with the upstream"
            raise TlsError(reason)
        return session

    def _wire(self, side: Side, session: TlsSession) -> list[Command]:
        data = session.take()
        return [Send(side, data)] if data else []

    def _expired(self, event: Expired) -> list[Command]:
        if self._stage is _Stage.GREETING:
            reason = "the client did not finish its TLS handshake in time"
            return self._refuse(Deny(Code.HANDSHAKE_FAILED, reason))
        if self._stage is _Stage.VERIFYING:
            return self._not_verified(TlsError("it did not finish the handshake in time"))
        return self._outward(self._inside.handle(event))

    def _broken(self, error: TlsError) -> list[Command]:
        if self._stage is not _Stage.GREETING:
            return self._over(Abort())
        alert = self._wire(Side.SANDBOX, self._sandbox)
        reason = (
            f"the client ended the TLS handshake with the gateway: {error.why}; it gave up,"
            " or does not trust the sandbox's own certificates (/etc/ssl/certs/ca-certificates.crt)"
        )
        return [*alert, *self._refuse(Deny(Code.HANDSHAKE_FAILED, reason))]

    def _refuse(self, deny: Deny) -> list[Command]:
        report = verdict_event(self._target, Protocol.TLS, deny)
        return [Report(report), *self._over(Abort())]

    def _over(self, command: Command) -> list[Command]:
        self._stage = _Stage.OVER
        return [command]
