"""Tickets: what they stand for, and for how long."""

import os

import pytest

from cleanroom.client.sources import Source
from cleanroom.client.values import Surroundings, sealed_value
from cleanroom.daemon import handovers
from cleanroom.daemon.handovers import Handovers
from cleanroom.errors import CleanroomError, Code


def sealed() -> int:
    """Return a value as a client hands it over."""
    return sealed_value(Source("s", "env", ("A",)), Surroundings({"A": "a value of it"}, "/"))


def test_a_ticket_stands_for_duplicates_while_it_is_held() -> None:
    held, value = Handovers(), sealed()
    with held.held({"s": value}) as ticket:
        with held.values(ticket) as values:
            assert os.pread(values["s"], 99, 0) == b"a value of it"
            copy = values["s"]
            os.close(value)  # the client goes away
            assert os.pread(copy, 99, 0) == b"a value of it"
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.pread(copy, 99, 0)
    with pytest.raises(CleanroomError) as caught, held.values(ticket):
        pass
    assert caught.value.code is Code.SECRET_UNAVAILABLE


def test_no_ticket_stands_for_nothing() -> None:
    with Handovers().values("") as values:
        assert values == {}


def test_a_guessed_ticket_is_refused() -> None:
    with pytest.raises(CleanroomError), Handovers().values("x"):
        pass


@pytest.mark.parametrize("kind", ["pipe", "memfd"])
def test_what_could_block_or_change_is_refused(kind: str) -> None:
    ends = os.pipe() if kind == "pipe" else (os.memfd_create("x", os.MFD_ALLOW_SEALING),)
    refused = pytest.raises(CleanroomError, match="no sealed anonymous file")
    with refused, Handovers().held({"s": ends[0]}):
        pass
    for end in ends:
        os.close(end)


def test_tickets_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handovers, "MOST_AT_ONCE", 1)
    held = Handovers()
    with held.held({}), pytest.raises(CleanroomError, match="hand some over"), held.held({}):
        pass
    with held.held({}):
        pass
