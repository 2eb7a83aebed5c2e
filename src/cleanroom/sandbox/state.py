"""The lifecycles of sandboxes and executions as tables: a missing step is the illegal one.

In: where something is and where it is to go. Out: the new state, or Refused(conflict).
Never: a clock, a reason, or a state that only one part of cleanroom knows.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from cleanroom.errors import Code, Refused


class SandboxState(StrEnum):
    """Where a sandbox is; the last two are final."""

    PROVISIONING = "provisioning"
    READY = "ready"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


class ExecutionState(StrEnum):
    """Where an execution is; all but the first two are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    TIMED_OUT = "timed_out"


SANDBOX_STEPS: Final[Mapping[SandboxState, frozenset[SandboxState]]] = {
    SandboxState.PROVISIONING: frozenset(
        {SandboxState.READY, SandboxState.STOPPING, SandboxState.FAILED}
    ),
    SandboxState.READY: frozenset({SandboxState.STOPPING, SandboxState.FAILED}),
    SandboxState.STOPPING: frozenset({SandboxState.STOPPED, SandboxState.FAILED}),
    SandboxState.STOPPED: frozenset(),
    SandboxState.FAILED: frozenset(),
}

EXECUTION_STEPS: Final[Mapping[ExecutionState, frozenset[ExecutionState]]] = {
    ExecutionState.QUEUED: frozenset(
        {
            ExecutionState.RUNNING,
            ExecutionState.FAILED,
            ExecutionState.CANCELED,
            ExecutionState.TIMED_OUT,
        }
    ),
    ExecutionState.RUNNING: frozenset(
        {
            ExecutionState.SUCCEEDED,
            ExecutionState.FAILED,
            ExecutionState.CANCELED,
            ExecutionState.TIMED_OUT,
        }
    ),
    ExecutionState.SUCCEEDED: frozenset(),
    ExecutionState.FAILED: frozenset(),
    ExecutionState.CANCELED: frozenset(),
    ExecutionState.TIMED_OUT: frozenset(),
}


def next_sandbox_state(current: SandboxState, wanted: SandboxState) -> SandboxState:
    """Return `wanted`. Raises Refused(conflict) if no step leads there."""
    if wanted not in SANDBOX_STEPS[current]:
        message = f"cannot make a {current} sandbox {wanted}"
        raise Refused(Code.CONFLICT, message)
    return wanted


def next_execution_state(current: ExecutionState, wanted: ExecutionState) -> ExecutionState:
    """Return `wanted`. Raises Refused(conflict) if no step leads there."""
    if wanted not in EXECUTION_STEPS[current]:
        message = f"cannot make a {current} execution {wanted}"
        raise Refused(Code.CONFLICT, message)
    return wanted


def is_final(state: SandboxState | ExecutionState) -> bool:
    """Whether nothing can follow."""
    if isinstance(state, SandboxState):
        return not SANDBOX_STEPS[state]
    return not EXECUTION_STEPS[state]
