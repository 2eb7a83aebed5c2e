"""Which changes `diff` and `apply` mean: of a run, by default the last one, or of a sandbox.

In: flags. Out: the id that the API takes. Never: both at once.
"""

from cleanroom.errors import Code, UsageError


def changes_of(run_id: str | None, sandbox: str | None) -> dict[str, str]:
    """Return the path values of the endpoints for changes."""
    if run_id and sandbox:
        message = "cannot show the changes of a run and of a sandbox at once"
        raise UsageError(Code.REQUEST_INVALID, message, "leave one of them out")
    return {"run_id": f"sandbox:{sandbox}" if sandbox else run_id or "last"}
