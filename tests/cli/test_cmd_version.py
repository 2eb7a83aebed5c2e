"""`cleanroom version` never needs a daemon, and starts none."""

import json

from cleanroom import __version__
from tests.cli.conftest import CommandLine
from tests.client.scripted import Answer, problem


def test_both_versions(cli: CommandLine) -> None:
    cli.script.answers["GET /v1/health"] = Answer({"version": "9.9", "pid": 7})
    assert cli("version").out == f"cleanroom {__version__}\ndaemon 9.9, pid 7\n"
    assert json.loads(cli("version", "--json").out)["daemon"] == "9.9"


def test_since_when_the_daemon_is_and_whether_its_settings_stand(cli: CommandLine) -> None:
    more = {"since": "T1", "on_demand": True, "changed": "/c/config.yaml"}
    cli.script.answers["GET /v1/health"] = Answer({"version": "9.9", "pid": 7, **more})
    assert cli("version").out.splitlines()[1] == (
        "daemon 9.9, pid 7, since T1, started by a command, before /c/config.yaml was changed"
    )
    shown = json.loads(cli("version", "--json").out)
    assert {name: shown[name] for name in more} == more


def test_no_daemon_or_a_broken_one_is_no_failure(cli: CommandLine) -> None:
    done = cli("version", "--host", "unix:///nonexistent/d.sock")
    assert (done.status, done.out) == (
        0,
        f"cleanroom {__version__}\ndaemon not running, or it does not answer\n",
    )
    cli.script.answers["GET /v1/health"] = problem("internal", "cannot", 500)
    assert json.loads(cli("version", "--json").out)["daemon"] is None
