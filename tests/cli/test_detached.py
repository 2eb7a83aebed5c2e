"""`cleanroom exec -d`: what is asked, what is printed, what is refused."""

import json

import pytest

from tests.cli.conftest import CommandLine
from tests.client.scripted import RUN, Answer, problem


def test_the_ids_are_one_line_that_logs_takes(cli: CommandLine) -> None:
    done = cli("exec", "-d", "--", "npm", "run", "watch")
    assert (done.status, done.out) == (0, "sbx_1 exe_1\n")
    how = "so that it sees your edits: cleanroom sandboxes sync sbx_1 --follow"
    assert done.err == f"cleanroom: it has a copy of the workspace; {how}\n"
    assert cli.daemon.sent("POST", "/v1/runs").json()["options"] == {"detach": True}
    named = cli("exec", "-d", "--sandbox", "dev", "--", "npm", "run", "watch")
    assert "cleanroom sandboxes sync dev --follow" in named.err


def test_a_run_without_a_copy_is_not_told_how_edits_reach_it(cli: CommandLine) -> None:
    assert cli("exec", "-d", "--workspace", "ro", "true").err == ""
    assert cli("exec", "-d", "--quiet", "true").err == ""


def test_json_is_one_object(cli: CommandLine) -> None:
    done = cli("exec", "-d", "--json", "true")
    assert done.status == 0
    said = json.loads(done.out)
    assert said["type"] == "detached"
    assert (said["run_id"], said["sandbox_id"], said["execution_id"]) == ("run_1", "sbx_1", "exe_1")


def test_notes_are_said_and_the_next_command_if_asked(cli: CommandLine) -> None:
    cli.script.answers["POST /v1/runs"] = Answer({**RUN, "notes": ["a note"]}, 201)
    done = cli("exec", "-dv", "true")
    assert done.out == "sbx_1 exe_1\n"
    assert "cleanroom: a note\n" in done.err
    assert "cleanroom logs -f sbx_1 exe_1" in done.err


@pytest.mark.parametrize("flags", [["--result-file", "r.json"], ["--fail-on-denied"]])
def test_what_needs_the_end_is_refused(cli: CommandLine, flags: list[str]) -> None:
    done = cli("exec", "-d", *flags, "true")
    assert done.status == 2
    assert flags[0] in done.err
    assert not cli.daemon.requests
    assert not (cli.folder / "r.json").exists()


def test_what_could_not_start_is_125(cli: CommandLine) -> None:
    cli.script.answers["POST /v1/runs"] = problem("backend_unavailable", "cannot start", 503)
    done = cli("exec", "-d", "true")
    assert (done.status, done.out) == (125, "")
