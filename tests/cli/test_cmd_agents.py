"""`cleanroom agents list`: a table, or JSON, without a daemon."""

import json

from cleanroom.policy.agent_recipes import RECIPES
from tests.cli.conftest import CommandLine


def test_every_recipe_is_listed_and_nobody_is_asked(cli: CommandLine) -> None:
    lines = cli("agents", "list").out.splitlines()
    assert [line.split()[0] for line in lines] == ["NAME", *RECIPES]
    found = json.loads(cli("agents", "list", "--json").out)
    assert [each["name"] for each in found["agents"]] == list(RECIPES)
    claude, codex = found["agents"][:2]
    assert [each["login_file"] for each in claude["credentials"]] == [
        None,
        "~/.claude/.credentials.json",
    ]
    assert codex["credentials"][0]["outside"] == ["CODEX_API_KEY", "OPENAI_API_KEY"]
    assert codex["volume"] == {"name": "agent-codex", "at": "/home/cleanroom/.codex"}
    assert cli.daemon.requests == []
