"""The door hands over its own sockets, in the order that the gateway takes."""

import asyncio

from cleanroom.backends.base import DoorSockets
from cleanroom.daemon.gateway_door import GatewayDoor, descriptors_of
from cleanroom.gateway import control
from cleanroom.policy.model import CompiledPolicy
from tests.decide.policies import policy

SOCKETS = DoorSockets(tcp4=1, tcp6=2, dns4=3, dns6=4, udp4=5, udp6=6)


class Link:
    """Remembers what was opened."""

    opened: tuple[control.OpenDoor, CompiledPolicy, DoorSockets]

    async def open_door(
        self, message: control.OpenDoor, policy: CompiledPolicy, sockets: DoorSockets
    ) -> None:
        self.opened = (message, policy, sockets)


def test_it_is_attached_under_its_policy() -> None:
    link, judged_by = Link(), policy("a.test:443")
    asyncio.run(GatewayDoor(link, judged_by, control.OpenDoor("sbx_1")).attach(SOCKETS))
    assert link.opened == (control.OpenDoor("sbx_1"), judged_by, SOCKETS)
    assert descriptors_of(SOCKETS) == (1, 2, 3, 4, 5, 6)
    assert len(descriptors_of(SOCKETS)) == control.DOOR_DESCRIPTORS
