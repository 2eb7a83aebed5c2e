"""`cleanroom audit`: filters are asked, records come out, a broken chain is a failure."""

import json
import os

import pytest

from tests.cli.conftest import CommandLine
from tests.client.scripted import Answer


def test_filters_are_asked_and_records_shown(cli: CommandLine) -> None:
    record = {
        "time": "T",
        "run_id": "run_1",
        "sandbox_id": "sbx_1",
        "allowed": False,
        "protocol": "tls",
        "name": "evil\x1b.test",
        "port": 443,
        "code": "host_not_allowed",
        "reason": "no rule",
    }
    lines = [{"type": "record", "record": record}, {"type": "exit", "lines": 1}]
    text = "".join(json.dumps(line) + "\n" for line in lines).encode()
    cli.script.answers["GET /v1/audit"] = Answer(text)
    done = cli("audit", "--run-id", "run_1", "--sandbox", "s", "--denied", "--since", "2026-01-02")
    assert done.out == ("T run_1 sbx_1 denied tls evil\\x1b.test:443 host_not_allowed: no rule\n")
    target = cli.daemon.requests[-1].target
    assert target == "/v1/audit?run_id=run_1&sandbox_id=s&denied=true&since=2026-01-02"
    cli("audit", "--since", "10m")
    assert cli.daemon.requests[-1].target == "/v1/audit?since=600s"
    (line,) = cli("audit", "--json").out.splitlines()
    assert json.loads(line)["record"] == record


def test_nothing_is_said_of_nothing_but_on_a_terminal(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = json.dumps({"type": "exit", "lines": 0}).encode() + b"\n"
    cli.script.answers["GET /v1/audit"] = Answer(nothing)
    assert cli("audit", "--denied").err == ""
    monkeypatch.setattr(os, "isatty", lambda _: True)
    assert cli("audit", "--denied").err == "nothing was denied\n"
    assert cli("audit").err == "there is no such record\n"
    assert cli("audit", "--denied", "--json").err == ""


def test_verify_says_whether_the_chain_holds(cli: CommandLine) -> None:
    cli.script.answers["GET /v1/audit/verify"] = Answer({"ok": True, "lines": 3})
    done = cli("audit", "verify")
    assert (done.status, done.out) == (0, "the audit log is whole: 3 records\n")
    broken = {"ok": False, "lines": 3, "place": "a.jsonl:2", "reason": "hash differs"}
    cli.script.answers["GET /v1/audit/verify"] = Answer(broken)
    done = cli("audit", "verify")
    assert (done.status, done.out) == (1, "the audit log is broken at a.jsonl:2: hash differs\n")
    assert json.loads(cli("audit", "verify", "--json").out)["place"] == "a.jsonl:2"
