"""An upstream behind a mirror: who is asked, what is told, whose name is proved."""

from dataclasses import replace

from cleanroom.decide.mirror import Mirror
from cleanroom.errors import Code
from tests.gateway.test_upstream import BYE, OK, WANT, Scene, Told, scene

__all__ = ["scene"]


MIRROR = Mirror("npm.test", "https://files.test/api/npm", "x")


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


def test_a_redirect_of_a_mirror_is_followed_at_the_mirror(scene: Scene) -> None:
    moved = b"HTTP/1.1 302 F\r\nLocation: /api/npm/Left-Pad\r\nContent-Length: 0\r\n\r\n"
    registry = scene.serve((moved, BYE), (OK,), name="files.test")
    taken = scene.fetch(MIRRORED)
    assert taken.body == b"hello"
    assert taken.answer is not None
    assert taken.answer.sender == ""
    assert [each.partition(b" HTTP")[0] for each in registry.requests] == [
        b"GET /api/npm/left-pad",
        b"GET /api/npm/Left-Pad",
    ]
