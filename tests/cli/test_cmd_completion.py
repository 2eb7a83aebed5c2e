"""`cleanroom completion`: what scripts are told, with and without a daemon."""

import socket

import pytest

from cleanroom.cli import cmd_completion
from tests.cli.conftest import CommandLine
from tests.client.scripted import RUN, Answer, problem

DEV = {"id": "sbx_1", "name": "dev", "state": "ready", "workspace": "/w\t\n"}
BARE = {"id": "sbx_2", "state": "ready", "workspace": "/v"}


def test_ids_come_from_the_daemon_one_candidate_a_line(cli: CommandLine) -> None:
    cli.script.answers["GET /v1/sandboxes"] = Answer({"sandboxes": [DEV, BARE]})
    cli.script.answers["GET /v1/sandboxes/dev/executions"] = Answer({"executions": [RUN]})
    cli.script.answers["GET /v1/runs"] = Answer({"runs": [RUN]})
    done = cli("completion", "words", "stop", "")
    assert done.out == "dev\tready: /w\\t\\n\nsbx_2\tready: /v\n"
    assert cli("completion", "words", "logs", "dev", "").out == "run_1\trunning: true\n"
    assert cli("completion", "words", "diff", "--run-id", "").out == "run_1\trunning: true\n"
    assert cli("completion", "words", "exec", "--isolation", "v").out == "vm\n"


def test_secrets_are_those_of_the_folder(cli: CommandLine) -> None:
    answer = {"secrets": [{"id": "forge", "allowed_hosts": ["a.example", "b.example"]}]}
    cli.script.answers["POST /v1/policy/validate"] = Answer(answer)
    cli.policy()
    done = cli("completion", "words", "secrets", "test", "")
    assert done.out == "forge\ta.example, b.example\n"
    cli.script.answers["POST /v1/policy/validate"] = problem("policy_invalid", "cannot", 422)
    assert cli("completion", "words", "secrets", "test", "").out == ""


def test_without_a_daemon_it_is_silent_and_starts_none(cli: CommandLine) -> None:
    cli.script.answers["GET /v1/sandboxes"] = problem("internal", "cannot", 500)
    for words in (["stop", ""], ["stop", "--host", "unix:///nowhere/d.sock", ""]):
        done = cli("completion", "words", *words)
        assert (done.status, done.out, done.err) == (0, "", "")
    assert cli("completion", "words", "stop", "--host", "nonsense", "").status == 0


def test_a_daemon_that_does_not_answer_is_not_waited_for(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cmd_completion, "PATIENCE_S", 0.01)
    path = cli.folder / "s"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as mute:
        mute.bind(str(path))
        mute.listen()
        done = cli("completion", "words", "stop", "--host", f"unix://{path}", "")
    assert (done.status, done.out, done.err) == (0, "", "")


def test_an_unknown_shell_is_a_wrong_line(cli: CommandLine) -> None:
    done = cli("completion", "tcsh")
    assert done.status == 2
    assert "one of: bash, zsh, fish" in done.err
