"""When the daemon is asked for bindings, and when a value is read at all."""

from pathlib import Path

from tests.cli.conftest import CommandLine
from tests.client.scripted import Answer, problem


def paths(cli: CommandLine) -> list[str]:
    """Return what the daemon was asked for."""
    return [request.target for request in cli.daemon.requests]


def test_a_policy_without_secrets_costs_nothing(cli: CommandLine) -> None:
    cli.policy()
    assert cli("exec", "--", "true").status == 0
    assert "/v1/secrets/needs" not in paths(cli)


def test_what_the_run_would_be_refused_with_comes_before_any_value(
    cli: CommandLine, tmp_path: Path
) -> None:
    cli.policy("version: 1\nsecrets: []\n")
    cli.script.answers["POST /v1/secrets/needs"] = problem("backend_capability_mismatch", "no")
    assert cli("exec", "--", "true").status == 125
    assert paths(cli)[-1] == "/v1/secrets/needs"
    assert cli.daemon.requests[-1].json()["run"] is True


def test_nothing_is_handed_over_if_nothing_is_taken(cli: CommandLine) -> None:
    cli.policy("version: 1\nsecrets: []\n")
    cli.script.answers["POST /v1/secrets/needs"] = Answer({"secrets": [], "taken": False})
    assert cli("exec", "--", "true").status == 0
    assert "/v1/secrets/hand-over" not in paths(cli)
