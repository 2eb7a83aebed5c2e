"""`cleanroom policy diff OLD NEW`: what a change of cleanroom.yaml lets through, for reviews.

In: two files of the caller. Out: a line a change; 1 if the newer one reaches more. Never: a policy
compared here; the daemon does, as it does before a run.
"""

# pathlib costs 3 ms of every exec:
# ruff: noqa: PTH100, PTH119, PTH120, PTH123
import argparse
import os

from cleanroom.cli.approval import change_lines
from cleanroom.cli.parser import Parser
from cleanroom.cli.shell import Shell, add_daemon_flags
from cleanroom.client.blocking import Connection
from cleanroom.client.calls import Call
from cleanroom.client.lockfiles import with_lockfiles
from cleanroom.client.workspace import POLICY_LIMIT, Policy, names_lockfiles
from cleanroom.errors import Code, UserError


def diff_parser() -> Parser:
    """Return the parser of `policy diff`."""
    parser = Parser(
        "policy diff",
        "Say what one policy file permits beyond another; exit 1 if it does.",
        "cleanroom policy diff main.yaml cleanroom.yaml",
    )
    parser.operand("OLD", "the older policy file; /dev/null: none")
    parser.operand("NEW", "the newer one")
    parser.switch("--json", "one JSON object on stdout")
    add_daemon_flags(parser)
    return parser


def diff(options: argparse.Namespace, shell: Shell) -> int:
    """Show every change, the wider ones first."""
    with shell.connect(options) as connection:
        body = {
            "old": _policy_of(options.old, connection, shell),
            "new": _policy_of(options.new, connection, shell),
        }
        found = connection.call(Call("diff_policy", body=body))
    if options.json:
        shell.screen.json(found.fields)
    else:
        for line in change_lines(found) or ["no difference in what is permitted"]:
            shell.screen.out(line)
    return 1 if found.flag("wider") else 0


def _policy_of(path: str, connection: Connection, shell: Shell) -> dict[str, object]:
    """Return PolicyText of a file, with the lock files that lie beside it."""
    fields = _text_of(path)
    if not names_lockfiles(fields.text):
        return fields._asdict()
    folder = os.path.dirname(os.path.abspath(path))
    return with_lockfiles(connection, folder, fields._asdict(), shell.uid)


def _text_of(path: str) -> Policy:
    try:
        with open(path, "rb") as file:
            data = file.read(POLICY_LIMIT + 1)
        text = data.decode()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        message = f"cannot read {path}: {why}"
        hint = "name a policy file, or /dev/null for none"
        raise UserError(Code.POLICY_INVALID, message, hint) from None
    if len(data) > POLICY_LIMIT:
        message = f"cannot read {path}: it is larger than 64 KiB"
        raise UserError(Code.POLICY_INVALID, message, "make it smaller: no policy needs so much")
    return Policy(os.path.basename(path), text or None)
