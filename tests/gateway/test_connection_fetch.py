"""What an opened connection needs beyond relaying: sides that wait, answers that are fetched."""

import socket
from collections.abc import Iterator, Sequence

import pytest
from msgspec.structs import replace

from cleanroom.decide.artifact import Grant
from cleanroom.decide.model import Deny
from cleanroom.errors import Code
from cleanroom.gateway.reactor import Reactor
from cleanroom.gateway.source import Answer, Served, Want
from cleanroom.gateway.wire import (
    Command,
    DataReceived,
    Dial,
    Dialled,
    Ended,
    Event,
    Fetch,
    Fetched,
    Hold,
    Opened,
    Pause,
    Report,
    Resume,
    Send,
)
from tests.gateway.test_connection import ALLOWED, SANDBOX, UPSTREAM, Scene
from tests.gateway.world import turn_for_a_while


@pytest.fixture
def scene() -> Iterator[Scene]:
    reactor = Reactor()
    made = Scene(reactor)
    yield made
    made.connection.cut()
    made.client.close()
    if hasattr(made, "upstream"):
        made.upstream.close()
    reactor.close()


def test_a_paused_side_is_not_read_until_it_is_resumed(scene: Scene) -> None:
    def script(event: Event) -> Sequence[Command]:
        match event:
            case Opened():
                return [Pause(SANDBOX), Dial()]
            case Dialled():
                return []
            case DataReceived(data=b"now"):
                return [Resume(SANDBOX)]
            case _:
                return []

    scene.begin(script)
    scene.client.send(b"early")
    scene.client.shutdown(socket.SHUT_WR)
    scene.reach()
    turn_for_a_while(scene.reactor)
    assert scene.layer.events == [Opened(), Dialled("203.0.113.7")]
    scene.upstream.send(b"now")
    scene.until(lambda: Ended(SANDBOX) in scene.layer.events)
    assert scene.layer.events[2:] == [
        DataReceived(UPSTREAM, b"now"),
        DataReceived(SANDBOX, b"early"),
        Ended(SANDBOX),
    ]


def test_what_is_fetched_comes_as_events_and_is_cancelled_with_the_connection(
    scene: Scene,
) -> None:
    want = Want("sbx_test", "npm.test", Grant("npm", "metadata", "/a"))
    served = replace(ALLOWED, phase="served")

    def script(event: Event) -> Sequence[Command]:
        match event:
            case Opened():
                return [Report(ALLOWED), Fetch(want)]
            case Fetched(data=data):
                return [Report(served), Send(SANDBOX, data)]  # nobody waits for this report
            case _:
                return []

    scene.begin(script)
    assert scene.calls == ["settled"]
    scene.written[0]()
    scene.taker.begun(Answer(200, (), 5))
    scene.taker.more(b"hello")
    scene.arrives(scene.client, b"hello")
    assert scene.events == [ALLOWED, served]
    scene.connection.cut()
    assert "cancel" in scene.calls


@pytest.mark.parametrize("fails", [False, True])
def test_after_an_answer_the_next_request_is_heard(*, scene: Scene, fails: bool) -> None:
    want = Want("sbx_test", "npm.test", Grant("npm", "metadata", "/a"))

    def script(event: Event) -> Sequence[Command]:
        match event:
            case DataReceived(data=b"first" | b"second"):
                return [Fetch(want)]
            case Fetched(data=data):
                return [Send(SANDBOX, data)]
            case _:
                return []

    scene.begin(script)
    for asked, answer in ((b"first", b"one"), (b"second", b"two")):
        del scene.calls[:]
        scene.client.send(asked)
        scene.until(lambda: scene.calls == ["fetch"])
        scene.taker.begun(Answer(200, (), 3))
        scene.taker.more(answer)
        scene.arrives(scene.client, answer)
        if fails:
            scene.taker.failed(Deny(Code.UPSTREAM_UNREACHABLE, "gone"))
        else:
            scene.taker.ended(Served())


def test_what_a_layer_holds_later_is_accounted_until_the_next_verdict(scene: Scene) -> None:
    scene.most_held = 1000

    def script(event: Event) -> Sequence[Command]:
        match event:
            case Opened() | DataReceived(data=b"done"):
                return [Report(ALLOWED)]
            case DataReceived(data=data):
                return [Hold(len(data))]
            case _:
                return []

    scene.begin(script)
    scene.written[0]()
    scene.client.send(bytes(600))
    scene.until(lambda: scene.held == 600)
    scene.client.send(b"done")
    scene.until(lambda: len(scene.events) == 2)
    assert scene.held == 0
    scene.written[1]()
    scene.client.send(bytes(1001))
    scene.until(lambda: "gone" in scene.calls)
    assert scene.held == 0


def test_what_a_layer_holds_before_its_verdict_is_accounted_once(scene: Scene) -> None:
    scene.begin(lambda e: [Hold(len(e.data))] if isinstance(e, DataReceived) else [])
    scene.client.send(bytes(600))
    scene.until(lambda: len(scene.layer.events) == 2)
    assert scene.held == 600
