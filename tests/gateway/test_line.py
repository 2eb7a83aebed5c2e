"""A connection between two requests; how it is used, test_upstream.py shows."""

import socket

from cleanroom.gateway.dialer import Reached
from cleanroom.gateway.line import Line
from cleanroom.gateway.places import Place
from cleanroom.gateway.reactor import Reactor
from tests.gateway.upstream_scene import Doors
from tests.gateway.world import turn_until


def test_whatever_a_resting_connection_says_ends_it_and_it_is_closed_once() -> None:
    reactor = Reactor()
    ours, theirs = socket.socketpair()
    ours.settimeout(0)
    told: list[str] = []
    place = Place("sbx_1", "npm.test", 443, is_of_operator=False)
    line = Line(Doors(reactor), place, Reached(ours, "192.0.2.1"))
    line.serve(lambda: told.append("used"))
    line.rest(lambda: told.append("dropped"))
    assert line.is_used
    theirs.send(b"x")
    turn_until(reactor, lambda: told)
    assert set(told) == {"dropped"}
    line.close()
    line.close()
    assert ours.fileno() == -1
    theirs.close()
    reactor.close()
