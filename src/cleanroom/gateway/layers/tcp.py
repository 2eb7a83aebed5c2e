"""One TCP connection out of a sandbox: judged, peeked into, dialled, then relayed or handed on.

In: events of gateway/wire.py. Out: commands. Never: a byte upstream before its verdict is an
allow and is reported.

Ports 80 and 443 carry TLS and HTTP only, and are dialled when the first bytes have been judged. On
any other port servers may speak first, so it is dialled at once; if the client then turns out to
speak TLS or HTTP, that is judged too before its bytes pass. Where TLS is to be opened, every port
is like 443.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import assert_never

from cleanroom.decide.model import Allow, Deny
from cleanroom.decide.tcp import decide_connection
from cleanroom.decide.tls import decide_client_hello
from cleanroom.errors import Code
from cleanroom.events import Protocol
from cleanroom.gateway.layers.peek import STRICT_PORTS, Speech, classify, sniff
from cleanroom.gateway.layers.report import verdict_event
from cleanroom.gateway.layers.tls import ClientHello, HelloReader, Malformed
from cleanroom.gateway.wire import (
    Abort,
    Command,
    DataReceived,
    Dial,
    DialFailed,
    Dialled,
    Ended,
    Event,
    Expired,
    FetchEvent,
    Finish,
    Layer,
    Opened,
    OwnEvent,
    Relay,
    Report,
    Send,
    Side,
    Target,
)
from cleanroom.policy.model import CompiledPolicy
from cleanroom.policy.opened import is_opened, is_told, registries_of

HttpFactory = Callable[[CompiledPolicy, Target], Layer]
# The layer of a connection whose TLS is opened; None: nobody can open it; Deny: not now.
OpenFactory = Callable[[CompiledPolicy, Target, Allow], Layer | Deny | None]
# The layer of one that speaks neither TLS nor HTTP; None: nobody needs to look at it.
RelayFactory = Callable[[Target], Layer | None]


Silenced = Callable[[str], Deny | None]  # why nothing is asked of a host any more


def nothing_ended(name: str) -> Deny | None:
    """Implement Silenced: no host was ever told a secret."""
    del name
    return None


def unwatched(target: Target) -> Layer | None:
    """Implement RelayFactory: there is nothing to look for."""
    del target
    return None


@dataclass(frozen=True, slots=True)
class Inner:
    """Make the layers that a connection may be handed to."""

    http: HttpFactory
    opened: OpenFactory
    relayed: RelayFactory = unwatched
    silenced: Silenced = nothing_ended


class _Stage(Enum):
    PEEKING = auto()  # strict port: what does it speak?
    HELLO = auto()  # strict port: the ClientHello is not whole yet
    DIALLING = auto()
    SNIFFING = auto()  # other port, connected: the client has not spoken yet
    SNIFFED_HELLO = auto()  # other port, connected: the ClientHello is not whole yet
    OVER = auto()


class TcpLayer:
    """The root layer of every connection but DNS."""

    def __init__(self, policy: CompiledPolicy, target: Target, inner: Inner) -> None:
        self._policy = policy
        self._target = target
        self._make = inner
        self._inner: Layer | None = None
        self._stage = _Stage.PEEKING
        self._speech = Protocol.TCP
        self._hello = HelloReader()
        self._held = bytearray()  # from the sandbox, not yet allowed to pass
        self._allow: Allow | None = None
        self._dialled: Dialled | None = None

    def handle(self, event: Event) -> Sequence[Command]:
        """Implement Layer."""
        if self._inner is not None:
            return self._through(self._inner, event)
        return [] if isinstance(event, FetchEvent) else self._handle(event)

    def _handle(self, event: OwnEvent) -> Sequence[Command]:
        match event:
            case Opened():
                commands = self._open()
            case DataReceived(side=side, data=data):
                is_sandbox = side is Side.SANDBOX
                commands = self._speak(data) if is_sandbox else [Send(Side.SANDBOX, data)]
            case Dialled():
                commands = self._connected(event)
            case DialFailed(deny=deny, address=address):
                commands = self._refuse(deny, address)
            case Ended():
                commands = self._ended(event)
            case Expired():
                reason = "the client did not say in time what it wants; on ports 80 and 443 only"
                commands = self._refuse(_no_protocol(f"{reason} TLS and HTTP pass"))
            case _:
                assert_never(event)
        return commands

    def _open(self) -> Sequence[Command]:
        target = self._target
        verdict = decide_connection(self._policy, target.name, target.address, target.port)
        if isinstance(verdict, Deny):
            return self._refuse(verdict)
        self._allow = verdict
        if self._is_opened(verdict):
            return []
        silenced = self._make.silenced(target.name)
        if silenced is not None:
            # SECURITY: it was told a value, and nobody would see in what it repeats.
            return self._refuse(silenced)
        if target.port in STRICT_PORTS:
            return []
        self._stage = _Stage.DIALLING
        return [Dial()]

    def _speak(self, data: bytes) -> Sequence[Command]:
        self._held += data
        match self._stage:
            case _Stage.PEEKING:
                return self._peek()
            case _Stage.SNIFFING:
                return self._sniff()
            case _Stage.HELLO | _Stage.SNIFFED_HELLO:
                return self._read_hello(data)
            case _:
                # Dialling (the server delivers nothing then) and over: nothing may pass.
                return [Abort()]

    def _peek(self) -> Sequence[Command]:
        speech = classify(bytes(self._held[:32]))
        if speech is None:
            return []
        if speech is Speech.OTHER:
            what = f"on port {self._target.port} only TLS and HTTP pass, and this is neither"
            return self._refuse(_no_protocol(f"{what}; allow another port for it"))
        if speech is Speech.HTTP:
            if registries_of(self._policy, self._target.name):
                return self._refuse(_no_protocol("a registry is asked over TLS only"))
            return self._hand_to(self._make.http(self._policy, self._target))
        self._stage = _Stage.HELLO
        return self._read_hello(bytes(self._held))

    def _sniff(self) -> Sequence[Command]:
        speech = sniff(bytes(self._held[:32]))
        if speech is Speech.OTHER:
            watched = self._make.relayed(self._target)
            return self._relay_held() if watched is None else self._hand_to(watched)
        if speech is Speech.HTTP:
            return self._hand_to(self._make.http(self._policy, self._target))
        self._stage = _Stage.SNIFFED_HELLO
        return self._read_hello(bytes(self._held))

    def _read_hello(self, data: bytes) -> Sequence[Command]:
        self._speech = Protocol.TLS
        hello = self._hello.feed(data)
        if hello is None:
            return []
        if isinstance(hello, Malformed):
            return self._refuse(_no_protocol(f"the client sent {hello.why}"))
        return self._judge_hello(hello)

    def _judge_hello(self, hello: ClientHello) -> Sequence[Command]:
        if self._allow is None:
            return [Abort()]
        verdict = decide_client_hello(
            self._allow.rule,
            self._target.name,
            hello.server_name,
            ech_present=hello.ech_present,
        )
        if isinstance(verdict, Deny):
            return self._refuse(verdict)
        # SECURITY: what a host was told at one port it may repeat at another. On a port that no
        # binding names it may speak first, as ssh does, so only TLS is opened there.
        if self._is_opened(verdict) or is_told(self._policy, self._target.name):
            layer = self._make.opened(self._policy, self._target, verdict)
            if layer is None:
                # SECURITY: what is to be inspected must not fall back to an uninspected relay.
                layer = _no_protocol("its TLS is to be opened, and cannot be")
            return self._refuse(layer) if isinstance(layer, Deny) else self._hand_to(layer)
        if self._stage is _Stage.SNIFFED_HELLO:
            return self._relay_held()
        self._stage = _Stage.DIALLING
        return [Dial()]

    def _connected(self, event: Dialled) -> Sequence[Command]:
        if self._allow is None:
            return [Abort()]
        self._dialled = event
        report = Report(verdict_event(self._target, self._speech, self._allow, event.address))
        if self._held:
            return [report, *self._relay_held()]
        self._stage = _Stage.SNIFFING
        return [report]

    def _relay_held(self) -> list[Command]:
        self._stage = _Stage.OVER
        return [Send(Side.UPSTREAM, bytes(self._held)), Relay()]

    def _ended(self, event: Ended) -> Sequence[Command]:
        if self._stage is _Stage.SNIFFING:
            self._stage = _Stage.OVER
            self._inner = self._make.relayed(self._target)
            # Both know half-closed sides.
            return [Relay()] if self._inner is None else self._inner.handle(event)
        if self._held:
            is_tls = self._stage in (_Stage.HELLO, _Stage.SNIFFED_HELLO)
            code = Code.HANDSHAKE_FAILED if is_tls else Code.PROTOCOL_NOT_ALLOWED
            return self._refuse(Deny(code, "the client went away within its first message"))
        return [Finish()]

    def _is_opened(self, allow: Allow) -> bool:
        return is_opened(self._policy, allow.rule, self._target.name, self._target.port)

    def _hand_to(self, layer: Layer) -> list[Command]:
        self._inner = layer
        said = DataReceived(Side.SANDBOX, bytes(self._held))
        return [*self._through(layer, Opened()), *self._through(layer, said)]

    def _through(self, layer: Layer, event: Event) -> list[Command]:
        commands = list(layer.handle(event))
        if commands and isinstance(commands[-1], Dial) and self._dialled is not None:
            # On a port that was dialled before anybody spoke, the connection is there already.
            return [*commands[:-1], *self._through(layer, self._dialled)]
        return commands

    def _refuse(self, deny: Deny, address: str = "") -> Sequence[Command]:
        self._stage = _Stage.OVER
        return [Report(verdict_event(self._target, self._speech, deny, address)), Abort()]


def _no_protocol(reason: str) -> Deny:
    return Deny(Code.PROTOCOL_NOT_ALLOWED, reason)
