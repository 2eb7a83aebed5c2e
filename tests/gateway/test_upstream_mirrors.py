"""An upstream behind a mirror: who is asked, what is told, whose name is proved."""

from dataclasses import replace

import pytest

from cleanroom.decide.artifact import Grant
from cleanroom.decide.mirror import Mirror
from cleanroom.errors import Code
from cleanroom.gateway.source import Want
from tests.gateway.test_upstream import Told, scene
from tests.gateway.upstream_scene import BYE, OK, WANT, Scene

__all__ = ["scene"]


MIRROR = Mirror("npm.test", "https://files.test/api/npm", "x")


SIGNED = b"/left-pad?sig=of-this-request"
GRANT = Grant("npm", "artifact", "/left-pad", name="left-pad", version="1.0.0")


def moved_to(location: bytes) -> bytes:
    return b"HTTP/1.1 307 T\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % location


MIRRORED = replace(WANT, mirrors={"npm.test": MIRROR}, credential=Told())


def test_a_mirror_is_asked_below_its_path_and_proves_its_own_name(scene: Scene) -> None:
    registry = scene.serve((OK, OK), name="files.test")
    for _ in range(2):
        assert scene.fetch(MIRRORED).body == b"hello"
    assert registry.connections == 1
    head = registry.requests[0]
    assert head.startswith(b"GET /api/npm/left-pad HTTP/1.1\r\nHost: files.test\r\n")
    assert b"\r\nauthorization: Bearer x\r\n" in head


def test_a_mirror_that_is_somebody_else_is_asked_nothing(scene: Scene) -> None:
    registry = scene.serve((OK,))
    deny = scene.fetch(MIRRORED).deny
    assert deny is not None
    assert deny.code is Code.UPSTREAM_CERTIFICATE_INVALID
    assert "files.test, the mirror of npm.test," in deny.reason
    assert registry.requests == []


def test_a_mirror_that_does_not_take_the_secret_is_said_and_its_page_is_not(scene: Scene) -> None:
    scene.serve((b"HTTP/1.1 401 U\r\nContent-Length: 4\r\n\r\nwho?",), name="files.test")
    taken = scene.fetch(MIRRORED)
    assert taken.answer is None
    assert taken.deny is not None
    assert taken.deny.code is Code.SECRET_UNAVAILABLE


def test_a_redirect_of_a_mirror_is_followed_at_the_mirror(scene: Scene) -> None:
    moved = b"HTTP/1.1 302 F\r\nLocation: /api/npm/Left-Pad\r\nContent-Length: 0\r\n\r\n"
    registry = scene.serve((moved, BYE), (OK,), name="files.test")
    taken = scene.fetch(MIRRORED)
    assert taken.body == b"hello"
    assert taken.answer is not None
    assert taken.answer.sender == "npm.test/Left-Pad", "its public name"
    assert [each.partition(b" HTTP")[0] for each in registry.requests] == [
        b"GET /api/npm/left-pad",
        b"GET /api/npm/Left-Pad",
    ]


@pytest.fixture
def stored(scene: Scene) -> Want:
    """What a mirror at npm.test redirects to storage at files.test."""
    mirror = Mirror("npm.test", "https://npm.test", "x", storage=("files.test",))
    registry = scene.serve(*[(moved_to(b"https://files.test" + SIGNED),)] * 4)
    scene.doors.others["npm.test"] = registry.place
    return replace(WANT, grant=GRANT, mirrors={"npm.test": mirror}, credential=Told())


def test_a_signed_file_is_had_from_storage_without_a_credential(scene: Scene, stored: Want) -> None:
    storage = scene.serve((OK, OK), name="files.test")
    for _ in range(2):
        taken = scene.fetch(stored)
        assert taken.body == b"hello"
        assert taken.answer is not None
        assert taken.answer.sender == "", "it is the mirror's answer"
        assert taken.served is not None
        assert taken.served.storage == "files.test"
    assert storage.connections == 1
    for request in storage.requests:
        assert request.startswith(b"GET %b HTTP/1.1\r\nHost: files.test\r\n" % SIGNED)
        assert b"authorization" not in request.lower()


def test_storage_that_is_somebody_else_is_asked_nothing(scene: Scene, stored: Want) -> None:
    storage = scene.serve((OK,), name="npm.test")
    deny = scene.fetch(stored).deny
    assert deny is not None
    assert deny.code is Code.UPSTREAM_CERTIFICATE_INVALID
    assert storage.requests == []


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 403 F\r\nContent-Length: 20\r\n\r\nsig=of-this-request!",
        moved_to(b"https://files.test" + SIGNED),
        moved_to(b"https://npm.test/left-pad"),
    ],
)
def test_what_is_not_the_file_is_not_passed_on(scene: Scene, stored: Want, answer: bytes) -> None:
    storage = scene.serve((answer,), (OK,), name="files.test")
    taken = scene.fetch(stored)
    assert (taken.answer, taken.body) == (None, b"")
    assert taken.deny is not None
    assert "files.test, storage of the mirror of npm.test," in taken.deny.reason
    assert "sig=" not in taken.deny.reason
    assert storage.connections == 1
