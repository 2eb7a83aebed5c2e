"""Errors <-> RFC 9457 problem documents.

In: an error raised on purpose. Out: Problem with its HTTP status. Never: a traceback, or the text
of an error nobody raised on purpose.
"""

from collections.abc import Iterable
from typing import Final

from cleanroom.api.types import Failure, PlacedError, Problem
from cleanroom.errors import CleanroomError, Code, Fault, Refused

MEDIA_TYPE: Final = "application/problem+json"

# The status of a code that has one of its own; else the kind of error decides.
_STATUS: Final = {
    Code.SANDBOX_NOT_FOUND: 404,
    Code.EXECUTION_NOT_FOUND: 404,
    Code.CONFLICT: 409,
    Code.POLICY_INVALID: 422,
    Code.POLICY_CONFLICT: 422,
    Code.BACKEND_CAPABILITY_MISMATCH: 422,
    Code.BACKEND_UNAVAILABLE: 503,
    Code.GATEWAY_LOST: 503,
    Code.RESOURCE_LIMIT: 429,
}

_TITLE: Final = {
    400: "the request is wrong",
    403: "refused",
    404: "not found",
    405: "this method does not exist here",
    408: "the request took too long",
    409: "the state does not allow it",
    413: "the request is too large",
    415: "this kind of body is not read here",
    422: "the policy cannot be run as written",
    429: "too many at once",
    500: "cleanroom failed",
    503: "not available on this host now",
}


def status_of(error: CleanroomError) -> int:
    """Return the HTTP status of an error."""
    if error.code in _STATUS:
        return _STATUS[error.code]
    if isinstance(error, Refused):
        return 403
    return 500 if isinstance(error, Fault) else 400


def problem_of(
    error: CleanroomError, instance: str = "", errors: Iterable[PlacedError] = ()
) -> Problem:
    """Return the problem document; `errors` are the placed faults of a policy file."""
    problem = problem_with(status_of(error), error.code, error.message)
    return Problem(
        title=problem.title,
        status=problem.status,
        detail=error.message,
        code=error.code,
        hint=error.hint,
        instance=instance,
        errors=list(errors),
    )


def problem_with(status: int, code: Code, detail: str) -> Problem:
    """Return a problem document for what HTTP itself refuses."""
    title = _TITLE.get(status, "the request failed")
    hint = "see /openapi.json" if status in {404, 405} else ""
    return Problem(title=title, status=status, detail=detail, code=code, hint=hint)


def bug_problem(what: str) -> Problem:
    """Return what a client is told of an error that nobody raised on purpose: never its text."""
    detail = f"cannot {what}: a bug of cleanroom; its traceback is in the daemon's log"
    return problem_with(500, Code.INTERNAL, detail)


def failure_of(error: CleanroomError) -> Failure:
    """Return how a run or sandbox remembers the error."""
    return Failure(code=error.code, reason=error.message, hint=error.hint)
