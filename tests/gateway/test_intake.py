"""What a source hands over waits until it is taken, and no more than a buffer of it."""

from cleanroom.decide.model import Deny
from cleanroom.errors import Code
from cleanroom.gateway.endpoint import BUFFER_BYTES
from cleanroom.gateway.intake import Intake
from cleanroom.gateway.source import Answer, Served
from cleanroom.gateway.wire import Begun, Fetched, FetchEnded, FetchFailed


class Fetching:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def pause(self) -> None:
        self.said.append("pause")

    def resume(self) -> None:
        self.said.append("resume")

    def cancel(self) -> None:
        self.said.append("cancel")


def test_events_come_in_order_and_wait_for_the_sandbox() -> None:
    changes: list[int] = []
    intake = Intake(lambda: changes.append(1))
    answer, deny = Answer(200, (), 5), Deny(Code.UPSTREAM_UNREACHABLE, "x")
    intake.begun(answer)
    intake.more(b"hello")
    intake.ended(Served())
    intake.failed(deny)
    assert len(changes) == 4
    assert intake.next(BUFFER_BYTES) is None
    taken = [intake.next(0) for _ in range(5)]
    assert taken[:2] == [Begun(answer), Fetched(b"hello")]
    assert taken[2:] == [FetchEnded(Served()), FetchFailed(deny), None]


def test_a_source_that_is_too_fast_is_paused_and_resumed() -> None:
    intake, fetching = Intake(lambda: None), Fetching()
    intake.fetching = fetching
    for _ in range(3):
        intake.more(bytes(BUFFER_BYTES // 2))
    assert fetching.said == ["pause"]
    intake.next(0)
    intake.next(0)
    assert fetching.said == ["pause", "resume"]
    intake.cancel()
    assert fetching.said[-1] == "cancel"
