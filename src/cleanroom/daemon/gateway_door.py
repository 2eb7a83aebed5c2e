"""The door of one sandbox on its way to the gateway process.

In: the sockets that the launcher made inside. Out: an attached door. Never: a socket left open
here.
"""

from typing import Protocol

from cleanroom.backends.base import DoorSockets
from cleanroom.gateway import control
from cleanroom.policy.model import CompiledPolicy


class Link(Protocol):
    """What a door needs of its gateway's link."""

    async def open_door(
        self, message: control.OpenDoor, policy: CompiledPolicy, sockets: DoorSockets
    ) -> None:
        """Give the sockets of a door to the gateway and wait until it serves them."""
        ...


class GatewayDoor:
    """Implements Door of backends/base.py."""

    def __init__(self, link: Link, policy: CompiledPolicy, message: control.OpenDoor) -> None:
        self._link = link
        self._policy = policy
        self._message = message

    async def attach(self, sockets: DoorSockets) -> None:
        """Give the sockets to the gateway; they are closed here. Raises Fault(gateway_lost)."""
        await self._link.open_door(self._message, self._policy, sockets)


def descriptors_of(sockets: DoorSockets) -> tuple[int, ...]:
    """Return them in the order that the gateway takes (control.DOOR_DESCRIPTORS)."""
    return (
        sockets.tcp4, sockets.tcp6, sockets.dns4, sockets.dns6, sockets.udp4, sockets.udp6,
    )  # fmt: skip
