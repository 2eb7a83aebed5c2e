"""Back to a command that runs; on a terminal: tests/flow/test_attach.py."""

import json

import pytest

from tests.cli.conftest import CommandLine
from tests.client.scripted import RUN, Answer, Peer, problem

EXECUTION = {
    "id": "exe_1",
    "sandbox_id": "sbx_1",
    "run_id": "run_1",
    "command": ["watch"],
    "state": "running",
    "created_at": "T",
    "tty": False,
    "stdin": False,
}
PATH = "/v1/sandboxes/dev/executions/exe_1"
WORDS = ("attach", "dev", "exe_1")


@pytest.fixture
def running(cli: CommandLine) -> CommandLine:
    """A person whose command runs."""
    cli.script.answers[f"GET {PATH}"] = Answer(EXECUTION)
    cli.script.answers["GET /v1/runs/run_1"] = Answer(RUN)
    return cli


def test_output_goes_on_where_it_was_left_and_the_status_is_the_commands(
    running: CommandLine,
) -> None:
    def attached(peer: Peer) -> None:
        peer.say("position", stdout=9, stderr=0, stdout_from=2, stderr_from=0)
        peer.say("gap", stream=1, offset=2, missing=3)
        peer.output(1, b"rest\n")
        peer.say("note", text="new")
        peer.exit(exit_code=7, notes=["of the start", "new"])

    running.script.attached = attached
    done = running(*WORDS)
    assert (done.status, done.out) == (7, "rest\n")
    assert done.err == "cleanroom: 3 bytes are no longer kept\ncleanroom: new\n"
    assert running.daemon.requests[-1].target == f"{PATH}/attach?from=left"
    assert running("executions", *WORDS, "--from", "start").status == 7
    assert running.daemon.requests[-1].target == f"{PATH}/attach?from=start"


def test_a_wrong_beginning_is_a_wrong_command_line(running: CommandLine) -> None:
    done = running(*WORDS, "--from", "middle")
    assert done.status == 2
    assert "left, start" in done.err
    assert not running.daemon.requests


def test_one_that_is_remembered_no_more_still_has_a_status(running: CommandLine) -> None:
    ended = {**EXECUTION, "state": "failed", "exit_code": 3}
    running.script.attached = lambda peer: peer.say("exit", execution=ended, run=None)
    assert running(*WORDS).status == 3


def test_a_failure_is_said(running: CommandLine) -> None:
    failure = {"code": "gateway_lost", "reason": "the gateway ended"}
    running.script.attached = lambda peer: peer.exit(exit_code=None, failure=failure)
    done = running(*WORDS)
    assert (done.status, "the gateway ended" in done.err) == (125, True)


@pytest.mark.parametrize("words", [WORDS, ("executions", *WORDS), ("wait", "dev", "exe_1")])
def test_what_cannot_be_found_is_no_status_of_a_workload(
    cli: CommandLine, words: tuple[str, ...]
) -> None:
    cli.script.answers[f"GET {PATH}"] = problem("execution_not_found", "cannot find it", 404)
    done = cli(*words)
    assert (done.status, "cannot find it" in done.err) == (125, True)


def test_json_is_one_object_a_line(running: CommandLine) -> None:
    def attached(peer: Peer) -> None:
        peer.say("position", stdout=0, stderr=0, stdout_from=0, stderr_from=0)
        peer.output(2, b"err")
        peer.exit()

    running.script.attached = attached
    lines = [json.loads(line) for line in running(*WORDS, "--json").out.splitlines()]
    assert [line["type"] for line in lines] == ["start", "position", "stderr", "exit"]
    assert lines[0]["execution_id"] == "exe_1"
