"""What every command is given."""

import pytest

from cleanroom.cli.parser import Parser
from cleanroom.cli.shell import Shell, add_daemon_flags
from tests.cli.conftest import CommandLine
from tests.client.scripted import HEALTH, Answer, Script, scripted
from tests.conftest import Home


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


def test_what_is_wrong_with_the_daemon_is_said_once_a_command(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = Parser("config show", "", "")
    add_daemon_flags(parser)
    script = Script({"GET /v1/health": Answer({**HEALTH, "version": "9.9"})})
    with scripted(home.runtime, script) as daemon:
        shell = Shell(home.environment)
        options = parser.read(["--host", daemon.url])
        shell.connect(options).close()
        shell.connect(options).close()
    assert capsys.readouterr().err.count("is version 9.9") == 1
