"""Which changes are meant; with a daemon in test_cmd_apply.py and test_cmd_diff.py."""

import argparse
from typing import cast

import pytest

from cleanroom.cli.changes import of_one
from cleanroom.cli.shell import Shell
from cleanroom.client.blocking import Connection
from cleanroom.errors import UsageError

NOBODY = cast("Connection", None)  # what is named is not asked for
NOWHERE = cast("Shell", None)


def named(sandbox: str = "", flag: str = "", run: str = "") -> dict[str, str]:
    options = argparse.Namespace(sandbox=sandbox or None, named=flag or None, run_id=run or None)
    return of_one(options, NOBODY, NOWHERE)


def test_a_run_or_a_sandbox_is_named() -> None:
    assert named(run="run_1") == {"run_id": "run_1"}
    assert named(sandbox="dev") == named(flag="dev") == {"run_id": "sandbox:dev"}


@pytest.mark.parametrize("both", [("dev", "", "run_1"), ("", "dev", "run_1"), ("dev", "dev", "")])
def test_not_two_at_once(both: tuple[str, str, str]) -> None:
    with pytest.raises(UsageError, match="at once"):
        named(*both)
