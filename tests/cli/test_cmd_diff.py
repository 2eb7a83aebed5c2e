"""`cleanroom diff`: the forms of a change set."""

import json
import os

import pytest

from tests.cli.conftest import CommandLine
from tests.client.scripted import Answer

CHANGES = {
    "run_id": "run_1",
    "sandbox_id": "sbx_1",
    "changes": [
        {"path": "a\x1b", "kind": "added", "size": 3},
        {"path": "b", "kind": "deleted", "size": None},
        {"path": "c", "kind": "odd"},
    ],
    "skipped": [{"path": "d", "reason": "a socket"}],
}


@pytest.fixture(autouse=True)
def _last_run(cli: CommandLine) -> None:
    """This workspace has a run."""
    cli.script.answers["GET /v1/runs"] = Answer({"runs": [{"id": "run_9"}]})


def test_names_only(cli: CommandLine) -> None:
    cli.script.answers["GET /v1/runs/run_9/changes"] = Answer(CHANGES)
    done = cli("diff", "--name-only")
    assert done.out == "a\\x1b\nb\nc\n"
    assert "left out d: a socket" in done.err


def test_a_summary(cli: CommandLine) -> None:
    cli.script.answers["GET /v1/runs/run_9/changes"] = Answer(CHANGES)
    assert cli("diff", "--stat").out == "A a\\x1b  3 bytes\nD b\n? c\n3 files changed\n"


def test_json(cli: CommandLine) -> None:
    cli.script.answers["GET /v1/runs/run_1/changes"] = Answer(CHANGES)
    assert json.loads(cli("diff", "--run-id", "run_1", "--json").out)["changes"][1]["path"] == "b"


def test_a_pipe_gets_a_patch(cli: CommandLine) -> None:
    cli.script.answers["GET /v1/runs/sandbox:dev/patch"] = Answer(b"--- a/x\n+++ b/x\n")
    for words in (("dev",), ("--sandbox", "dev")):
        assert cli("diff", *words).out == "--- a/x\n+++ b/x\n"


def test_a_terminal_gets_a_patch_that_neither_acts_nor_hides(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = b"+\tok\x1b]52;c;ZXZpbA==\x07\r\x1b[1A\xc2\x9b2J\xe2\x80\xae\n"
    cli.script.answers["GET /v1/runs/run_9/patch"] = Answer(hostile)
    assert cli("diff", "--patch").out.encode() == hostile
    monkeypatch.setattr(os, "isatty", lambda descriptor: descriptor == 1)
    shown = "+\tok\\x1b]52;c;ZXZpbA==\\x07\\r\\x1b[1A\\x9b2J\\u202e\n"
    assert cli("diff", "--patch").out == shown
    monkeypatch.setenv("CLEANROOM_TERMINAL_ESCAPES", "1")
    assert cli("diff", "--patch").out.encode() == hostile


@pytest.mark.parametrize(
    "words",
    [
        ("--stat", "--json"),
        ("dev", "--run-id", "run_1"),
        ("dev", "--sandbox", "other"),
        ("--sandbox", "dev", "--run-id", "run_1"),
    ],
)
def test_one_form_of_one_thing(cli: CommandLine, words: tuple[str, ...]) -> None:
    assert cli("diff", *words).status == 2


@pytest.mark.parametrize("form", ["--stat", "--name-only", "--patch", "--json"])
def test_no_changes_are_said_where_nothing_reads_them(cli: CommandLine, form: str) -> None:
    nothing = {"run_id": "run_1", "sandbox_id": "sbx_1", "changes": []}
    cli.script.answers["GET /v1/runs/run_9/changes"] = Answer(nothing)
    cli.script.answers["GET /v1/runs/run_9/patch"] = Answer(b"")
    done = cli("diff", form)
    assert done.status == 0
    assert (done.out == "", "no changes" in done.err) == (form != "--json", form != "--json")
