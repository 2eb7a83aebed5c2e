"""The lifecycles, as tables."""

import itertools

import pytest

from cleanroom.errors import Code, Refused
from cleanroom.sandbox.state import (
    EXECUTION_STEPS,
    SANDBOX_STEPS,
    ExecutionState,
    SandboxState,
    is_final,
    next_execution_state,
    next_sandbox_state,
)


@pytest.mark.parametrize(("current", "wanted"), [*itertools.product(SandboxState, repeat=2)])
def test_a_sandbox_takes_only_the_steps_of_its_table(
    current: SandboxState, wanted: SandboxState
) -> None:
    if wanted in SANDBOX_STEPS[current]:
        assert next_sandbox_state(current, wanted) is wanted
        return
    with pytest.raises(Refused, match=f"cannot make a {current} sandbox {wanted}") as error:
        next_sandbox_state(current, wanted)
    assert error.value.code is Code.CONFLICT


@pytest.mark.parametrize(("current", "wanted"), [*itertools.product(ExecutionState, repeat=2)])
def test_an_execution_takes_only_the_steps_of_its_table(
    current: ExecutionState, wanted: ExecutionState
) -> None:
    if wanted in EXECUTION_STEPS[current]:
        assert next_execution_state(current, wanted) is wanted
        return
    with pytest.raises(Refused, match=f"cannot make a {current} execution {wanted}"):
        next_execution_state(current, wanted)


def test_what_is_final() -> None:
    assert [state for state in SandboxState if is_final(state)] == ["stopped", "failed"]
    assert [state for state in ExecutionState if is_final(state)] == [
        "succeeded",
        "failed",
        "canceled",
        "timed_out",
    ]


def test_every_state_can_be_reached() -> None:
    assert set().union(*SANDBOX_STEPS.values()) == set(SandboxState) - {SandboxState.PROVISIONING}
    assert set().union(*EXECUTION_STEPS.values()) == set(ExecutionState) - {ExecutionState.QUEUED}
