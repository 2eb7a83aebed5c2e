"""A door whose clock and upstream are the test's."""

import socket
from collections.abc import Callable
from contextlib import ExitStack

from cleanroom.decide.registries import judge_by
from cleanroom.gateway.door import Door, Given
from cleanroom.gateway.reactor import Reactor
from cleanroom.policy.model import CompiledPolicy
from tests.decide.policies import policy
from tests.gateway.doors import make_door_sockets
from tests.gateway.world import World, listening, received


class Clocked(Reactor):
    """A reactor whose clock the test sets."""

    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead


class Scene:
    """A door whose upstream is the test."""

    def __init__(self, stack: ExitStack) -> None:
        self.stack = stack
        self.reactor = Clocked()
        stack.callback(self.reactor.close)
        self.server = stack.enter_context(listening())
        self.world = World(self.reactor, upstream=self.server.getsockname()[:2])
        self.sockets = make_door_sockets()
        self.tcp4, self.tcp6, self.dns4, _, self.udp4, _ = (s.getsockname() for s in self.sockets)
        self.door: Door | None = None
        self.narrowings = 0

    def open(self, allow: CompiledPolicy | None = None, given: Given | None = None) -> Door:
        allowed = allow or policy(f"127.0.0.1/32:{self.tcp4[1]}")
        self.door = Door(self.world, "sbx_test", judge_by(allowed), self.sockets, given)
        self.stack.callback(self.door.close)
        return self.door

    def narrowed(self) -> None:
        self.narrowings += 1

    def client(self, place: tuple[str, int] | None = None) -> socket.socket:
        client = self.stack.enter_context(
            socket.create_connection((place or self.tcp4)[:2], timeout=10)
        )
        client.settimeout(0)
        return client

    def upstream(self) -> socket.socket:
        """Accept what the gateway dialled."""
        self.server.settimeout(0)
        accepted: list[socket.socket] = []

        def came() -> bool:
            try:
                accepted.append(self.stack.enter_context(self.server.accept()[0]))
            except BlockingIOError:
                return False
            return True

        self.until(came)
        accepted[0].settimeout(0)
        return accepted[0]

    def sends(self, place: tuple[str, int], data: bytes) -> socket.socket:
        client = self.stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        client.connect(place[:2])
        client.settimeout(0)
        client.send(data)
        return client

    def until(self, holds: Callable[[], object]) -> None:
        self.world.turn_until(holds)

    def is_answered(self, client: socket.socket) -> None:
        self.until(lambda: received(client))

    def codes(self) -> list[str]:
        return [event.code for event in self.world.events]

    def is_reset(self, client: socket.socket) -> bool:
        try:
            return received(client) == b""
        except ConnectionResetError:
            return True
