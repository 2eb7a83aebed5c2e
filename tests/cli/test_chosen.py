"""Without words the last run is meant, with a sandbox its newest command."""

from tests.cli.conftest import CommandLine
from tests.cli.test_cmd_executions import EXECUTION
from tests.client.scripted import RUN, Answer

ENDED = {**EXECUTION, "state": "succeeded", "exit_code": 0}


def test_without_words_it_is_the_last_run(cli: CommandLine) -> None:
    cli.script.answers["GET /v1/runs/last"] = Answer(RUN)
    cli.script.answers["GET /v1/sandboxes/sbx_1/executions/exe_1"] = Answer(ENDED)
    assert cli("wait").status == 0
    assert "succeeded" in cli("executions", "get").out


def test_with_a_sandbox_it_is_its_newest(cli: CommandLine) -> None:
    cli.script.answers["GET /v1/sandboxes/dev/executions"] = Answer({"executions": [ENDED]})
    cli.script.answers["GET /v1/sandboxes/dev/executions/exe_1"] = Answer(ENDED)
    assert cli("wait", "dev").status == 0
    assert cli.daemon.sent("GET", "/v1/sandboxes/dev/executions").target.endswith("?limit=1")


def test_a_sandbox_without_any_says_how_to_start_one(cli: CommandLine) -> None:
    cli.script.answers["GET /v1/sandboxes/dev/executions"] = Answer({"executions": []})
    done = cli("logs", "dev")
    assert done.status == 1
    assert "next: cleanroom exec --sandbox dev -- COMMAND" in done.err


def test_what_ends_a_command_never_guesses(cli: CommandLine) -> None:
    for word in ("cancel", "kill"):
        done = cli("executions", word, "dev")
        assert done.status == 2
        assert "missing EXECUTION" in done.err
