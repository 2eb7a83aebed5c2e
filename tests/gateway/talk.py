"""A conversation with the plain-HTTP layer."""

from collections.abc import Sequence

from cleanroom.events import NetworkEvent
from cleanroom.gateway.layers.http import HttpLayer
from cleanroom.gateway.wire import (
    Abort,
    Command,
    DataReceived,
    Dial,
    Dialled,
    Event,
    Finish,
    Opened,
    Report,
    Send,
    Side,
    Target,
)
from cleanroom.policy.model import CompiledPolicy, NetworkPolicy, Rule, RuleKind

SANDBOX, UPSTREAM = Side.SANDBOX, Side.UPSTREAM
POLICY = CompiledPolicy(
    "sha256:00",
    "cleanroom.yaml",
    NetworkPolicy(
        allow_rules=(
            Rule(RuleKind.EXACT, "a.test", (80, 8080)),
            Rule(RuleKind.EXACT, "b.test", (80,)),
            Rule(RuleKind.NETWORK, "203.0.113.0/24", (80,)),
        )
    ),
)
TARGET = Target("a.test", "198.18.0.16", 80, 5)
GET = b"GET /a?b=secret HTTP/1.1\r\nHost: a.test\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Talk:
    """One connection: what is said to the layer, and what it lets through and writes."""

    def __init__(
        self, target: Target = TARGET, layer: HttpLayer | None = None, *, dials: bool = True
    ) -> None:
        self.layer = layer or HttpLayer(POLICY, target)
        self.dials = dials
        self.commands: list[Command] = []
        self.take(Opened())

    def take(self, event: Event) -> Sequence[Command]:
        commands = list(self.layer.handle(event))
        self.commands += commands
        if self.dials and commands and isinstance(commands[-1], Dial):
            commands += self.take(Dialled("203.0.113.7"))
        return commands

    def asks(self, data: bytes) -> Sequence[Command]:
        return self.take(DataReceived(SANDBOX, data))

    def answers(self, data: bytes) -> Sequence[Command]:
        return self.take(DataReceived(UPSTREAM, data))

    def sent(self, side: Side) -> bytes:
        return b"".join(c.data for c in self.commands if isinstance(c, Send) and c.side is side)

    @property
    def reports(self) -> list[NetworkEvent]:
        return [command.event for command in self.commands if isinstance(command, Report)]

    @property
    def is_over(self) -> bool:
        return isinstance(self.commands[-1], Finish | Abort)

    def refusal(self) -> tuple[int, str]:
        """Status and code of the answer the sandbox got last."""
        head = self.sent(SANDBOX).rpartition(b"HTTP/1.1 ")[2]
        code = head.partition(b"X-Cleanroom-Code: ")[2].partition(b"\r\n")[0]
        return int(head[:3]), code.decode()
