"""`cleanroom apply`: what was applied, and conflicts."""

import json

import pytest

from tests.cli.conftest import CommandLine
from tests.client.scripted import Answer

REPORT = {"applied": ["a", "b\x1b"], "conflicts": [], "skipped": [{"path": "s", "reason": "link"}]}


def test_paths_are_asked_and_said(cli: CommandLine) -> None:
    cli.script.answers["POST /v1/runs/last/apply"] = Answer(REPORT)
    done = cli("apply", "src/", "b")
    assert (done.status, done.out) == (0, "a\nb\\x1b\n")
    assert "2 paths applied" in done.err
    assert "left out s: link" in done.err
    body = cli.daemon.sent("POST", "/v1/runs/last/apply").json()
    assert body == {"paths": ["src/", "b"], "check": False}


@pytest.mark.parametrize("skipped", [[], [{"path": "dev", "reason": "nothing was changed there"}]])
def test_a_sandbox_named_as_a_path_is_pointed_out(cli: CommandLine, skipped: list[object]) -> None:
    nothing: dict[str, object] = {"applied": [], "conflicts": [], "skipped": skipped}
    cli.script.answers["POST /v1/runs/last/apply"] = Answer(nothing)
    done = cli("apply", "dev", "b\x1b")
    assert (done.status, done.out) == (0, "")
    assert "nothing to apply at: dev b\\x1b; a sandbox is named with --sandbox" in done.err
    assert "nothing to apply" not in cli("apply").err


def test_check_changes_nothing(cli: CommandLine) -> None:
    cli.script.answers["POST /v1/runs/sandbox:dev/apply"] = Answer(REPORT)
    assert "would be applied" in cli("apply", "--sandbox", "dev", "--check").err
    assert cli.daemon.requests[-1].json()["check"] is True


def test_a_conflict_is_a_failure(cli: CommandLine) -> None:
    report = {"applied": [], "conflicts": [{"path": "a", "reason": "changed on the host"}]}
    cli.script.answers["POST /v1/runs/run_1/apply"] = Answer(report)
    done = cli("apply", "--run-id", "run_1")
    assert done.status == 1
    assert "conflict a: changed on the host" in done.err
    assert "nothing was applied" in done.err
    assert json.loads(cli("apply", "--run-id", "run_1", "--json").out)["applied"] == []


def test_a_run_and_a_sandbox_are_not_both_meant(cli: CommandLine) -> None:
    assert cli("apply", "--run-id", "r", "--sandbox", "s").status == 2


def test_commits_come_as_a_branch(cli: CommandLine) -> None:
    skipped = [{"path": "uv.lock", "reason": "a lock file: look at it before you merge"}]
    report = {
        "applied": [], "branch": "agent", "commit": "abc", "commits": 2, "skipped": skipped,
    }  # fmt: skip
    cli.script.answers["POST /v1/runs/last/apply"] = Answer(report)
    done = cli("apply", "--branch", "agent")
    assert (done.status, done.out) == (0, "agent abc\n")
    assert done.err == "uv.lock: a lock file: look at it before you merge\n2 commits brought out\n"
    assert cli.daemon.sent("POST", "/v1/runs/last/apply").json()["branch"] == "agent"
    assert "would be brought out" in cli("apply", "--branch", "agent", "--check").err
