"""Which status an end has."""

import pytest

from cleanroom.cli.exit_status import error_status, execution_status, exit_status
from cleanroom.client.reply import Reply
from cleanroom.errors import Code


@pytest.mark.parametrize(
    ("run", "signalled", "status"),
    [
        ({"exit_code": 0}, 0, 0),
        ({"exit_code": 137}, 0, 137),
        ({"exit_code": 137, "failure": {"code": "timed_out"}}, 0, 124),
        ({"exit_code": None, "failure": {"code": "canceled"}}, 2, 130),
        ({"exit_code": None, "failure": {"code": "canceled"}}, 15, 143),
        ({"exit_code": 143, "failure": {"code": "canceled"}}, 2, 130),
        ({"exit_code": None, "failure": {"code": "canceled"}}, 0, 130),
        ({"exit_code": None, "failure": {"code": "gateway_lost"}}, 0, 125),
        ({"exit_code": None}, 0, 125),
    ],
    ids=str,
)
def test_statuses(run: dict[str, object], signalled: int, status: int) -> None:
    assert exit_status(Reply.of(run), signalled, fail_on_denied=False) == status


def test_what_was_denied_counts_if_asked() -> None:
    run = Reply.of({"exit_code": 0, "denied": [{"name": "evil.test"}]})
    assert exit_status(run, 0, fail_on_denied=True) == 1
    let_go = {"code": "handshake_failed"}  # by a client that gave up
    for denied, status in ((let_go,), 0), ((let_go, {"code": "host_not_allowed"}), 1):
        ended = Reply.of({"exit_code": 0, "denied": list(denied)})
        assert exit_status(ended, 0, fail_on_denied=True) == status
    assert exit_status(run, 0) == 0


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ({"exit_code": 3}, 3),
        ({"signal": 9}, 137),
        ({}, 125),
        ({"exit_code": 143, "failure": {"code": "timed_out"}}, 124),
        ({"exit_code": 143, "failure": {"code": "canceled"}}, 143),
        ({"failure": {"code": "canceled"}}, 130),
        ({"signal": 15, "failure": {"code": "timed_out"}}, 124),
    ],
    ids=str,
)
def test_statuses_for_who_only_looked_on(end: dict[str, object], status: int) -> None:
    assert execution_status(Reply.of(end)) == status


def test_a_call_that_failed_is_no_success() -> None:
    assert error_status(Code.TIMED_OUT) == 124
    assert error_status(Code.EXECUTION_NOT_FOUND) == 125
