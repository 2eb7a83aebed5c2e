"""`policy approve` against a scripted daemon; terminals and real answers are in tests/flow."""

import argparse
import json

import pytest

from cleanroom.cli.approval import may_ask
from cleanroom.cli.shell import Shell
from tests.cli.conftest import CommandLine
from tests.client.scripted import Answer

APPROVAL = {
    "policy_hash": "sha256:1",
    "approved": True,
    "needed": True,
    "reason": "cleanroom.yaml reaches more: host a.example on port 443",
    "reach": ["hosts: a.example:443"],
    "changes": [
        {"effect": "wider", "text": "host a.example on port 443"},
        {"effect": "narrower", "text": "host b.example on port 443"},
    ],
}
APPROVE = "POST /v1/policy/approve"


def test_what_is_approved_is_shown(cli: CommandLine) -> None:
    cli.policy()
    cli.script.answers[APPROVE] = Answer(APPROVAL)
    done = cli("policy", "approve", "--hash", "sha256:1")
    assert done.status == 0
    assert done.out.splitlines() == [
        "cleanroom.yaml reaches more",
        "reaches hosts: a.example:443",
        "+ host a.example on port 443",
        "- host b.example on port 443",
        "approved: sha256:1",
    ]
    asked = [each for each in cli.daemon.requests if each.target == "/v1/policy/approve"]
    looked, body = (each.json() for each in asked)
    assert looked["check"] is True
    assert body["policy_hash"] == "sha256:1"
    assert "check" not in body
    assert body["workspace"] == str(cli.folder)
    assert body["policy"] == looked["policy"]


def test_several_differences_are_said_once_too(cli: CommandLine) -> None:
    changes = [{"effect": "wider", "text": each} for each in ("host a", "host b")]
    said = {"reason": "it reaches more: host a and 1 more", "changes": changes}
    cli.script.answers[APPROVE] = Answer({**APPROVAL, **said})
    shown = cli("policy", "approve", "--check").out.splitlines()
    assert shown[0] == "it reaches more"
    assert shown[2:4] == ["+ host a", "+ host b"]


def test_what_is_shown_cannot_hide_a_line_of_it(cli: CommandLine) -> None:
    """The reason names a folder, and a folder may have any name."""
    reason = "this folder was approved at /home/someone/a\x1b[2K\r, and is at /b now"
    cli.script.answers[APPROVE] = Answer({**APPROVAL, "reason": reason})
    done = cli("policy", "approve", "--check")
    assert done.out.splitlines()[0] == reason.replace("\x1b", "\\x1b").replace("\r", "\\r")


def test_a_look_fails_where_an_approval_is_needed(cli: CommandLine) -> None:
    cli.script.answers[APPROVE] = Answer({**APPROVAL, "approved": False})
    done = cli("policy", "approve", "--check", "--json")
    assert done.status == 1
    assert json.loads(done.out)["needed"] is True
    cli.script.answers[APPROVE] = Answer({**APPROVAL, "needed": False, "approved": False})
    done = cli("policy", "approve", "--check")
    assert done.status == 0
    assert done.out.endswith("not approved: sha256:1\n")


@pytest.mark.parametrize("environ", [{"CI": "true"}, {"CLEANROOM_APPROVED_POLICY": "sha256:0"}, {}])
def test_nobody_is_asked_without_a_terminal_or_in_ci(environ: dict[str, str]) -> None:
    """Under pytest descriptor 0 is no terminal; tests/flow/test_approval.py has one."""
    options = argparse.Namespace(no_input=False, json=False, quiet=False)
    assert not may_ask(options, Shell(environ))
