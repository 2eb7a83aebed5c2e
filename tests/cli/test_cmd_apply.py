"""`cleanroom apply`: what was applied, and conflicts."""

import json
from urllib.parse import quote

import pytest

from tests.cli.conftest import CommandLine
from tests.client.scripted import Answer, problem

REPORT = {"applied": ["a", "b\x1b"], "conflicts": [], "skipped": [{"path": "s", "reason": "link"}]}


@pytest.fixture(autouse=True)
def _last_run(cli: CommandLine) -> None:
    """This workspace has a run."""
    cli.script.answers["GET /v1/runs"] = Answer({"runs": [{"id": "run_9"}]})


def test_paths_are_asked_and_said(cli: CommandLine) -> None:
    (cli.folder / "src").mkdir()
    (cli.folder / "b").touch()
    cli.script.answers["POST /v1/runs/run_9/apply"] = Answer(REPORT)
    done = cli("apply", "src/", "b")
    assert (done.status, done.out) == (0, "a\nb\\x1b\n")
    assert "2 paths applied" in done.err
    assert "left out s: link" in done.err
    body = cli.daemon.sent("POST", "/v1/runs/run_9/apply").json()
    assert body == {"paths": ["src/", "b"], "check": False}


def missing(what: str, code: str) -> Answer:
    return problem(code, f"cannot find {what}", 404)


def test_paths_at_which_nothing_was_changed_are_pointed_out_once(cli: CommandLine) -> None:
    skipped = [{"path": "dev", "reason": "nothing was changed there"}]
    nothing: dict[str, object] = {"applied": [], "conflicts": [], "skipped": skipped}
    cli.script.answers["POST /v1/runs/run_9/apply"] = Answer(nothing)
    cli.script.answers["GET /v1/sandboxes/dev"] = missing("this sandbox", "sandbox_not_found")
    done = cli("apply", "dev", "b\x1b")
    assert (done.status, done.out) == (1, "")
    assert done.err == "nothing was changed at: dev b\\x1b\n"
    (cli.folder / "dev").mkdir()
    assert cli("apply", "dev").status == 0  # it is here, and did not change
    assert "nothing was changed at" not in cli("apply").err
    some = {**nothing, "applied": ["src/a"], "skipped": [*skipped, {"path": "l", "reason": "link"}]}
    cli.script.answers["POST /v1/runs/run_9/apply"] = Answer(some)
    done = cli("apply", "src/", "./l", "nosuch")
    assert (done.status, done.out) == (1, "src/a\n")
    assert done.err == "left out l: link\nnothing was changed at: nosuch\n1 path applied\n"
    assert cli("apply", ".").status == 0


@pytest.mark.parametrize("runs", [[], [{"id": "run_9"}]])
def test_the_first_word_is_a_sandbox_of_this_workspace(
    cli: CommandLine, runs: list[object]
) -> None:
    cli.script.answers["POST /v1/runs/sandbox:dev/apply"] = Answer(REPORT)
    cli.script.answers["GET /v1/sandboxes/dev"] = Answer({"workspace": str(cli.folder)})
    cli.script.answers["GET /v1/runs"] = Answer({"runs": runs})
    changed = {"changes": [{"path": "other", "kind": "added"}], "skipped": []}
    cli.script.answers["GET /v1/runs/run_9/changes"] = Answer(changed)
    (cli.folder / "b").touch()
    assert cli("apply", "dev", "a", "b").status == 0
    assert cli.daemon.requests[-1].json() == {"paths": ["a", "b"], "check": False}


def test_a_sandbox_of_another_workspace_is_no_word_here(cli: CommandLine) -> None:
    cli.script.answers["GET /v1/sandboxes/dev"] = Answer({"workspace": "/another"})
    cli.script.answers["POST /v1/runs/run_9/apply"] = Answer(REPORT)
    (cli.folder / "dev").mkdir()
    assert cli("apply", "dev").status == 0
    assert cli.daemon.requests[-1].json()["paths"] == ["dev"]


@pytest.mark.parametrize("command", ["apply", "diff"])
def test_the_last_run_is_the_last_one_of_this_workspace(cli: CommandLine, command: str) -> None:
    cli.script.answers["GET /v1/runs"] = Answer({"runs": []})
    done = cli(command)
    assert done.status == 1
    assert "cannot find a run of this workspace" in done.err
    assert f"workspace={quote(str(cli.folder), safe='')}&" in cli.daemon.requests[-1].target
    other = cli.folder.parent / "other"
    (other / ".git").mkdir(parents=True)
    cli(command, "-C", str(other))
    assert f"workspace={quote(str(other), safe='')}&" in cli.daemon.requests[-1].target


def test_an_id_is_a_sandbox_and_a_flag_leaves_all_words_paths(cli: CommandLine) -> None:
    identifier = f"sbx_{'0' * 20}"
    for word in (identifier, "dev"):
        cli.script.answers[f"POST /v1/runs/sandbox:{word}/apply"] = Answer(REPORT)
    (cli.folder / "dev").mkdir()
    assert cli("apply", identifier).status == 0
    assert cli.daemon.requests[-1].json()["paths"] == []
    assert cli("apply", "--sandbox", "dev", "dev", "./dev").status == 0
    assert cli.daemon.requests[-1].json()["paths"] == ["dev", "./dev"]


def test_a_word_that_is_a_sandbox_and_a_changed_path_is_asked_about(cli: CommandLine) -> None:
    cli.script.answers["GET /v1/sandboxes/dev"] = Answer({"workspace": str(cli.folder)})
    found = {"changes": [{"path": "dev/a", "kind": "added"}], "skipped": []}
    cli.script.answers["GET /v1/runs/run_9/changes"] = Answer(found)
    done = cli("apply", "dev")
    assert done.status != 0
    assert "cannot tell which 'dev' is meant" in done.err
    assert "write --sandbox dev, or ./dev" in done.err
    assert [each.method for each in cli.daemon.requests if each.method == "POST"] == []


@pytest.mark.parametrize("path", ["GET /v1/sandboxes/dev", "GET /v1/runs/run_9/changes"])
def test_a_daemon_that_fails_is_not_taken_for_no(cli: CommandLine, path: str) -> None:
    cli.script.answers["GET /v1/sandboxes/dev"] = Answer({"workspace": str(cli.folder)})
    cli.script.answers[path] = problem("internal", "cannot read the store", 500)
    done = cli("apply", "dev")
    assert done.status != 0
    assert "cannot read the store" in done.err


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
    cli.script.answers["POST /v1/runs/run_9/apply"] = Answer(report)
    done = cli("apply", "--branch", "agent")
    assert (done.status, done.out) == (0, "agent abc\n")
    assert done.err == "uv.lock: a lock file: look at it before you merge\n2 commits brought out\n"
    assert cli.daemon.sent("POST", "/v1/runs/run_9/apply").json()["branch"] == "agent"
    assert "would be brought out" in cli("apply", "--branch", "agent", "--check").err


def test_what_is_merged_is_said_and_marks_are_a_failure(cli: CommandLine) -> None:
    merged = [
        {"path": "a", "marks": 0, "base_known": True},
        {"path": "b\x1b", "marks": 2, "base_known": True},
        {"path": "c", "marks": 1, "base_known": False},
    ]
    report = {"applied": ["a", "b\x1b", "c"], "conflicts": [], "skipped": [], "merged": merged}
    cli.script.answers["POST /v1/runs/run_9/apply"] = Answer(report)
    done = cli("apply", "--3way")
    assert (done.status, done.out) == (1, "a\nb\\x1b\nc\n")
    assert done.err == (
        "a: merged\n"
        "b\\x1b: merged, 2 places marked <<<<<<< to decide\n"
        "c: merged, 1 place marked <<<<<<< to decide (what both sides began with is not known)\n"
        "3 paths applied\n"
    )
    assert cli.daemon.requests[-1].json()["three_way"] is True
    report["merged"] = merged[:1]
    cli.script.answers["POST /v1/runs/run_9/apply"] = Answer(report)
    assert cli("apply", "--3way", "--check").status == 0


def test_a_conflict_says_what_would_merge_it(cli: CommandLine) -> None:
    report = {"applied": [], "conflicts": [{"path": "a", "reason": "changed on the host"}]}
    cli.script.answers["POST /v1/runs/run_9/apply"] = Answer(report)
    assert "--3way merges" in cli("apply").err
    assert "--3way merges" not in cli("apply", "--3way").err
