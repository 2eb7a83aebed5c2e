"""All that can happen to a sandbox or inside one; audit, streams and CLI share these values.

In: nothing. Out: closed value types. Never: payload bytes, query strings or secrets.
"""

from dataclasses import dataclass, field
from enum import StrEnum

import msgspec


class Protocol(StrEnum):
    """What a connection turned out to speak."""

    DNS = "dns"
    TCP = "tcp"
    TLS = "tls"
    HTTP = "http"
    HTTPS = "https"  # HTTP inside TLS that the gateway opened
    UDP = "udp"


class NetworkEvent(msgspec.Struct, frozen=True, array_like=True):
    """One question asked of the gateway and its answer, or the end of a relayed connection.

    `phase`: "verdict" before any byte flows, "closed" with byte counts afterwards; "served" when a
    registry's request was answered whole.
    `rule` is the rule's text and `rule_line` its line in the policy file (0: no line).

    Of packages, `registry` says whose they are ("npm"), `artifact` which ("left-pad 1.3.0"),
    `strength` and `pin` what it is held to ("lockfile", "package-lock.json:12"), and when it was
    served `cache` says where it came from ("hit", "miss", "stale"; "direct": the store failed),
    `digest` what it is ("sha256:<hex>"), `address` who was dialled for it ("" if nobody was).
    `mirror` is who is asked instead of `name`, by the operator's word, and `storage` the host that
    it had the bytes at.
    """

    phase: str
    allowed: bool
    protocol: Protocol
    name: str  # canonical host name, "" if the connection had none
    address: str  # the address dialled (verdict allowed) or asked for (denied), "" for DNS
    port: int
    code: str  # reason code; "" if allowed
    reason: str  # one sentence; "" if allowed, but for what `mode: warn` has to say
    rule: str = ""
    rule_line: int = 0
    connection_id: int = 0  # joins "verdict" and "closed" of one connection, per sandbox
    method: str = ""  # HTTP only
    path: str = ""  # HTTP only, never with its query
    bytes_in: int = 0  # towards the sandbox
    bytes_out: int = 0  # from the sandbox
    repeated: int = 0  # how many more equal events this one stands for (rate limiting)
    ends_sandbox: bool = False  # the policy says that the sandbox ends because of it
    through_proxy: bool = False  # the operator's proxy was dialled; `address` is the proxy's
    artifact: str = ""
    strength: str = ""
    pin: str = ""
    cache: str = ""
    digest: str = ""
    mirror: str = ""
    storage: str = ""
    registry: str = ""


@dataclass(frozen=True, slots=True)
class LifecycleEvent:
    """A sandbox or an execution changed its state, or something a person should know happened.

    `kind` is e.g. "sandbox.ready", "sandbox.ttl_warning", "execution.started", "gateway.lost".
    """

    kind: str
    detail: tuple[tuple[str, str], ...] = field(default=())


Event = NetworkEvent | LifecycleEvent
