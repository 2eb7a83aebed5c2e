"""`cleanroom executions`: state, output and end of commands."""

import base64
import json

import pytest

from tests.cli.conftest import CommandLine
from tests.client.scripted import Answer

EXECUTION = {
    "id": "exe_1",
    "sandbox_id": "sbx_1",
    "run_id": "run_1",
    "command": ["npm", "test"],
    "state": "running",
    "created_at": "T",
    "exit_code": None,
}
PATH = "/v1/sandboxes/dev/executions"


def test_a_list_is_a_table(cli: CommandLine) -> None:
    done = {**EXECUTION, "state": "failed", "exit_code": 3}
    cli.script.answers[f"GET {PATH}"] = Answer({"executions": [EXECUTION, done]})
    lines = cli("executions", "list", "dev").out.splitlines()
    assert lines[1].split() == ["exe_1", "running", "-", "T", "npm", "test"]
    assert lines[2].split()[1:3] == ["failed", "3"]
    assert len(json.loads(cli("executions", "list", "dev", "--json").out)["executions"]) == 2


def test_get_shows_one(cli: CommandLine) -> None:
    cli.script.answers[f"GET {PATH}/exe_1"] = Answer(EXECUTION)
    assert "running" in cli("executions", "get", "dev", "exe_1").out
    assert json.loads(cli("executions", "get", "dev", "exe_1", "--json").out)["run_id"] == "run_1"


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ({"exit_code": 3}, 3),
        ({"signal": 9}, 137),
        ({}, 125),
        ({"exit_code": 143, "failure": {"code": "timed_out", "reason": "late"}}, 124),
        ({"exit_code": 143, "failure": {"code": "canceled", "reason": "asked"}}, 143),
    ],
    ids=["code", "signal", "none", "timed out", "canceled"],
)
def test_wait_asks_until_the_end_and_exits_alike(
    cli: CommandLine, end: dict[str, object], status: int
) -> None:
    states = iter([EXECUTION, {**EXECUTION, "state": "failed", **end}])

    class Later(Answer):
        """Running, then ended."""

        def bytes(self) -> bytes:
            """Return it."""
            return Answer(next(states)).bytes()

    cli.script.answers[f"GET {PATH}/exe_1"] = Later(None)
    done = cli("executions", "wait", "dev", "exe_1", "--json")
    assert done.status == status
    assert json.loads(done.out)["state"] == "failed"
    assert ("failure" in end) == ("cleanroom: " in done.err)
    assert cli.daemon.requests[-1].target.endswith("?wait_s=60")


def test_cancel_and_kill_are_asked(cli: CommandLine) -> None:
    cli.script.answers[f"POST {PATH}/exe_1/cancel"] = Answer(EXECUTION)
    cli.script.answers[f"POST {PATH}/exe_1/signal"] = Answer(EXECUTION)
    assert cli("executions", "cancel", "dev", "exe_1").status == 0
    assert cli("executions", "kill", "dev", "exe_1", "--signal", "sigint").status == 0
    assert cli.daemon.sent("POST", f"{PATH}/exe_1/signal").json() == {"signal": "INT"}
    cli.script.answers[f"POST {PATH}/exe_1/signal"] = Answer(EXECUTION)
    assert cli("executions", "kill", "dev", "exe_1", "--signal", "10").status == 0
    assert cli.daemon.requests[-1].json() == {"signal": "USR1"}


@pytest.mark.parametrize("text", ["99", "", "-", "SIG"])
def test_what_is_no_signal_is_not_asked(cli: CommandLine, text: str) -> None:
    done = cli("executions", "kill", "dev", "exe_1", f"--signal={text}")
    assert (done.status, "as a signal" in done.err) == (2, True), done.err


@pytest.mark.parametrize("flag", ["--tail", "--stdout-from", "--stderr-from"])
@pytest.mark.parametrize("text", ["abc", "-1", "", "1.5"])
def test_what_is_no_number_is_not_asked(cli: CommandLine, flag: str, text: str) -> None:
    done = cli("logs", "dev", "exe_1", f"{flag}={text}")
    assert (done.status, f"cannot read {flag}" in done.err) == (2, True), done.err
    assert not cli.daemon.requests


def test_logs_put_each_stream_where_it_was(cli: CommandLine) -> None:
    lines = [
        {"type": "gap", "stream": 1, "offset": 0, "missing": 5},
        {"type": "output", "stream": 1, "offset": 5, "text": "out\n"},
        {"type": "output", "stream": 2, "offset": 0, "base64": base64.b64encode(b"err\n").decode()},
        {"type": "exit"},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines).encode()
    cli.script.answers[f"GET {PATH}/exe_1/output"] = Answer(text)
    done = cli("executions", "logs", "dev", "exe_1", "-f")
    assert done.out == "out\n"
    assert done.err == "cleanroom: 5 bytes are no longer kept\nerr\n"
    assert cli.daemon.requests[-1].target.endswith("?follow=true")
    assert len(cli("executions", "logs", "dev", "exe_1", "--json").out.splitlines()) == 4


def test_where_logs_begin_is_asked(cli: CommandLine) -> None:
    cli.script.answers[f"GET {PATH}/exe_1/output"] = Answer(b'{"type": "exit"}\n')
    cli("logs", "dev", "exe_1", "--tail", "5", "--since", "10m", "--stdout-from", "0")
    assert cli.daemon.requests[-1].target.endswith("?tail=5&since=600s&stdout_from=0")
    cli("logs", "dev", "exe_1", "--since", "2026-01-02T03:04:05Z", "--stderr-from", "7")
    assert cli.daemon.requests[-1].target.endswith("?since=2026-01-02T03:04:05Z&stderr_from=7")
    assert cli("logs", "dev", "exe_1", "--since", "xm").status == 2


def test_timestamps_stand_before_each_line(cli: CommandLine) -> None:
    lines = [
        {"type": "output", "stream": 1, "offset": 0, "text": "a\nb", "time": "T1"},
        {"type": "output", "stream": 1, "offset": 3, "text": "c\n", "time": "T2"},
        {"type": "exit"},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines).encode()
    cli.script.answers[f"GET {PATH}/exe_1/output"] = Answer(text)
    assert cli("logs", "dev", "exe_1", "-t").out == "T1 a\nT1 bc\n"
