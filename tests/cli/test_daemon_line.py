"""The daemon in one line."""

from cleanroom.cli.daemon_line import daemon_health, daemon_line
from cleanroom.cli.shell import Shell
from cleanroom.client.reply import Reply
from tests.client.scripted import HEALTH, Answer, Script, problem, scripted
from tests.conftest import Home


def test_what_is_known_is_said_and_nothing_of_the_file_reaches_the_terminal() -> None:
    assert daemon_line(Reply({"version": "1", "pid": 7})) == "1, pid 7"
    more = {"since": "T1", "on_demand": True, "changed": "/c\x1b[2J"}
    line = daemon_line(Reply({"version": "1", "pid": 7, **more}))
    assert line.startswith("1, pid 7, since T1, started by a command, before /c")
    assert "\x1b" not in line


def test_none_and_a_broken_one_are_no_failure(home: Home) -> None:
    shell = Shell(home.environment)
    assert daemon_health(None, shell) is None
    assert daemon_line(None).startswith("not running")
    script = Script({"GET /v1/health": problem("internal", "cannot", 500)})
    with scripted(home.runtime, script) as daemon:
        assert daemon_health(daemon.url, shell) is None
        script.answers["GET /v1/health"] = Answer(HEALTH)
        health = daemon_health(daemon.url, shell)
    assert health is not None
    assert health.number("pid") == 1
