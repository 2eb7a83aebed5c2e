"""`cleanroom config show`."""

import json
import os

from tests.cli.conftest import CommandLine
from tests.client.scripted import Answer

REPORT = {
    "path": "/c/config.yaml",
    "values": [{"key": "daemon.autostart", "value": "true", "origin": "default"}],
}


def test_settings_with_and_without_their_origin(cli: CommandLine) -> None:
    cli.script.answers["GET /v1/config"] = Answer(REPORT)
    assert cli("config", "show").out == "daemon.autostart: true\n"
    assert cli("config", "show", "--origin").out == "daemon.autostart: true  # default\n"
    assert json.loads(cli("config", "show", "--json").out) == {"version": 1, **REPORT}


def test_a_file_that_the_daemon_has_not_read_is_said(cli: CommandLine) -> None:
    cli.script.answers["GET /v1/config"] = Answer({**REPORT, "changed": True})
    shown = cli("config", "show")
    assert shown.out == "daemon.autostart: true\n"
    assert f"/c/config.yaml was changed after the daemon (pid {os.getpid()}) had read" in shown.err
    assert f"`kill {os.getpid()}` ends it" in shown.err
    assert "was changed" not in cli("config", "show", "--json").err
