from dataclasses import replace

from cleanroom.decide.model import Deny
from cleanroom.errors import Code
from cleanroom.gateway.ending import Ending
from cleanroom.gateway.source import Answer, Served
from tests.gateway.upstreams import Taken


class Errand:
    """Remembers whether it had ended when its taker heard of it."""

    def __init__(self, taken: Taken) -> None:
        self.taken = taken
        self.was_over: list[bool] = []

    def told(self, served: Served) -> Served:
        return replace(served, address="203.0.113.1")

    def over(self) -> None:
        self.was_over.append(self.taken.is_over)


def test_the_errand_ends_before_its_taker_is_told() -> None:
    taken = Taken()
    errand = Errand(taken)
    ending = Ending(errand, taken)
    ending.begun(Answer(200, (), 1))
    ending.more(b"x")
    ending.ended(Served("miss"))
    assert errand.was_over == [False]
    assert taken.body == b"x"
    assert taken.served == Served("miss", address="203.0.113.1")


def test_it_ends_when_it_fails_too() -> None:
    taken = Taken()
    errand = Errand(taken)
    deny = Deny(Code.UPSTREAM_UNREACHABLE, "it is gone")
    Ending(errand, taken).failed(deny)
    assert errand.was_over == [False]
    assert taken.deny is deny
