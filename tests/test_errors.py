"""Errors say whose fault it is, and keep their code, sentence and hint."""

import pytest

from cleanroom.errors import CleanroomError, Code, Fault, Refused, UsageError, UserError


@pytest.mark.parametrize(
    ("kind", "status"), [(UserError, 125), (UsageError, 2), (Refused, 125), (Fault, 125)]
)
def test_each_kind_has_its_exit_status(kind: type[CleanroomError], status: int) -> None:
    error = kind(Code.CONFLICT, "cannot do it", "do that instead")
    assert error.exit_status == status
    assert (error.code, error.message, error.hint) == (
        Code.CONFLICT,
        "cannot do it",
        "do that instead",
    )
    assert str(error) == "cannot do it"


def test_a_wrong_command_line_is_the_callers_fault() -> None:
    assert issubclass(UsageError, UserError)
    assert CleanroomError(Code.INTERNAL, "cannot").hint == ""


def test_codes_are_the_words_that_are_written_everywhere() -> None:
    assert all(code == code.name.lower() for code in Code)
