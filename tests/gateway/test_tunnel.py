"""Dialling through the operator's proxy."""

import socket
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from cleanroom.decide.model import Deny
from cleanroom.errors import Code
from cleanroom.gateway.dialer import Failed, Reached
from cleanroom.gateway.reactor import Reactor
from cleanroom.gateway.resolver import Resolved, Resolver
from cleanroom.gateway.tunnel import Tunnelling, parse_proxy
from cleanroom.gateway.wire import Target
from tests.gateway.world import listening, received, turn_for_a_while, turn_until

PRIVATE = Deny(Code.ADDRESS_NOT_ALLOWED, "private")


class Scene:
    """A dial through a proxy that is the test itself."""

    def __init__(self, server: socket.socket) -> None:
        self.server = server
        self.reactor = Reactor()
        self.resolver = Resolver(self.reactor, self.lookup)
        self.outcomes: list[Reached | Failed] = []
        self.asked: list[str] = []
        self.proxy: socket.socket | None = None

    def lookup(self, name: str) -> Resolved:
        self.asked.append(name)
        return Resolved((ip_address("127.0.0.1"),))

    def dial(
        self, target: Target, host: str = "proxy.corp", *, refused: Deny | None = None
    ) -> Tunnelling:
        proxy = (host, self.server.getsockname()[1])
        tunnelling = Tunnelling(self.reactor, proxy, target, self.outcomes.append)
        tunnelling.start("sbx_1", self.resolver, lambda _: refused)
        return tunnelling

    def accept(self) -> socket.socket:
        self.server.settimeout(0)
        accepted: list[socket.socket] = []

        def came() -> bool:
            try:
                accepted.append(self.server.accept()[0])
            except BlockingIOError:
                return False
            return True

        turn_until(self.reactor, came)
        self.proxy = accepted[0]
        self.proxy.settimeout(0)
        return self.proxy

    def asked_proxy(self) -> tuple[socket.socket, bytes]:
        """Accept the dial and read what it asks of the proxy."""
        proxy = self.accept()
        request: list[bytes] = []

        def came() -> bytes:
            request.append(received(proxy) or b"")
            return request[-1]

        turn_until(self.reactor, came)
        return proxy, request[-1]

    def outcome(self) -> Reached | Failed:
        turn_until(self.reactor, lambda: self.outcomes)
        return self.outcomes[0]


NAMED = Target("a.test", "198.18.0.16", 443, 1)


@pytest.fixture
def scene() -> Iterator[Scene]:
    with listening() as server:
        made = Scene(server)
        yield made
    for outcome in made.outcomes:
        if isinstance(outcome, Reached):
            outcome.socket.close()
    if made.proxy:
        made.proxy.close()
    made.resolver.close()
    made.reactor.close()


def test_the_proxy_is_asked_for_the_name_and_only_its_own_is_resolved(scene: Scene) -> None:
    scene.dial(NAMED)
    proxy, request = scene.asked_proxy()
    assert request.startswith(b"CONNECT a.test:443 HTTP/1.1\r\n")
    assert scene.outcomes == []
    proxy.send(b"HTTP/1.1 200 OK\r\n\r\n")
    reached = scene.outcome()
    assert isinstance(reached, Reached)
    assert (reached.address, reached.through_proxy) == ("127.0.0.1", True)
    assert scene.asked == ["proxy.corp"]
    reached.socket.send(b"hello")
    proxy.settimeout(10)
    assert proxy.recv(10) == b"hello"


@pytest.mark.parametrize(
    ("answer", "why"), [(b"HTTP/1.1 403 No\r\n\r\n", "403"), (b"", "closed the connection")]
)
def test_a_refusal_of_the_proxy_is_told(scene: Scene, answer: bytes, why: str) -> None:
    scene.dial(NAMED, "127.0.0.1")
    proxy, _ = scene.asked_proxy()
    if answer:
        proxy.send(answer)
    else:
        proxy.close()
    failed = scene.outcome()
    assert isinstance(failed, Failed)
    assert failed.deny.code == "upstream_unreachable"
    assert why in failed.deny.reason


def test_a_private_literal_is_not_asked_of_the_proxy(scene: Scene) -> None:
    scene.dial(Target("", "10.0.0.1", 22, 1), refused=PRIVATE)
    assert scene.outcomes == []
    assert scene.outcome() == Failed(PRIVATE, "10.0.0.1")
    scene.server.settimeout(0)
    with pytest.raises(BlockingIOError):
        scene.server.accept()


def test_a_proxy_that_is_not_there_is_said_to_be_the_operators(scene: Scene) -> None:
    scene.server.close()
    scene.server = socket.create_server(("127.0.0.1", 0))
    with scene.server:
        tunnelling_to_nobody = scene.server.getsockname()
    tunnelling = Tunnelling(scene.reactor, tunnelling_to_nobody, NAMED, scene.outcomes.append)
    tunnelling.start("sbx_1", scene.resolver, lambda _: None)
    failed = scene.outcome()
    assert isinstance(failed, Failed)
    assert failed.deny.reason.startswith("the proxy of this host's operator")


@pytest.mark.parametrize("answers", [True, False])
def test_a_silent_proxy_is_given_up(scene: Scene, answers: bool) -> None:  # noqa: FBT001
    tunnelling = scene.dial(NAMED)
    if answers:
        scene.asked_proxy()
    tunnelling.expire()
    failed = scene.outcome()
    assert isinstance(failed, Failed)
    assert "in time" in failed.deny.reason


def test_a_cancelled_dial_is_silent(scene: Scene) -> None:
    scene.dial(NAMED).cancel()
    tunnelling = scene.dial(NAMED)
    scene.asked_proxy()
    tunnelling.cancel()
    tunnelling.cancel()
    turn_for_a_while(scene.reactor)
    refused = scene.dial(Target("", "10.0.0.1", 22, 1), refused=PRIVATE)
    refused.cancel()
    turn_for_a_while(scene.reactor)
    assert scene.outcomes == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("proxy.corp:3128", ("proxy.corp", 3128)),
        ("http://Proxy.corp:3128/", ("proxy.corp", 3128)),
        ("[2001:db8::1]:80", ("2001:db8::1", 80)),
    ],
)
def test_the_proxys_place_is_read(text: str, place: tuple[str, int]) -> None:
    assert parse_proxy(text) == place


def test_a_place_without_a_port_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_proxy("proxy.corp")
