import dataclasses
import os

import pytest

from cleanroom.decide.model import Deny
from cleanroom.errors import Code
from cleanroom.gateway.flight import Flight, Hopes
from cleanroom.gateway.reactor import Reactor
from cleanroom.gateway.source import Answer
from cleanroom.gateway.spool import Body
from tests.gateway.upstreams import Reply, Upstream, page, want


class _Heard:
    def __init__(self) -> None:
        self.begun: list[Answer] = []
        self.over = 0
        self.failed: list[Deny] = []

    def hopes(self, *, may_grow: bool = True) -> Hopes:
        return Hopes(lambda _size: may_grow, self.begun.append, self._over, self.failed.append)

    def _over(self) -> None:
        self.over += 1


def _fly(reply: Reply, heard: _Heard, body: Body, *, may_grow: bool = True) -> None:
    reactor = Reactor()
    upstream = Upstream(reactor)
    upstream.answers("/ms", reply)
    flight = Flight(reactor, upstream, want(page()), body, heard.hopes(may_grow=may_grow))
    while not heard.over and not heard.failed:
        reactor.turn(0.05)
    flight.cancel()
    flight.ended(None)  # type: ignore[arg-type]  # what comes late is not heard
    flight.failed(Deny(Code.INTERNAL, "late"))
    flight.more(b"late")
    flight.begun(Answer(200, (), 1))
    reactor.close()


def test_it_lands() -> None:
    heard, body = _Heard(), Body.in_memory()
    _fly(Reply(b"{}"), heard, body)
    assert (heard.over, heard.failed, body.read(0, 9), body.is_complete) == (1, [], b"{}", True)
    body.release()


def test_a_sandbox_that_has_too_much_gets_no_more() -> None:
    heard, body = _Heard(), Body.in_memory()
    _fly(Reply(b"{}"), heard, body, may_grow=False)
    assert heard.failed[0].code is Code.RESOURCE_LIMIT
    assert body.failure is heard.failed[0]
    body.release()


def test_a_disk_without_room_is_a_refusal() -> None:
    full = os.open("/dev/full", os.O_RDWR)
    heard, body = _Heard(), Body(full)
    _fly(Reply(b"{}"), heard, body)
    assert heard.failed[0].code is Code.RESOURCE_LIMIT
    assert "no room" in heard.failed[0].reason
    body.release()


@pytest.mark.parametrize("status", [301, 307, 206])
def test_an_answer_that_leads_elsewhere_is_none(status: int) -> None:
    heard, body = _Heard(), Body.in_memory()
    _fly(Reply(b"x", status), heard, body)
    assert f"answers {status}" in heard.failed[0].reason
    body.release()


@pytest.mark.parametrize(("body", "method"), [(b"0000", "POST"), (b"", "GET")])
def test_a_body_is_posted_whatever_the_client_did(body: bytes, method: str) -> None:
    reactor, heard, room = Reactor(), _Heard(), Body.in_memory()
    upstream = Upstream(reactor)
    asked = want(dataclasses.replace(page(), body=body), method="HEAD")
    Flight(reactor, upstream, asked, room, heard.hopes()).cancel()
    assert [each.want.method for each in upstream.asked] == [method]
    room.release()
    reactor.close()
