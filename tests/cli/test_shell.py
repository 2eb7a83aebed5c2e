"""What every command is given."""

from cleanroom.cli.shell import Shell
from tests.cli.conftest import CommandLine


def test_a_policy_below_the_root_is_pointed_out(cli: CommandLine) -> None:
    (cli.folder / "pkg").mkdir()
    (cli.folder / "pkg" / "cleanroom.yaml").touch()
    done = cli("exec", "-C", "pkg", "true")
    assert "pkg/cleanroom.yaml is not read" in done.err


def test_the_home_folder_is_no_workspace(cli: CommandLine) -> None:
    done = cli("exec", "-C", str(cli.folder.parent), "true")
    assert done.status == 125
    assert "holds a home folder" in done.err
    assert not cli.daemon.requests


def test_a_home_comes_from_the_environment() -> None:
    assert Shell({"HOME": "/h"}).home == "/h"
