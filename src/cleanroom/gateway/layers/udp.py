"""Datagrams other than DNS: refused, and said.

In: where a datagram was sent. Out: its audit event. Never: its payload, or an answer.
"""

from typing import Final

from cleanroom.decide.model import Deny
from cleanroom.errors import Code
from cleanroom.events import NetworkEvent, Protocol
from cleanroom.gateway.layers.report import verdict_event
from cleanroom.gateway.wire import Target

_QUIC_PORTS: Final = frozenset({80, 443})


def refuse_datagram(name: str, address: str, port: int) -> NetworkEvent:
    """Return the event of a refused datagram. `name` is "" if no name has this address."""
    use = "use HTTP over TCP instead of QUIC" if port in _QUIC_PORTS else "use TCP"
    deny = Deny(Code.PROTOCOL_NOT_ALLOWED, f"no UDP but DNS leaves a sandbox; {use}")
    return verdict_event(Target(name, address, port, 0), Protocol.UDP, deny)
