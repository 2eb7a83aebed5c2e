"""`cleanroom policy reload`, against a scripted daemon; the real one is in tests/escape."""

import json

from tests.cli.conftest import CommandLine
from tests.client.scripted import Answer

ASKED = "POST /v1/policy/reload"
DEV = {
    "id": "sbx_1",
    "name": "dev",
    "outcome": "narrowed",
    "policy_hash": "sha256:1",
    "changes": [{"effect": "narrower", "text": "host a.example on port 443"}],
    "later": ["sandbox.ttl: 1800 -> 60"],
}


def test_what_holds_now_and_what_holds_later_is_said(cli: CommandLine) -> None:
    cli.policy("version: 1\n")
    same = {**DEV, "id": "sbx_2", "name": None, "outcome": "same", "changes": [], "later": []}
    cli.script.answers[ASKED] = Answer({"sandboxes": [DEV, same]})
    done = cli("policy", "reload", "dev", "sbx_2")
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines() == [
        "dev narrowed",
        "- host a.example on port 443",
        "for the next sandbox only: sandbox.ttl: 1800 -> 60",
        "sbx_2 same",
    ]
    body = cli.daemon.sent("POST", "/v1/policy/reload").json()
    assert body["sandboxes"] == ["dev", "sbx_2"]
    assert (body["workspace"], body["policy"]["text"]) == (str(cli.folder), "version: 1\n")


def test_one_that_stays_as_it_was_is_an_answer_of_no(cli: CommandLine) -> None:
    cli.policy()
    wider = [{"effect": "wider", "text": "host b.example on port 443"}]
    refused = {**DEV, "outcome": "refused", "changes": wider, "later": [], "reason": "it is more"}
    unnamed = {**refused, "id": "sbx_2", "name": None}
    cli.script.answers[ASKED] = Answer({"sandboxes": [refused, unnamed]})
    done = cli("policy", "reload")
    assert done.status == 1
    assert done.out.startswith("dev refused: it is more\n+ host b.example on port 443\nsbx_2")
    steps = [line for line in done.err.splitlines() if line.startswith("next: ")]
    assert steps[0].endswith("cleanroom exec --sandbox dev --recreate -- COMMAND")
    assert steps[1].endswith("cleanroom stop sbx_2")
    done = cli("policy", "reload", "--json")
    assert (done.status, json.loads(done.out)["sandboxes"][0]["outcome"]) == (1, "refused")


def test_nobody_to_hold_is_said(cli: CommandLine) -> None:
    cli.policy()
    cli.script.answers[ASKED] = Answer({"sandboxes": []})
    done = cli("policy", "reload")
    assert (done.status, done.out) == (0, "")
    assert "no sandbox of this workspace lives" in done.err
