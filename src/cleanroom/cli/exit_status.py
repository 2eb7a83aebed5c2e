"""Exit statuses of commands that end as a workload did: exec, executions attach, executions wait.

In: a run or an execution that has ended. Out: a status of docs/cli.md. Never: success where nobody
knows how it ended.
"""

import signal
from typing import Final

from cleanroom.client.reply import Reply
from cleanroom.errors import Code

TIMED_OUT: Final = 124
NOT_RUN: Final = 125
LEFT: Final = 128 + signal.SIGINT
UNREAD: Final = 128 + signal.SIGPIPE


def exit_status(run: Reply, signalled: int, *, fail_on_denied: bool = False) -> int:
    """Return the status of a run in which this client asked for the end by a signal, or by none."""
    failure = run.item("failure").text("code") if "failure" in run else ""
    status = run.maybe_number("exit_code")
    if failure == Code.TIMED_OUT:
        return TIMED_OUT
    if signalled:
        return 128 + signalled
    if status is None:
        return LEFT if failure == Code.CANCELED else NOT_RUN
    codes = {denial.text("code", "") for denial in run.items("denied")} if fail_on_denied else ()
    return 1 if status == 0 and set(codes) - {Code.HANDSHAKE_FAILED} else status


def execution_status(execution: Reply) -> int:
    """Return the status of an execution that has ended, for who only looked on."""
    if "exit_code" in execution or "signal" not in execution:
        return exit_status(execution, 0)
    return exit_status(
        Reply.of({**execution.fields, "exit_code": 128 + execution.number("signal")}), 0
    )


def error_status(code: Code) -> int:
    """Return the status of a call that failed before the workload's end was known."""
    return TIMED_OUT if code is Code.TIMED_OUT else NOT_RUN
