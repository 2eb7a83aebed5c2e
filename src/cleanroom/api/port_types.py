"""Ports of a sandbox that are reached from this host, as messages.

In: JSON. Out: frozen Structs. Never: an address that the sandbox chose, or one beyond loopback.
"""

from typing import Annotated

from msgspec import Meta

from cleanroom.api.message import Message

Number = Annotated[int, Meta(ge=1, le=65_535)]


class PortRequest(Message, frozen=True):
    """Reach `port` of the sandbox at `host_port` of this host's loopback; 0: any that is free."""

    port: Number
    host_port: Annotated[int, Meta(ge=0, le=65_535)]


class Port(Message, frozen=True):
    """A listener of the daemon's on 127.0.0.1; what connects there is carried to `port` inside."""

    port: int
    host_port: int
    address: str  # "127.0.0.1:8080"


class PortList(Message, frozen=True):
    """All of a sandbox, by their number inside."""

    ports: list[Port]


PortRequests = Annotated[list[PortRequest], Meta(max_length=16)]
