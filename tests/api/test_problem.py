"""Every error becomes a problem document with a status that fits."""

import pytest

from cleanroom.api.problem import bug_problem, failure_of, problem_of, problem_with, status_of
from cleanroom.api.types import PlacedError
from cleanroom.errors import CleanroomError, Code, Fault, Refused, UserError


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UserError(Code.REQUEST_INVALID, "cannot read it"), 400),
        (Refused(Code.REQUEST_INVALID, "cannot serve uid 7"), 403),
        (UserError(Code.SANDBOX_NOT_FOUND, "cannot find it"), 404),
        (UserError(Code.CONFLICT, "cannot"), 409),
        (UserError(Code.POLICY_INVALID, "cannot"), 422),
        (Refused(Code.BACKEND_CAPABILITY_MISMATCH, "cannot"), 422),
        (Refused(Code.RESOURCE_LIMIT, "cannot"), 429),
        (Fault(Code.INTERNAL, "cannot"), 500),
        (Refused(Code.BACKEND_UNAVAILABLE, "cannot"), 503),
    ],
)
def test_the_status_says_whose_fault_it_is(error: CleanroomError, status: int) -> None:
    assert status_of(error) == status
    assert problem_of(error).status == status


def test_a_problem_keeps_code_hint_and_places() -> None:
    error = UserError(Code.POLICY_INVALID, "cannot allow '*'", "write '*.example'")
    place = PlacedError(path="cleanroom.yaml", line=7, column=3, message="cannot allow '*'")
    problem = problem_of(error, "/v1/runs", [place])
    assert (problem.code, problem.hint) == ("policy_invalid", "write '*.example'")
    assert (problem.instance, problem.errors) == ("/v1/runs", [place])
    assert problem.title == "the policy cannot be run as written"


def test_a_status_without_a_title_of_its_own_still_has_one() -> None:
    assert problem_with(418, Code.REQUEST_INVALID, "cannot").title == "the request failed"


def test_a_failure_remembers_the_same_words() -> None:
    failure = failure_of(Fault(Code.GATEWAY_LOST, "cannot reach the gateway", "run it again"))
    assert (failure.code, failure.reason) == ("gateway_lost", "cannot reach the gateway")
    assert failure.hint == "run it again"


def test_a_bug_has_a_code_and_keeps_its_text_to_itself() -> None:
    problem = bug_problem("go on")
    assert (problem.status, problem.code) == (500, Code.INTERNAL)
    assert problem.detail.startswith("cannot go on: a bug of cleanroom")
