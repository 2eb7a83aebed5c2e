"""A conversation with opened TLS: a real client and a real server of TLS, the layer between."""

import ssl
from collections.abc import Sequence

from cleanroom.decide.model import Allow
from cleanroom.events import NetworkEvent, Protocol
from cleanroom.gateway.ca import upstream_context
from cleanroom.gateway.layers.http import HttpLayer
from cleanroom.gateway.layers.opened import OpenedLayer, Sessions
from cleanroom.gateway.layers.tls_session import TlsSession
from cleanroom.gateway.wire import (
    Abort,
    Command,
    DataReceived,
    Dial,
    Dialled,
    Ended,
    Event,
    Finish,
    Layer,
    Opened,
    Pause,
    Report,
    Resume,
    Send,
    Side,
    Target,
)
from tests.decide.policies import policy, rule
from tests.gateway.certificates import authority, client, server

SANDBOX, UPSTREAM = Side.SANDBOX, Side.UPSTREAM
RULE = rule("a.test:443,8443", inspect=True)
POLICY = policy(RULE, "b.test:443")
ADDRESS = "203.0.113.7"
INTERNET = authority("a.test", "b.test")  # whom upstreams are verified against
GET = b"GET /a?b=secret HTTP/1.1\r\nHost: a.test\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class OpenedTalk:
    """One connection to a.test. `shown` is the upstream's context, `trusted` the client's."""

    def __init__(
        self,
        shown: ssl.SSLContext | None = None,
        trusted: ssl.SSLContext | None = None,
        inside: Layer | None = None,
        *,
        port: int = 443,
    ) -> None:
        target = Target("a.test", "198.18.0.16", port, 5)
        leaf, roots = server("a.test"), upstream_context(INTERNET.certificate)
        sessions = Sessions(lambda: TlsSession(leaf), lambda: TlsSession(roots, "a.test"))
        http = inside or HttpLayer(POLICY, target, Protocol.HTTPS)
        self.layer = OpenedLayer(target, Allow(RULE), sessions, http)
        self.client = TlsSession(trusted or client(authority("a.test")), "a.test")
        self.upstream = TlsSession(shown or server("a.test", "a.test", "b.test"))
        self.commands: list[Command] = []
        self.received = b""  # by the client
        self.asked = b""  # of the upstream
        self.is_paused = False
        self.dials = True
        self.take(Opened())

    def take(self, event: Event) -> Sequence[Command]:
        """Give the layer an event, carry its commands out; return them all."""
        commands = list(self.layer.handle(event))
        self.commands += commands
        for command in commands:
            match command:
                case Send(side=side, data=data):
                    (self.client if side is SANDBOX else self.upstream).feed(data)
                case Pause():
                    self.is_paused = True
                case Resume():
                    self.is_paused = False
                case Dial() if self.dials:
                    assert command is commands[-1]
                    self.take(Dialled(ADDRESS))
                case _:
                    pass
        return commands

    def go(self) -> None:
        """Let both peers speak until nobody has anything to say. Raises their TlsError."""
        busy = True
        while busy and not self.is_over:
            busy = False
            for side, peer in ((SANDBOX, self.client), (UPSTREAM, self.upstream)):
                if side is UPSTREAM and not self.has_dialled:
                    continue
                if peer.handshake():
                    if side is SANDBOX:
                        self.received += peer.read()
                    else:
                        self.asked += peer.read()
                busy = self.put(side, peer.take()) or busy

    def put(self, side: Side, wire: bytes) -> bool:
        """Have a peer put bytes on the wire."""
        if not wire or (side is SANDBOX and self.is_paused):
            return False
        self.take(DataReceived(side, wire))
        return True

    def asks(self, data: bytes) -> None:
        """The client says this, once it can."""
        self.go()
        self.put(SANDBOX, self.client.write(data))
        self.go()
        self.hear()

    def answers(self, data: bytes) -> None:
        """The upstream says this."""
        self.go()
        self.put(UPSTREAM, self.upstream.write(data))
        self.go()
        self.hear()

    def hear(self) -> None:
        """Read what the client got last, after the connection's end too."""
        if self.client.is_open:
            self.received += self.client.read()

    def ends(self, side: Side, *, silently: bool) -> None:
        """A peer ends; silently: TCP only."""
        peer = self.client if side is SANDBOX else self.upstream
        if not silently:
            self.put(side, peer.end())
        if not self.is_over:
            self.take(Ended(side))
        self.hear()

    @property
    def has_dialled(self) -> bool:
        """Whether an upstream was asked for."""
        return any(isinstance(command, Dial) for command in self.commands)

    @property
    def reports(self) -> list[NetworkEvent]:
        """What the audit has."""
        return [command.event for command in self.commands if isinstance(command, Report)]

    @property
    def is_over(self) -> bool:
        """Whether the connection ended."""
        return any(isinstance(command, Finish | Abort) for command in self.commands)

    @property
    def last(self) -> Command:
        """The last command."""
        return self.commands[-1]
