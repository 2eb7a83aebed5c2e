"""A registry's upstream asked over real TLS: kept connections, stale ones, redirects, ends."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from cleanroom.decide.artifact import Grant
from cleanroom.decide.echo import Echoes, Sieve, Word
from cleanroom.decide.model import Deny
from cleanroom.errors import Code
from cleanroom.gateway import line, pace, upstream
from cleanroom.gateway.moving import MAX_REDIRECTS
from cleanroom.gateway.places import place_of
from cleanroom.gateway.source import Answer, Served
from tests.gateway.upstream_scene import BYE, GRANT, OK, WANT, Scene, Taken
from tests.gateway.world import turn_until


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene()
    yield made
    for sandbox_id in ("sbx_1", "sbx_2"):
        made.upstream.forget(sandbox_id)
    for registry in made.registries:
        registry.close()
    made.reactor.close()


def test_an_answer_arrives_and_its_connection_is_kept_for_the_same_sandbox(scene: Scene) -> None:
    registry = scene.serve((OK, OK), (OK,))
    for _ in range(2):
        taken = scene.fetch()
        assert (taken.body, taken.served, taken.deny) == (
            b"hello",
            Served(address="127.0.0.1"),
            None,
        )
        assert taken.answer == Answer(200, (), 5)
    assert registry.connections == 1
    assert registry.requests[0].startswith(b"GET /left-pad HTTP/1.1\r\nHost: npm.test\r\n")
    scene.fetch(replace(WANT, sandbox_id="sbx_2"))
    assert registry.connections == 2


def test_a_kept_connection_of_a_policy_of_before_is_not_used_again(scene: Scene) -> None:
    registry = scene.serve((OK,), (OK,))
    scene.fetch()
    scene.upstream.close_idle("sbx_2")
    scene.upstream.close_idle("sbx_1")
    assert scene.fetch().body == b"hello"
    assert registry.connections == 2


def test_what_is_under_way_at_that_moment_leaves_no_connection_either(scene: Scene) -> None:
    registry = scene.serve((OK,), (OK,))
    taken = Taken()
    scene.upstream.fetch(WANT, taken)
    scene.upstream.close_idle("sbx_1")
    turn_until(scene.reactor, lambda: taken.is_over)
    assert taken.body == b"hello"
    assert scene.fetch().body == b"hello"
    assert registry.connections == 2


def test_a_kept_connection_that_proves_stale_is_replaced_once(scene: Scene) -> None:
    registry = scene.serve((OK, BYE), (OK,))
    scene.fetch()
    assert scene.fetch().body == b"hello"
    assert registry.connections == 2


def test_an_answer_that_is_cut_fails(scene: Scene) -> None:
    scene.serve((OK[:-1], BYE))
    taken = scene.fetch()
    assert (taken.body, taken.served) == (b"hell", None)
    assert taken.deny is not None
    assert taken.deny.code is Code.UPSTREAM_UNREACHABLE


def test_an_answer_without_a_length_is_whole_only_if_its_end_was_said(scene: Scene) -> None:
    scene.serve((b"HTTP/1.1 200 OK\r\n\r\nhalf", BYE))  # closed without a close_notify
    assert scene.fetch().deny is not None


def test_an_upstream_that_cannot_be_verified_is_asked_nothing(scene: Scene) -> None:
    registry = scene.serve((OK,), name="files.test")
    taken = scene.fetch()
    assert taken.deny is not None
    assert taken.deny.code is Code.UPSTREAM_CERTIFICATE_INVALID
    assert registry.requests == []


def test_an_answer_in_doubt_fails(scene: Scene) -> None:
    scene.serve((b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",))
    deny = scene.fetch().deny
    assert deny is not None
    assert "not beyond doubt" in deny.reason


def redirect(location: bytes) -> bytes:
    return b"HTTP/1.1 302 Found\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % location


def test_a_redirect_to_the_same_package_is_followed_after_it_was_judged(scene: Scene) -> None:
    registry = scene.serve((redirect(b"/left-pad/"),), (OK,))
    assert scene.fetch().body == b"hello"
    assert registry.requests[1].startswith(b"GET /left-pad/ HTTP/1.1\r\nHost: npm.test\r\n")


def test_an_answer_says_where_a_redirect_led_to(scene: Scene) -> None:
    location = b"https://files.test/left-pad"
    asked = scene.serve((redirect(b"/left-pad/"),), (OK, redirect(location)))
    scene.doors.others["npm.test"] = asked.place
    scene.serve((OK,), name="files.test")
    for sender in ("npm.test/left-pad/", "files.test/left-pad"):
        taken = scene.fetch()
        assert taken.answer
        assert taken.answer.sender == sender


@pytest.mark.parametrize(
    "location",
    [
        b"https://evil.test/left-pad",
        b"https://127.0.0.1/left-pad",
        b"http://npm.test/left-pad",
        b"https://npm.test:8443/left-pad",
        b"https://user@npm.test/left-pad",
        b"https://npm.test:x/left-pad",
        b"/other",
    ],
)
def test_a_redirect_to_elsewhere_is_refused(scene: Scene, location: bytes) -> None:
    registry = scene.serve((redirect(location),), (OK,))
    deny = scene.fetch().deny
    assert deny is not None
    assert deny.code is Code.REGISTRY_NOT_ALLOWED
    assert registry.connections == 1


def test_a_repository_that_has_moved_is_named_not_followed(scene: Scene) -> None:
    registry = scene.serve((redirect(b"/lib.git/info/refs?service=git-upload-pack"),), (OK,))
    grant = Grant("git", "metadata", "/lib/info/refs?service=git-upload-pack", name="lib")
    deny = scene.fetch(replace(WANT, grant=grant)).deny
    assert deny is not None
    assert deny.code is Code.REGISTRY_NOT_ALLOWED
    assert deny.reason == "lib of npm.test is at npm.test/lib.git now: name that"
    assert registry.connections == 1


@dataclass
class Told:
    """Implements Credential: only npm.test is told."""

    identity: str = "1"
    gone: Deny | None = None

    def lines(self, host: str, path: str) -> tuple[bytes, ...] | Deny:
        assert path.lower() == "/left-pad"
        return self.gone or ((b"authorization: Bearer x",) if host == "npm.test" else ())

    def sieve(self) -> Sieve:
        words = [b"real-Value_0123456789", b"real/Value_0123456789"]
        return Sieve(lambda: Echoes([Word(word, b"cleanroom_placeholder") for word in words]))


def test_a_credential_goes_to_its_host_and_not_where_that_redirects_to(scene: Scene) -> None:
    files = scene.serve((OK,), name="files.test")
    scene.doors.others["files.test"] = files.place
    registry = scene.serve((redirect(b"https://files.test/left-pad"),))
    assert scene.fetch(replace(WANT, credential=Told())).body == b"hello"
    (first,), (second,) = registry.requests, files.requests
    assert first.endswith(b"\r\nauthorization: Bearer x\r\n\r\n")
    assert second.startswith(b"GET /left-pad HTTP/1.1\r\nHost: files.test\r\n")
    assert b"authorization" not in second


def test_a_credential_that_is_gone_by_then_is_said_and_nothing_asked(scene: Scene) -> None:
    registry = scene.serve((OK,))
    gone = Deny(Code.SECRET_UNAVAILABLE, "its time is over")
    assert scene.fetch(replace(WANT, credential=Told(gone=gone))).deny == gone
    assert not any(registry.requests)  # the end of the connection is all that came


@pytest.mark.parametrize(
    "location",
    [
        b"https://files.test/real-Value_0123456789/left-pad",
        b"https://files.test/%72eal-Value_0123456789/left-pad",
        b"/real/x/../Value_0123456789/left-pad",
    ],
)
def test_a_redirect_that_repeats_a_value_is_not_followed_and_not_named(
    scene: Scene, location: bytes
) -> None:
    for manager in ("npm", "git"):
        scene.serve((redirect(location),))
        asked = replace(WANT, grant=replace(GRANT, manager=manager), credential=Told())
        deny = scene.fetch(asked).deny
        assert deny
        assert deny.code is Code.SECRET_SCOPE_VIOLATION
        assert "Value_0123456789" not in deny.reason


def test_a_redirect_in_a_circle_ends(scene: Scene) -> None:
    registry = scene.serve(*[(redirect(b"/left-pad"),)] * (MAX_REDIRECTS + 2))
    deny = scene.fetch().deny
    assert deny is not None
    assert "too often" in deny.reason
    assert registry.connections == MAX_REDIRECTS + 1


def test_a_server_that_is_not_there_and_a_sandbox_that_is_gone(scene: Scene) -> None:
    assert scene.fetch().deny is not None
    scene.doors.known.clear()
    deny = scene.fetch().deny
    assert deny is not None
    assert "has ended" in deny.reason
    assert deny.code is Code.CANCELED, "which says nothing of the upstream"


def test_a_server_that_is_silent_is_not_waited_for(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream, "SILENCE_S", 0.3)
    scene.serve((b"HTTP/1.1 ", b"never asked for"))
    deny = scene.fetch().deny
    assert deny is not None
    assert "in time" in deny.reason


def test_a_server_that_drips_is_not_waited_for_and_one_that_is_done_is_heard(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "WINDOW_S", 0.0)
    scene.serve((OK,))
    assert scene.fetch().body == b"hello"
    scene.upstream.close_idle("sbx_1")
    scene.serve((b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nh", b"never asked for"))
    deny = scene.fetch().deny
    assert deny is not None
    assert deny.code is Code.UPSTREAM_UNREACHABLE
    assert deny.reason.startswith("npm.test sends less than 65536 bytes in")


def test_who_waits_for_a_sandbox_that_ends_is_told_and_who_cancelled_is_not(scene: Scene) -> None:
    scene.serve((b"HTTP/1.1 ", b"never asked for"))
    waiting, cancelled = Taken(), Taken()
    asking = scene.upstream.fetch(WANT, cancelled)
    asking.cancel()
    asking.cancel()
    scene.upstream.fetch(WANT, waiting)
    turn_until(scene.reactor, lambda: scene.registries[0].requests)
    scene.upstream.forget("sbx_1")
    assert waiting.deny is not None
    assert not cancelled.is_over


def test_a_paused_answer_waits_and_goes_on(scene: Scene) -> None:
    size = 4 << 20
    scene.serve((b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size),))
    taken = Taken()
    asking = scene.upstream.fetch(WANT, taken)
    turn_until(scene.reactor, lambda: taken.body)
    asking.pause()
    got = len(taken.body)
    for _ in range(10):
        scene.reactor.turn(0.01)
    assert len(taken.body) == got
    asking.resume()
    turn_until(scene.reactor, lambda: taken.is_over)
    assert len(taken.body) == size


def test_idle_connections_are_few_and_go_after_a_while(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "KEPT_S", 0.05)
    scene.serve((OK,))
    scene.fetch()
    turn_until(scene.reactor, lambda: scene.upstream.take(place_of(WANT)) is None)
    monkeypatch.setattr(upstream, "KEPT", 0)
    scene.serve((OK,))
    scene.fetch()
    assert scene.upstream.take(place_of(WANT)) is None
