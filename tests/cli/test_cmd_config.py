"""`cleanroom config show`."""

import json

from tests.cli.conftest import CommandLine
from tests.client.scripted import Answer

REPORT = {
    "path": "/c/config.yaml",
    "values": [{"key": "daemon.autostart", "value": "true", "origin": "default"}],
}


def test_settings_with_and_without_their_origin(cli: CommandLine) -> None:
    cli.script.answers["GET /v1/config"] = Answer(REPORT)
    assert cli("config", "show").out == "# /c/config.yaml\ndaemon.autostart: true\n"
    assert cli("config", "show", "--origin").out == (
        "# /c/config.yaml\ndaemon.autostart: true  # default\n"
    )
    assert json.loads(cli("config", "show", "--json").out) == {"version": 1, **REPORT}
