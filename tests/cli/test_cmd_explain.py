"""`cleanroom explain CODE`."""

import json

import pytest

from cleanroom.errors import Code
from tests.cli.conftest import CommandLine


@pytest.mark.parametrize("code", Code)
def test_every_code_has_a_long_form(cli: CommandLine, code: Code) -> None:
    out = cli("explain", code).out
    assert out.startswith(f"{code}\n\n")
    assert "What to do: " in out
    assert json.loads(cli("explain", code, "--json").out)["code"] == code


def test_without_a_code_all_are_listed(cli: CommandLine) -> None:
    assert cli("explain").out.split() == list(Code)
    assert json.loads(cli("explain", "--json").out)["codes"] == list(Code)


def test_an_unknown_code_is_a_wrong_line(cli: CommandLine) -> None:
    assert cli("explain", "nonsense").status == 2
