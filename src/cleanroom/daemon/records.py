"""Records of runs and executions: made, and brought to their end. Pure.

In: what was asked and how it ended. Out: the Structs that the API shows and the store keeps.
Never: I/O.
"""

from datetime import datetime

import msgspec

from cleanroom.api.types import Execution, Failure, Run, Sandbox
from cleanroom.daemon.clock import timestamp
from cleanroom.daemon.executions import Outcome
from cleanroom.daemon.ids import new_id
from cleanroom.daemon.parts import Wanted
from cleanroom.daemon.sandbox import LiveRun
from cleanroom.errors import Code
from cleanroom.sandbox.state import ExecutionState, next_execution_state

LOST = Failure(
    code=Code.OUTCOME_UNKNOWN,
    reason="the daemon ended before the command did: nobody knows how it ended",
    hint="run it again; what it changed until then: cleanroom diff",
)


def new_run(now: datetime, sandbox: Sandbox, wanted: Wanted, notes: list[str]) -> LiveRun:
    """Return a run that begins now, with its execution."""
    run_id, execution_id, created = new_id("run"), new_id("exe"), timestamp(now)
    execution = Execution(
        id=execution_id,
        sandbox_id=sandbox.id,
        run_id=run_id,
        command=list(wanted.command),
        state="running",
        created_at=created,
        tty=wanted.options.tty,
        stdin=wanted.options.stdin,
        started_at=created,
    )
    record = Run(
        id=run_id,
        sandbox_id=sandbox.id,
        execution_id=execution_id,
        state="running",
        command=list(wanted.command),
        workspace=sandbox.workspace,
        backend=sandbox.backend,
        policy_hash=sandbox.policy_hash,
        created_at=created,
        notes=notes,
        project=sandbox.project,
        metadata=sandbox.metadata,
        limits=sandbox.limits,
    )
    return LiveRun(record, execution, sandbox.name, foreground=not wanted.options.detach)


def ended(run: LiveRun, now: datetime, outcome: Outcome) -> None:
    """Bring both records to their end."""
    next_execution_state(ExecutionState(run.execution.state), ExecutionState(outcome.state))
    finished = timestamp(now)
    exit_ = outcome.exit
    written = run.live.output.totals if run.live is not None else {1: 0, 2: 0}
    run.execution = msgspec.structs.replace(
        run.execution,
        state=outcome.state,
        finished_at=finished,
        exit_code=exit_.status if exit_ else None,
        signal=exit_.signal if exit_ else None,
        failure=outcome.failure,
        stdout_bytes=written[1],
        stderr_bytes=written[2],
    )
    run.record = msgspec.structs.replace(
        run.record,
        state=outcome.state,
        finished_at=finished,
        exit_code=exit_.status if exit_ else None,
        failure=outcome.failure,
        denied=run.denials,
    )


def lost_execution(execution: Execution, now: datetime) -> Execution:
    """Return the end of an execution whose daemon was killed."""
    return msgspec.structs.replace(
        execution, state="failed", finished_at=timestamp(now), failure=LOST
    )


def lost_run(run: Run, now: datetime) -> Run:
    """Return the end of a run whose daemon was killed."""
    return msgspec.structs.replace(run, state="failed", finished_at=timestamp(now), failure=LOST)


def start_details(run: LiveRun) -> list[tuple[str, str]]:
    """Return what the audit keeps of a command's start: its words, bounded."""
    return [("command", msgspec.json.encode(run.execution.command).decode()[:2000])]


def end_details(run: LiveRun) -> list[tuple[str, str]]:
    """Return what the audit keeps of a command's end."""
    code = run.execution.exit_code
    failure = run.execution.failure
    return [
        ("state", run.execution.state),
        ("exit_code", "" if code is None else str(code)),
        ("code", failure.code if failure else ""),
        ("denied", str(sum(denial.count for denial in run.refusals))),
    ]
