"""Which changes are meant."""

import pytest

from cleanroom.cli.changes import changes_of
from cleanroom.errors import UsageError


def test_a_run_a_sandbox_or_the_last_run() -> None:
    assert changes_of("run_1", None) == {"run_id": "run_1"}
    assert changes_of(None, "dev") == {"run_id": "sandbox:dev"}
    assert changes_of(None, None) == {"run_id": "last"}


def test_not_both() -> None:
    with pytest.raises(UsageError, match="at once"):
        changes_of("run_1", "dev")
