"""Reports and who waits for them."""

from cleanroom.gateway.ledger import Ledger
from tests.gateway.test_budgets import denied


def test_nobody_is_told_before_the_daemon_wrote() -> None:
    ledger = Ledger()
    told: list[str] = []
    ledger.add("sbx_1", denied("a"), lambda: told.append("a"))
    ledger.add("sbx_1", denied("b"), lambda: told.append("b"))
    ledger.add("sbx_1", denied("c"), lambda: told.append("c"))
    batch = ledger.take()
    assert batch is not None
    assert [(report.sequence, report.event.name) for report in batch.reports] == [
        (1, "a"), (2, "b"), (3, "c"),
    ]  # fmt: skip
    assert ledger.take() is None
    assert told == []
    ledger.acknowledge(2)
    assert told == ["a", "b"]
    ledger.acknowledge(2)
    ledger.acknowledge(3)
    assert told == ["a", "b", "c"]


def nothing() -> None:
    """Wait for nothing."""


def test_unwritten_reports_are_counted_for_each_sandbox() -> None:
    ledger = Ledger()
    ledger.add("sbx_1", denied(), nothing)
    ledger.add("sbx_2", denied(), nothing)
    ledger.add("sbx_1", denied(), nothing)
    assert (ledger.unwritten("sbx_1"), ledger.unwritten("sbx_2")) == (2, 1)
    ledger.acknowledge(3)
    assert (ledger.unwritten("sbx_1"), ledger.unwritten("sbx_2")) == (0, 0)
