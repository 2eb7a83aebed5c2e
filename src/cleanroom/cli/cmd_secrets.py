"""`cleanroom secrets`: which the policy binds, whether their values are there, whether they work.

In: the policy of a folder, `--secret` and `--agent`. Out: tables, or JSON. Never: a value, or part
of one.
"""

import argparse
import os
import shlex
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from cleanroom.cli import cmd_exec
from cleanroom.cli.agent import policy_for
from cleanroom.cli.group import Sub, run_group
from cleanroom.cli.parser import Parser
from cleanroom.cli.secrets import (
    add_agent_flag,
    add_secret_flag,
    read_secret,
    secret_options,
    values_given,
)
from cleanroom.cli.shell import Shell, add_daemon_flags
from cleanroom.client.calls import Call
from cleanroom.client.reply import Reply
from cleanroom.client.sources import Source, source_of
from cleanroom.errors import Code, Refused, UsageError, UserError

NONE: Final = "the policy binds none: docs/secrets.md says how one is bound"


class Found(NamedTuple):
    """What the policy of a folder binds, as the daemon tells it."""

    workspace: str
    given: dict[str, Source]
    needs: list[Reply]
    mirrors: list[Reply]


def _parser(name: str, summary: str, example: str) -> Parser:
    parser = Parser(f"secrets {name}", summary, example)
    parser.value("-C", "DIR", "the folder whose policy is meant")
    add_secret_flag(parser)
    add_agent_flag(parser)
    add_daemon_flags(parser)
    return parser


def list_parser() -> Parser:
    """Return the parser of `secrets list`."""
    parser = _parser("list", "List the secrets that the policy binds.", "cleanroom secrets list")
    parser.switch("--json", "JSON on stdout")
    return parser


def check_parser() -> Parser:
    """Return the parser of `secrets check`."""
    summary = "Read every value as a run would, and say what is missing (exit 1)."
    parser = _parser("check", summary, "cleanroom secrets check")
    parser.switch("--json", "JSON on stdout")
    return parser


def test_parser() -> Parser:
    """Return the parser of `secrets test`."""
    parser = _parser(
        "test",
        "Send one request with a secret from a sandbox, and say what came back.",
        "cleanroom secrets test github --url https://api.forge.example/user",
    )
    parser.operand("ID", "which secret")
    parser.value("--url", "URL", "where to send it: a host of its binding")
    return parser


def _find(options: argparse.Namespace, shell: Shell) -> Found:
    workspace = shell.workspace(options.C)
    given = values_given(options, shell)
    body: dict[str, object] = {
        "workspace": workspace.root,
        "policy": policy_for(options, shell, shell.policy(workspace, options), given),
        "options": {"secrets": secret_options(given)},
    }
    with shell.connect(options) as connection:
        connection.check_owner()
        needs = connection.call(Call("secret_needs", body=body))
    return Found(workspace.root, given, needs.items("secrets"), needs.items("mirrors"))


def list_all(options: argparse.Namespace, shell: Shell) -> int:
    """Show one row a binding."""
    found = _find(options, shell)
    rows = [
        {
            "id": need.text("id"),
            "env": need.text("env"),
            "hosts": need.texts("allowed_hosts"),
            "source": _source_text(need, found.given),
            "unapproved": need.texts("unapproved"),
        }
        for need in found.needs
    ]
    if options.json:
        shell.screen.json({"secrets": rows})
        return 0
    if not rows:
        shell.screen.say(NONE)
    shell.screen.table(
        ("ID", "VARIABLE", "HOSTS", "SOURCE", "NOT APPROVED HERE"),
        [
            (
                str(row["id"]),
                str(row["env"]),
                ",".join(need.texts("allowed_hosts")),
                str(row["source"]),
                ",".join(need.texts("unapproved")) or "-",
            )
            for row, need in zip(rows, found.needs, strict=True)
        ],
    )
    return 0


def check(options: argparse.Namespace, shell: Shell) -> int:
    """Read each value and let go of it; 1 if a required one cannot be used."""
    found = _find(options, shell)
    rows = [(need, *_problem(need, found.given, found, shell)) for need in found.needs]
    mirrors = [(need, *_problem(need, {}, found, shell)) for need in found.mirrors]
    missing = any(why and need.flag("required") for need, why, _ in rows)
    missing = missing or any(why for _, why, _ in mirrors)
    if options.json:
        shell.screen.json(
            {
                "secrets": [{"id": need.text("id"), "problem": why} for need, why, _ in rows],
                "mirrors": [{"id": need.text("id"), "problem": why} for need, why, _ in mirrors],
            }
        )
        return int(missing)
    if not rows and not mirrors:
        shell.screen.say(NONE)
    for need, why, hint in rows:
        optional = "" if need.flag("required") else " (not required)"
        shell.screen.out(f"{need.text('id')}: {why or 'its value can be used'}{optional}")
        shell.screen.say_next(hint)
    for need, why, hint in mirrors:
        where = f"the mirror of {', '.join(need.texts('mirror_of'))}"
        shell.screen.out(f"{need.text('id')} ({where}): {why or 'its value can be used'}")
        shell.screen.say_next(hint)
    return int(missing)


def _problem(need: Reply, given: dict[str, Source], found: Found, shell: Shell) -> tuple[str, str]:
    """Read a value and let go of it; return why it cannot be used, and what helps."""
    try:
        os.close(read_secret(need, given, shell, found.workspace))
    except Refused as error:
        return error.message, "" if "secrets check" in error.hint else error.hint  # here we are
    return "", ""


def test(options: argparse.Namespace, shell: Shell) -> int:
    """Run one request in a sandbox of its own; 1 unless the answer is a success."""
    found = _find(options, shell)
    need = next((each for each in found.needs if each.text("id") == options.id), None)
    if need is None:
        known = ", ".join(each.text("id") for each in found.needs) or "none"
        message = f"cannot find the secret '{options.id}' in the policy"
        raise UserError(Code.REQUEST_INVALID, message, f"bound here: {known}")
    host = urlsplit(options.url or "")
    if host.scheme != "https" or not host.hostname:
        message = "cannot test a secret without an address that begins with https://"
        where = need.texts("allowed_hosts")[0].removeprefix("*.")
        hint = f"cleanroom secrets test {options.id} --url https://{where}/"
        raise UsageError(Code.REQUEST_INVALID, message, hint)
    words = ["-C", options.C] if options.C else []
    words += [word for flag in options.secret for word in ("--secret", flag)]
    words += ["--agent", options.agent] if options.agent else []
    words += ["--host", options.host] if options.host else []
    words += ["--no-autostart"] if options.no_autostart else []
    return cmd_exec.run([*words, "--", request_command(need, options.url)], shell)


def request_command(need: Reply, url: str) -> str:
    """Return a shell command that sends the placeholder in the first place of the binding."""
    variable = need.text("env")
    header = need.text("header", "Authorization")
    bearer = "Bearer " if header.lower() == "authorization" else ""
    places = {
        "header": ("-H", f"{header}: {bearer}", ""),
        "basic": ("-u", "x:", ""),
        "query": ("-G --data-urlencode", "key=", ""),
        "form": ("--data-urlencode", "key=", ""),
        "json": ("-H 'Content-Type: application/json' --data", '{"key": "', '"}'),
        "cookie": ("-b", "key=", ""),
    }
    flags, before, after = places[need.texts("places")[0]]
    word = f'{shlex.quote(before)}"${variable}"{shlex.quote(after) if after else ""}'
    ask = f"curl -sS -o /dev/null -w '%{{http_code}}' {flags} {word} -- {shlex.quote(url)}"
    return (
        f'code=$({ask}); echo "the answer is ${{code:-none}}";'
        ' case "$code" in 2??|3??) ;; *) exit 1 ;; esac'
    )


def _source_text(need: Reply, given: dict[str, Source]) -> str:
    source = source_of(need, given)
    return source.text() if source is not None else "none"


SUBS = {
    "list": Sub(list_parser, list_all),
    "check": Sub(check_parser, check),
    "test": Sub(test_parser, test),
}


def parsers() -> tuple[Parser, ...]:
    """Return the parsers of all subcommands."""
    return tuple(sub.parser() for sub in SUBS.values())


def run(words: list[str], shell: Shell) -> int:
    """Run one of them."""
    return run_group("secrets", SUBS, words, shell)
