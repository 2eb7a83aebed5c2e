"""`cleanroom sandboxes`: listings over pages, one in detail, events."""

import json

import pytest

from tests.cli.conftest import CommandLine
from tests.client.scripted import Answer

SANDBOX = {
    "id": "sbx_1",
    "name": "dev",
    "state": "ready",
    "backend": "local",
    "workspace": "/w",
    "created_at": "2026-01-02T03:04:05Z",
    "project": {},
    "limits": {"memory": "cgroup"},
}


def test_a_list_is_a_table(cli: CommandLine) -> None:
    unnamed = {**SANDBOX, "id": "sbx_2", "name": None, "workspace": "/x\x1b[2J"}
    cli.script.answers["GET /v1/sandboxes"] = Answer({"sandboxes": [SANDBOX, unnamed]})
    lines = cli("sandboxes", "list", "--all").out.splitlines()
    assert lines[0].split() == ["ID", "NAME", "STATE", "BACKEND", "AGE", "WORKSPACE"]
    assert lines[1].split()[:2] == ["sbx_1", "dev"]
    assert lines[2].split()[1] == "-"
    assert "\x1b" not in lines[2]
    assert cli.daemon.requests[-1].target == "/v1/sandboxes?all=true"


def test_pages_are_joined(cli: CommandLine) -> None:
    pages = iter([{"sandboxes": [SANDBOX], "next": "sbx_1"}, {"sandboxes": [SANDBOX]}])

    class Pages(Answer):
        """The next page each time."""

        def bytes(self) -> bytes:
            """Return it."""
            return Answer(next(pages)).bytes()

    cli.script.answers["GET /v1/sandboxes"] = Pages(None)
    assert len(json.loads(cli("sandboxes", "list", "--json").out)["sandboxes"]) == 2
    assert cli.daemon.requests[-1].target == "/v1/sandboxes?before=sbx_1"


def test_inspect_shows_what_there_is(cli: CommandLine) -> None:
    cli.script.answers["GET /v1/sandboxes/dev"] = Answer(SANDBOX)
    out = cli("sandboxes", "inspect", "dev").out
    assert "state       ready\n" in out
    assert 'limits      {"memory": "cgroup"}\n' in out
    assert "project" not in out
    assert json.loads(cli("sandboxes", "inspect", "--json", "dev").out)["id"] == "sbx_1"


def test_stop_says_the_state(cli: CommandLine) -> None:
    cli.script.answers["POST /v1/sandboxes/dev/stop"] = Answer({**SANDBOX, "state": "stopped"})
    assert cli("sandboxes", "stop", "dev").out == "sbx_1 stopped\n"
    assert json.loads(cli("sandboxes", "stop", "--json", "dev").out)["state"] == "stopped"


def test_events_come_one_a_line(cli: CommandLine) -> None:
    lines = [
        {"type": "event", "time": "T1", "sequence": 1, "kind": "sandbox.ready", "detail": {}},
        {"type": "exit"},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines).encode()
    cli.script.answers["GET /v1/sandboxes/dev/events"] = Answer(text)
    assert cli("sandboxes", "events", "dev").out == "T1 sandbox.ready\n"
    assert cli.daemon.requests[-1].target.endswith("/events")
    out = cli("sandboxes", "events", "dev", "--follow", "--json").out
    assert [json.loads(line)["type"] for line in out.splitlines()] == ["event", "exit"]
    assert cli.daemon.requests[-1].target.endswith("/events?follow=true")
    hostile = text.replace(b'"detail": {}', b'"detail": {"name": "\\u001b]0;t\\u0007"}')
    cli.script.answers["GET /v1/sandboxes/dev/events"] = Answer(hostile)
    assert cli("sandboxes", "events", "dev").out == "T1 sandbox.ready name=\\x1b]0;t\\x07\n"


def test_one_is_made_under_the_policy_of_the_folder(cli: CommandLine) -> None:
    cli.policy("version: 1\n")
    cli.script.answers["POST /v1/sandboxes"] = Answer(SANDBOX, 201)
    done = cli("sandboxes", "create", "dev", "--isolation", "namespaces")
    assert (done.status, done.out) == (0, "sbx_1\n")
    body = cli.daemon.sent("POST", "/v1/sandboxes").json()
    assert body["workspace"] == str(cli.folder)
    assert body["policy"]["text"] == "version: 1\n"
    assert body["options"] == {"sandbox": "dev", "isolation": "namespaces"}
    assert json.loads(cli("sandboxes", "create", "--json", "--idle", "10m").out)["name"] == "dev"
    assert cli.daemon.requests[-1].json()["options"] == {"idle_s": 600}


def test_a_list_is_filtered_by_any_field(cli: CommandLine) -> None:
    stopped = {**SANDBOX, "id": "sbx_2", "name": None, "state": "stopped"}
    cli.script.answers["GET /v1/sandboxes"] = Answer({"sandboxes": [SANDBOX, stopped]})
    words = ("sandboxes", "list", "--format", "{id} {name}")
    assert cli(*words).out == "sbx_1 dev\nsbx_2 -\n"
    assert cli(*words, "--filter", "state=ready").out == "sbx_1 dev\n"
    both = ("--filter", "state=stopped", "--filter", "backend=local")
    assert cli(*words, *both).out == "sbx_2 -\n"
    assert cli(*words, *both, "--filter", "workspace=/elsewhere").out == ""


@pytest.mark.parametrize(
    "words", [("--filter", "nothing"), ("--filter", "odd=1"), ("--format", "{odd}")]
)
def test_an_unknown_field_is_a_wrong_line(cli: CommandLine, words: tuple[str, str]) -> None:
    cli.script.answers["GET /v1/sandboxes"] = Answer({"sandboxes": [SANDBOX]})
    done = cli("sandboxes", "list", *words)
    assert done.status == 2
    assert "workspace" in done.err
