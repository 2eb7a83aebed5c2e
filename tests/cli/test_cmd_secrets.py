"""`secrets list, check, test` against a scripted daemon; whole runs are in tests/flow."""

import subprocess

import pytest

from cleanroom.cli.cmd_secrets import request_command
from cleanroom.client.reply import Reply
from tests.cli.conftest import CommandLine
from tests.client.scripted import Answer

NEED = {
    "id": "a", "env": "A_TOKEN", "allowed_hosts": ["one.example"], "ports": [443],
    "places": ["header"], "required": True, "source": {"provider": "env", "words": ["NOWHERE"]},
}  # fmt: skip


def test_what_is_not_bound_or_no_https_address_is_not_tested(cli: CommandLine) -> None:
    cli.policy()
    cli.script.answers["POST /v1/secrets/needs"] = Answer({"secrets": [NEED], "taken": True})
    done = cli("secrets", "test", "b", "--url", "https://one.example/")
    assert done.status == 1
    assert "bound here: a" in done.err
    for url in ((), ("--url", "http://one.example/"), ("--url", "https:///x")):
        done = cli("secrets", "test", "a", *url)
        assert done.status == 2
        assert "next: cleanroom secrets test a --url https://one.example/" in done.err


@pytest.mark.parametrize("command", ["list", "check"])
def test_a_policy_that_binds_nothing_is_said(cli: CommandLine, command: str) -> None:
    cli.policy()
    cli.script.answers["POST /v1/secrets/needs"] = Answer({"secrets": [], "taken": True})
    done = cli("secrets", command)
    assert done.status == 0
    assert "the policy binds none" in done.err


def test_a_missing_value_is_one_line_and_status_1(cli: CommandLine) -> None:
    cli.policy()
    cli.script.answers["POST /v1/secrets/needs"] = Answer({"secrets": [NEED], "taken": True})
    done = cli("secrets", "check")
    assert (done.status, done.out.count("\n")) == (1, 1)
    assert "the variable is not set" in done.out
    assert "next:" not in done.err


def test_a_value_that_nobody_named_has_a_next_step(cli: CommandLine) -> None:
    cli.policy()
    unnamed = NEED | {"source": None}
    mirror = unnamed | {"id": "m", "mirror_of": ["r.example"]}
    answer = Answer({"secrets": [unnamed], "mirrors": [mirror], "taken": True})
    cli.script.answers["POST /v1/secrets/needs"] = answer
    done = cli("secrets", "check")
    assert (done.status, done.out.count("\n")) == (1, 2)
    assert "next: --secret a=VARIABLE, or `secrets:` in config.yaml" in done.err
    assert done.err.count("next: ") == 2
    assert cli("secrets", "check", "-q").err == ""


@pytest.mark.parametrize(
    ("place", "header", "sent"),
    [
        ("header", None, "-H Authorization: Bearer p'\"$X"),
        ("header", "X-Key$A`id`", "-H X-Key$A`id`: p'\"$X"),
        ("basic", None, "-u x:p'\"$X"),
        ("query", None, "-G --data-urlencode key=p'\"$X"),
        ("form", None, "--data-urlencode key=p'\"$X"),
        ("json", None, '-H Content-Type: application/json --data {"key": "p\'"$X"}'),
        ("cookie", None, "-b key=p'\"$X"),
    ],
)
def test_the_request_is_what_the_shell_makes_of_it(
    place: str, header: str | None, sent: str
) -> None:
    need = Reply({**NEED, "places": [place], "header": header})
    command = request_command(need, "https://one.example/?a='b'")
    shown = command.replace("curl ", "echo >&2 ", 1)
    done = subprocess.run(
        ["/bin/sh", "-c", shown], env={"A_TOKEN": "p'\"$X"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.stderr == (
        f"-sS -o /dev/null -w %{{http_code}} {sent} -- https://one.example/?a='b'\n"
    )
    assert (done.stdout, done.returncode) == ("the answer is none\n", 1)
