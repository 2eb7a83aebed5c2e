"""`cleanroom volumes`: tables, and what is asked."""

import json
import re

from tests.cli.conftest import CommandLine
from tests.client.scripted import Answer

HOME = {"name": "home", "workspace": "/w\x1b[2J", "bytes": 12, "used_at": "2026-01-02T03:04:05Z"}
VOLUMES = {"volumes": [{**HOME, "gone": False, "sandbox_id": "sbx_1"}]}


def test_a_list_is_a_table(cli: CommandLine) -> None:
    cli.script.answers["GET /v1/volumes"] = Answer(VOLUMES)
    lines = cli("volumes", "list").out.splitlines()
    assert lines[0].split() == ["NAME", "BYTES", "USED", "SANDBOX", "WORKSPACE"]
    name, size, used, sandbox = lines[1].split()[:4]
    assert (name, size, sandbox) == ("home", "12", "sbx_1")
    assert re.fullmatch(r"\d+[smhd]", used)  # ago
    assert "\x1b" not in lines[1]
    assert json.loads(cli("volumes", "list", "--json").out)["volumes"] == VOLUMES["volumes"]


def test_one_of_this_workspace_is_removed_by_its_name(cli: CommandLine) -> None:
    cli.script.answers["POST /v1/volumes/remove"] = Answer(VOLUMES)
    done = cli("volumes", "rm", "home")
    assert done.out == "home removed\n"
    asked = cli.daemon.sent("POST", "/v1/volumes/remove").json()
    assert asked == {"workspace": str(cli.folder), "name": "home"}
    assert json.loads(cli("volumes", "rm", "home", "--json").out)["volumes"] == VOLUMES["volumes"]


def test_what_nobody_can_use_goes_or_all_that_is_unused(cli: CommandLine) -> None:
    cli.script.answers["POST /v1/volumes/remove"] = Answer({"volumes": []})
    for flags, unused in (((), False), (("--all",), True)):
        done = cli("volumes", "prune", *flags)
        assert (done.out, done.err) == ("", "no volume was removed\n")
        assert cli.daemon.requests[-1].json() == {"unused": unused}
