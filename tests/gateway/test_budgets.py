"""What one sandbox may cost."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from cleanroom.decide.model import Deny
from cleanroom.errors import Code
from cleanroom.events import NetworkEvent, Protocol
from cleanroom.gateway.budgets import Folder, TokenBucket
from cleanroom.gateway.layers.report import verdict_event
from cleanroom.gateway.wire import Target


def denied(name: str = "a.test", port: int = 443) -> NetworkEvent:
    """One refusal."""
    deny = Deny(Code.HOST_NOT_ALLOWED, "no rule")
    return verdict_event(Target(name, "198.18.0.1", port, 0), Protocol.TCP, deny)


def test_a_bucket_spends_its_burst_and_then_its_rate() -> None:
    bucket = TokenBucket(rate=10, burst=3)
    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]
    assert 0.09 < bucket.wait_s() <= 0.1
    assert not bucket.take(100.05)
    assert bucket.take(100.11)
    assert [bucket.take(200.0) for _ in range(4)] == [True, True, True, False]


@given(st.lists(st.floats(0, 0.1), min_size=1, max_size=200))
def test_a_bucket_never_spends_more_than_burst_and_rate(pauses: list[float]) -> None:
    bucket, now, spent = TokenBucket(rate=10, burst=3), 1000.0, 0
    for pause in pauses:
        now += pause
        spent += bucket.take(now)
    assert spent <= 3 + 10 * (now - 1000.0) + 1e-6


def test_the_first_equal_events_pass_and_the_rest_is_one_with_their_number() -> None:
    folder = Folder(window_s=5, shown=2)
    offered = [folder.offer(denied(), 0.0) for _ in range(6)]
    assert [event is not None for event in offered] == [True, True, False, False, False, False]
    assert folder.due(4.9) == []
    assert folder.due(5.0) == [replace(denied(), repeated=3)]  # it stands for four
    assert folder.is_empty
    assert folder.offer(denied(), 5.1) is not None


def test_other_events_are_not_folded_together() -> None:
    folder = Folder(shown=1)
    events = (denied(), denied("b.test"), denied(port=80), replace(denied(), phase="closed"))
    assert all(folder.offer(event, 0.0) for event in events)
    assert not folder.is_empty
    assert folder.flush() == []


def test_a_scan_is_folded_without_its_targets() -> None:
    folder = Folder(shown=1, kinds=3)
    passed = [folder.offer(denied(port=port), 0.0) for port in range(1, 100)]
    seen = [event for event in passed if event is not None]
    assert [event.port for event in seen] == [1, 2, 3, 0]
    (rest,) = folder.flush()
    assert (rest.port, rest.name, rest.repeated) == (0, "", 94)  # 99 = 4 passed + 1 + 94


@given(st.lists(st.integers(0, 4), max_size=60), st.integers(1, 3))
def test_no_event_is_lost_by_folding(ports: list[int], shown: int) -> None:
    folder = Folder(shown=shown, kinds=3)
    passed = [folder.offer(denied(port=port), 0.0) for port in ports]
    kept = [event for event in passed if event is not None] + folder.flush()
    assert sum(1 + event.repeated for event in kept) == len(ports)
