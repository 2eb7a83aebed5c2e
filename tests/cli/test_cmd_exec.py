"""`cleanroom exec`: what is asked of the daemon, what is shown, how it ends."""

import json
import os
import sys
from pathlib import Path

import pytest

from cleanroom.cli.attached import stdin_to_forward
from tests.cli.conftest import CommandLine
from tests.client.scripted import Answer, Peer, problem

DENIED = {
    "name": "evil.test",
    "address": "198.18.0.9",
    "port": 443,
    "protocol": "tls",
    "code": "host_not_allowed",
    "reason": "no rule names evil.test:443",
    "count": 2,
}
OTHER = {**DENIED, "name": "", "address": "203.0.113.9", "count": 1}


def asked(cli: CommandLine) -> dict[str, object]:
    """Return the RunRequest that was sent."""
    body: dict[str, object] = cli.daemon.sent("POST", "/v1/runs").json()
    return body


def test_bytes_and_status_are_the_commands_own(cli: CommandLine) -> None:
    def attached(peer: Peer) -> None:
        peer.output(1, b"out\n")
        peer.output(2, b"err\n")
        peer.exit(exit_code=7)

    cli.script.attached = attached
    done = cli("exec", "true")
    assert (done.status, done.out, done.err) == (7, "out\n", "err\n")


def test_what_flags_say_is_asked(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    cli.policy("version: 1\n")
    (cli.folder / "pkg").mkdir()
    (cli.folder / "vars").write_text("# mine\nA=1\nMINE\n")
    monkeypatch.setenv("MINE", "mine")
    done = cli(
        *("exec", "-C", "pkg", "-w", "sub", "-e", "B=2=3", "-eA=0", "--env-file", "vars"),
        *("--timeout", "10m", "--sandbox=dev", "--keep", "--backend", "local"),
        *("--isolation", "namespaces", "--no-input", "echo", "-e", "x"),
    )
    assert done.status == 0
    body = asked(cli)
    assert body["command"] == ["echo", "-e", "x"]
    assert body["workspace"] == str(cli.folder)
    assert body["subfolder"] == "pkg"
    assert body["policy"] == {"path": "cleanroom.yaml", "text": "version: 1\n", "shadowed": False}
    assert body["options"] == {
        "backend": "local",
        "isolation": "namespaces",
        "timeout_s": 600.0,
        "sandbox": "dev",
        "cwd": "sub",
        "environment": {"A": "0", "MINE": "mine", "B": "2=3"},
        "keep": True,
    }


def test_the_request_is_one_that_the_api_takes(cli: CommandLine) -> None:
    from cleanroom.api import codec  # noqa: PLC0415 -- the daemon's side
    from cleanroom.api.types import RunRequest  # noqa: PLC0415

    cli.policy()
    cli("exec", "-e", "A=1", "--timeout", "5s", "true")
    sent = cli.daemon.sent("POST", "/v1/runs").body
    assert codec.decode(sent, RunRequest).command == ["true"]


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["npm test && npm run lint"], ["npm test && npm run lint"]),
        (["--", "npm", "--version"], ["npm", "--version"]),
        (["npm", "--", "x"], ["npm", "--", "x"]),
        (["-q", "--", "--odd"], ["--odd"]),
    ],
)
def test_flags_end_at_the_first_word(
    cli: CommandLine, words: list[str], command: list[str]
) -> None:
    cli("exec", *words)
    assert asked(cli)["command"] == command


def test_nothing_to_run_is_a_wrong_command_line(cli: CommandLine) -> None:
    done = cli("exec", "-q")
    assert done.status == 2
    assert "the command is missing" in done.err


@pytest.mark.parametrize("flag", ["--unknown", "--time"])
def test_an_unknown_or_shortened_flag_is_refused(cli: CommandLine, flag: str) -> None:
    done = cli("exec", flag, "--", "true")
    assert done.status == 2
    assert not cli.daemon.requests


def test_a_file_that_is_no_list_of_variables_is_refused_with_its_line(cli: CommandLine) -> None:
    (cli.folder / "vars").write_text("A=1\nnot a name\n")
    done = cli("exec", "--env-file", "vars", "true")
    assert done.status == 125
    assert "vars:2" in done.err


def test_a_credential_is_warned_of_and_not_shown(cli: CommandLine) -> None:
    done = cli("exec", "-e", "NPM_TOKEN=hunter2", "true")
    assert "NPM_TOKEN looks like a credential" in done.err
    assert "hunter2" not in done.err


def refusing(peer: Peer) -> None:
    """Play a command that is refused two hosts."""
    peer.say("denied", **DENIED)
    peer.say("denied", **{**DENIED, "port": 80})
    peer.say("denied", **OTHER)
    peer.exit(denied=[DENIED, OTHER], changed_files=2, exit_code=0)


def test_each_refused_host_is_said_once_and_all_are_counted(cli: CommandLine) -> None:
    cli.script.attached = refusing
    done = cli("exec", "true")
    assert done.status == 0
    assert done.err.count("denied evil.test") == 1
    assert "denied 203.0.113.9:443" in done.err
    assert "3 connections denied (2 hosts)" in done.err
    assert "cleanroom policy suggest" in done.err
    assert "2 files changed: cleanroom diff" in done.err


def test_quiet_leaves_the_commands_bytes(cli: CommandLine) -> None:
    cli.script.attached = refusing
    assert cli("exec", "-q", "true").err == ""


@pytest.mark.parametrize(("code", "status"), [(0, 1), (3, 3)])
def test_denied_can_be_made_a_failure(cli: CommandLine, code: int, status: int) -> None:
    cli.script.attached = lambda peer: peer.exit(denied=[DENIED], exit_code=code)
    assert cli("exec", "--fail-on-denied", "true").status == status


def test_notes_are_said_once(cli: CommandLine) -> None:
    notes = ["no cleanroom.yaml here"]
    cli.script.answers["POST /v1/runs"] = Answer({**run(), "notes": notes}, 201)
    cli.script.attached = lambda peer: peer.exit(notes=[*notes, "left out .env"])
    err = cli("exec", "true").err
    assert err.count("no cleanroom.yaml here") == 1
    assert err.count("left out .env") == 1


def run() -> dict[str, object]:
    """Return a Run."""
    from tests.client.scripted import RUN  # noqa: PLC0415 -- a copy for each test

    return dict(RUN)


def test_verbose_says_ids_and_timings(cli: CommandLine) -> None:
    cli.script.attached = lambda peer: peer.exit(timings={"total_ms": 12.5, "rootfs_ms": None})
    err = cli("exec", "-v", "true").err
    assert "run run_1 in sandbox sbx_1" in err
    assert "total_ms 12.5" in err
    assert "rootfs" not in err


def test_json_is_one_object_a_line_and_nothing_else(cli: CommandLine) -> None:
    def attached(peer: Peer) -> None:
        peer.output(1, "é".encode()[:1])  # a character in two pieces
        peer.output(1, "é".encode()[1:] + b"\n")
        peer.output(2, b"\xff\x00")
        peer.say("denied", **DENIED)
        peer.output(1, b"\xe2\x82")  # and one that never ends
        peer.exit(exit_code=3, denied=[DENIED], notes=["n"])

    cli.script.attached = attached
    done = cli("exec", "--json", "true")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert done.status == 3
    assert [line["type"] for line in lines] == [
        *("start", "stdout", "stderr", "denied", "stdout", "exit")
    ]
    assert all(line["version"] == 1 for line in lines)
    assert lines[1]["text"] == "é\n"
    assert lines[2]["base64"] == "/wA="
    assert lines[4]["base64"] == "4oI="
    assert lines[5]["exit_code"] == 3
    assert lines[5]["denied"] == [DENIED]


def test_the_result_file_holds_the_truth(cli: CommandLine) -> None:
    failure = {"code": "timed_out", "reason": "cannot go on after 1 s", "hint": ""}
    cli.script.attached = lambda peer: peer.exit(exit_code=None, failure=failure)
    done = cli("exec", "--result-file", "result.json", "true")
    result = json.loads((cli.folder / "result.json").read_text())
    assert done.status == 124
    assert (result["version"], result["exit_code"]) == (1, 124)
    assert result["failure"] == failure


def test_a_result_file_that_cannot_be_written_stops_before_the_run(cli: CommandLine) -> None:
    done = cli("exec", "--result-file", "absent/result.json", "true")
    assert done.status == 125
    assert "cannot write absent/result.json" in done.err
    assert "next: name another file: --result-file FILE" in done.err
    assert not cli.daemon.requests


def test_a_refusal_of_the_daemon_is_125_and_in_the_result(cli: CommandLine) -> None:
    errors = [{"path": "cleanroom.yaml", "line": 7, "column": 11, "message": "cannot allow '*'"}]
    cli.script.answers["POST /v1/runs"] = problem(
        "policy_invalid", "cannot use the policy", 422, hint="fix it", errors=errors
    )
    done = cli("exec", "--json", "--result-file", "r", "true")
    assert done.status == 125
    assert "cleanroom.yaml:7:11: cannot allow '*'" in done.err
    assert "next: fix it" in done.err
    assert "cleanroom explain policy_invalid" in done.err
    last = json.loads(done.out.splitlines()[-1])
    assert last["failure"]["code"] == "policy_invalid"
    assert json.loads((cli.folder / "r").read_text())["exit_code"] == 125


def test_a_lost_daemon_is_125_never_success(cli: CommandLine) -> None:
    cli.script.attached = lambda peer: peer.output(1, b"half")
    done = cli("exec", "true")
    assert (done.status, done.out) == (125, "half")
    assert "outcome_unknown" in done.err


def test_a_failure_after_the_start_is_said(cli: CommandLine) -> None:
    failure = {"code": "gateway_lost", "reason": "cannot go on: the gateway ended", "hint": "again"}
    cli.script.attached = lambda peer: peer.exit(exit_code=None, failure=failure)
    done = cli("exec", "true")
    assert done.status == 125
    assert "the gateway ended" in done.err


def test_a_dry_run_shows_the_plan_and_starts_nothing(cli: CommandLine) -> None:
    plan = {"backend": "local", "argv": ["/bin/sh", "-c", "true"], "mounts": []}
    cli.script.answers["POST /v1/runs/plan"] = Answer(plan)
    done = cli("exec", "--dry-run", "true")
    assert 'argv: ["/bin/sh", "-c", "true"]' in done.out
    assert json.loads(cli("exec", "--dry-run", "--json", "true").out)["type"] == "plan"
    assert {request.target for request in cli.daemon.requests} == {"/v1/health", "/v1/runs/plan"}


def test_help_needs_no_daemon(cli: CommandLine) -> None:
    done = cli("exec", "--help")
    assert done.status == 0
    assert "--result-file FILE" in " ".join(done.out.split())  # wherever the line ends
    assert not cli.daemon.requests


def test_only_pipes_files_and_sockets_are_input(monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.dup(0)
    reader, writer = os.pipe()
    null = os.open("/dev/null", os.O_RDONLY)
    try:
        os.dup2(reader, 0)
        assert stdin_to_forward() == 0
        os.dup2(null, 0)
        assert stdin_to_forward() is None
        os.close(0)
        assert stdin_to_forward() is None
    finally:
        os.dup2(before, 0)
        for descriptor in (before, reader, writer, null):
            os.close(descriptor)


def test_the_tests_left_pythons_hook_alone(cli: CommandLine, tmp_path: Path) -> None:
    cli("exec", "true")
    assert sys.excepthook is not sys.__excepthook__


def test_which_sandbox_is_meant_is_asked(cli: CommandLine) -> None:
    cli("exec", "--reuse", "--recreate", "--keep-on-failure", "true")
    options = asked(cli)["options"]
    assert options == {"reuse": True, "recreate": True, "keep_on_failure": True}


def test_recreating_needs_to_know_what(cli: CommandLine) -> None:
    done = cli("exec", "--recreate", "true")
    assert done.status == 2
    assert "--reuse" in done.err
    assert not cli.daemon.requests
