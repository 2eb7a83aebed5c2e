"""`cleanroom doctor` becomes the doctor."""

import sys

import pytest

from cleanroom import __version__
from cleanroom.cli.cmd_doctor import doctor_argv, doctor_parser
from tests.cli.conftest import CommandLine


def test_flags_are_passed_on() -> None:
    options = doctor_parser().read(["--json", "--fix", "--backend", "local"])
    assert doctor_argv(options)[1:] == [
        *("-P", "-m", "cleanroom.daemon.doctor", "--json", "--fix", "--backend", "local")
    ]


def test_it_says_the_daemon_and_replaces_this_process(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    became: list[object] = []

    def execve(path: str, argv: list[str], environ: dict[str, str]) -> None:
        became.extend((path, argv[-1], environ["CLEANROOM_HOST"]))
        raise SystemExit(0)

    monkeypatch.setattr("os.execve", execve)
    with pytest.raises(SystemExit):
        cli("doctor")
    assert capfd.readouterr().out == f"daemon: {__version__}, pid 1\n"
    with pytest.raises(SystemExit):
        cli("doctor", "--json")
    assert capfd.readouterr().out == ""
    del became[3:]
    assert became == [sys.executable, "cleanroom.daemon.doctor", cli.daemon.url]
