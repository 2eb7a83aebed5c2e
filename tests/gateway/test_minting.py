"""Tokens minted over real TLS: the first, the next, and every way in which there is none."""

import json
import os
import socket
from collections.abc import Iterator

import pytest

from cleanroom.decide.address import make_guard
from cleanroom.decide.model import Deny
from cleanroom.decide.secret import SecretRef
from cleanroom.gateway import minting
from cleanroom.gateway.ca import upstream_context
from cleanroom.gateway.minting import MOST_ANSWER, Minting, Whose
from cleanroom.gateway.reactor import Reactor
from cleanroom.gateway.vault import SandboxSecrets, Secret
from cleanroom.policy.model import OAuth2, SecretBinding
from tests.gateway.certificates import authority
from tests.gateway.upstream_scene import BYE, HOSTS, Registry
from tests.gateway.world import World

HOST = "npm.test"
AT = OAuth2(HOST, 443, "/token")
BINDING = SecretBinding("gh", "GH", ("api.test",), kind="oauth2", oauth2=AT)
REFRESH = "rt-0123456789"
ROTATED = "rt-rotated"


def answer(status: str = "200 OK", /, **fields: object) -> bytes:
    body = json.dumps(fields).encode()
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status.encode(), len(body), body)


def minted(token: str, **fields: object) -> bytes:
    return answer("200 OK", access_token=token, **fields)


class Scene:
    """A gateway in the test's hands, and one secret whose tokens are minted at `registry`."""

    def __init__(self) -> None:
        self.world = World(Reactor())
        self.world.upstream_tls = upstream_context(authority(*HOSTS).certificate)
        self.secrets = SandboxSecrets(self.world.reactor.now)
        self.heard: list[SecretRef | str] = []
        self.minting = Minting(
            self.world, Whose("sbx_test", BINDING, AT), self.secrets, self.heard.append
        )
        self.registry: Registry | None = None

    def serve(self, *scripts: tuple[bytes, ...], name: str = HOST) -> Registry:
        self.registry = Registry(*scripts, name=name)
        self.world.upstream = self.registry.place
        return self.registry

    def mint(self, value: str = REFRESH) -> SecretRef | str:
        """Ask for the first token; return what came of it."""
        self.minting.start(Secret.of(value.encode()))
        self.world.turn_until(lambda: self.heard)
        return self.heard[-1]

    def token(self) -> bytes | Deny:
        (ref,) = self.secrets.refs
        return self.secrets.take(ref, 1)

    def close(self) -> None:
        self.minting.close()
        self.secrets.close()
        if self.registry is not None:
            self.registry.close()
        self.world.reactor.close()


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene()
    yield made
    made.close()


def test_a_token_is_minted_and_sent_in_the_place_of_what_minted_it(scene: Scene) -> None:
    registry = scene.serve((minted("ghp_" + "a" * 36, refresh_token=ROTATED),))
    ref = scene.mint()
    assert isinstance(ref, SecretRef)
    assert ref.placeholder.startswith("ghp_")
    assert scene.token() == b"ghp_" + b"a" * 36
    assert b"refresh_token=" + REFRESH.encode() in registry.requests[0]
    (event,) = scene.world.events
    assert (event.allowed, event.name, event.method, event.path) == (True, HOST, "POST", "/token")
    assert event.rule == "secret gh"
    hidden = scene.secrets.echoes().replace(f"{REFRESH} rt-rotated ghp_{'a' * 36}".encode())
    assert hidden == b" ".join([ref.placeholder.encode()] * 3)
    shown = repr([scene.minting, scene.secrets, scene.world.events])
    assert REFRESH not in shown
    assert "aaaa" not in shown


def test_the_next_token_is_minted_with_the_rotated_word(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(minting, "SOONEST_S", 0.01)
    registry = scene.serve(
        (minted("at-first-1", expires_in=0, refresh_token=ROTATED),),
        (answer("500 Oops"),),
        (minted("at-second-2", expires_in=3600),),
    )
    scene.mint()
    assert isinstance(scene.token(), Deny)
    scene.world.turn_until(lambda: scene.token() == b"at-second-2")
    assert [b"rt-rotated" in request for request in registry.requests] == [False, True, True]
    assert len(scene.heard) == 1
    hidden = scene.secrets.echoes().replace(
        b"at-first-1 at-second-2 rt-rotated " + REFRESH.encode()
    )
    assert b"at-" not in hidden
    assert b"rt-" not in hidden


def test_while_there_is_no_newer_one_a_request_is_refused_with_the_reason(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(minting, "SOONEST_S", 0.01)
    refused = (answer("400 Bad", error="invalid_grant"),)
    scene.serve((minted("at-first-1", expires_in=0),), *[refused] * 50)
    scene.mint()

    def says_why() -> bool:
        found = scene.token()
        return isinstance(found, Deny) and "invalid_grant" in found.reason

    scene.world.turn_until(says_why)
    found = scene.token()
    assert isinstance(found, Deny)
    assert found.code == "secret_unavailable"
    assert "'gh' has no token now: it answers 400 (invalid_grant)" in found.reason


def test_nothing_is_minted_for_a_secret_that_has_ended(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(minting, "SOONEST_S", 0.01)
    registry = scene.serve((minted("at-first-1", expires_in=0),), (answer(),))
    scene.mint()
    scene.secrets.narrow(())
    for _ in range(20):
        scene.world.reactor.turn(0.005)
    assert len(registry.requests) == 1
    assert scene.secrets.refs == ()


REFUSALS = {
    "a status": ((answer("401 No", error="invalid_client"),), "it answers 401 (invalid_client)"),
    "no object": ((answer()[:-2] + b"[]",), "no JSON object"),
    "a redirect": (
        (b"HTTP/1.1 302 x\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n",),
        "answers 302",
    ),
    "a cut": ((b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", BYE), "no whole answer"),
    "a mess": ((b"SSH-2.0\r\n\r\n",), "no whole answer"),
    "too much": ((minted("x" * MOST_ANSWER),), "more than"),
    "a bad token": ((minted("a\nb-456789"),), "control character"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_without_a_token_nothing_is_held(scene: Scene, case: str) -> None:
    script, why = REFUSALS[case]
    scene.serve(script)
    found = scene.mint()
    assert isinstance(found, str)
    assert found.startswith(f"{HOST} minted no token: ")
    assert why in found
    assert REFRESH not in found
    assert scene.secrets.refs == ()
    assert scene.secrets.echoes().replace(REFRESH.encode()) == REFRESH.encode()


def test_an_endpoint_that_shows_another_name_is_told_nothing(scene: Scene) -> None:
    registry = scene.serve((minted("at-first-1"),), name="files.test")
    assert "its certificate cannot be verified" in str(scene.mint())
    assert registry.requests == []


def test_an_endpoint_that_speaks_no_tls_is_told_nothing(scene: Scene) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        scene.world.upstream = listening.getsockname()
        scene.minting.start(Secret.of(REFRESH.encode()))
        scene.world.turn_until(lambda: scene.world.events)
        listening.settimeout(0)
        peers: list[socket.socket] = []

        def came() -> bool:
            try:
                peers.append(listening.accept()[0])
            except BlockingIOError:
                return False
            return True

        scene.world.turn_until(came)
        peers[0].sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        scene.world.turn_until(lambda: scene.heard)
        peers[0].close()
    assert "no TLS with it" in str(scene.heard[0])


def test_an_address_that_the_guard_refuses_is_not_dialled(scene: Scene) -> None:
    registry = scene.serve((minted("at-first-1"),))
    scene.world.guard = make_guard([], [])
    assert "it is not reached: " in str(scene.mint())
    assert [event.allowed for event in scene.world.events] == [True, False]
    assert registry.connections == 0


def test_an_endpoint_that_hangs_is_waited_for_within_a_bound(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(minting, "ANSWER_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        scene.world.upstream = listening.getsockname()
        assert "it did not answer in time" in str(scene.mint())


def test_nothing_is_asked_before_it_is_written(scene: Scene) -> None:
    registry = scene.serve((minted("at-first-1"),))
    scene.world.writes = False
    scene.minting.start(Secret.of(REFRESH.encode()))
    for _ in range(20):
        scene.world.reactor.turn(0.005)
    assert registry.connections == 0
    scene.world.acknowledge()
    scene.world.turn_until(lambda: scene.heard)
    assert scene.token() == b"at-first-1"


def test_a_sandbox_that_ends_meanwhile_is_told_nothing(scene: Scene) -> None:
    scene.world.writes = False
    scene.minting.start(Secret.of(REFRESH.encode()))
    scene.minting.close()
    scene.world.acknowledge()
    for _ in range(20):
        scene.world.reactor.turn(0.005)
    assert scene.heard == []


def test_a_value_that_cannot_mint_is_refused_without_a_question(scene: Scene) -> None:
    assert "it has no refresh_token" in str(scene.mint('{"client_secret":"cs-456789"}'))
    assert scene.world.events == []


def test_without_a_descriptor_left_the_token_is_not_there_and_the_gateway_is(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.serve((minted("at-first-1"),))
    kept = Secret.of(REFRESH.encode())

    def fail(*_: object) -> int:
        raise OSError(24, os.strerror(24))

    monkeypatch.setattr("cleanroom.gateway.vault.os.memfd_create", fail)
    scene.minting.start(kept)
    scene.world.turn_until(lambda: scene.heard)
    found = scene.token()
    assert isinstance(found, Deny)
    assert "Too many open files" in found.reason
