"""`cleanroom audit`: what was allowed and denied, and whether the record is whole.

In: filters. Out: one line a record; `audit verify` exits 1 if the chain is broken. Never: a record
changed on its way.
"""

import argparse
import os

from cleanroom.cli.group import Sub, run_one
from cleanroom.cli.lines import record_text
from cleanroom.cli.parser import Parser, moment
from cleanroom.cli.render import plain
from cleanroom.cli.shell import Shell, add_daemon_flags
from cleanroom.client.calls import Call


def audit_parser() -> Parser:
    """Return the parser of `audit`."""
    parser = Parser(
        "audit", "Show audit records, oldest first.", "cleanroom audit --denied --run-id ID"
    )
    parser.value("--run-id", "ID", "only this run (`last`: the last one)")
    parser.value("--sandbox", "ID", "only this sandbox")
    parser.switch("--denied", "only what was denied")
    parser.value("--since", "TIME", "only from then on: 10m ago, or 2026-01-02T03:04:05Z")
    parser.switch("--json", "one JSON object a line, as it is in the log")
    add_daemon_flags(parser)
    return parser


def verify_parser() -> Parser:
    """Return the parser of `audit verify`."""
    parser = Parser(
        "audit verify", "Check the hash chain; exit 1 if it is broken.", "cleanroom audit verify"
    )
    parser.switch("--json", "one JSON object on stdout")
    add_daemon_flags(parser)
    return parser


def audit(options: argparse.Namespace, shell: Shell) -> int:
    """Show the records that pass the filters."""
    wanted = {
        "run_id": options.run_id,
        "sandbox_id": options.sandbox,
        "denied": "true" if options.denied else None,
        "since": moment(options.since),
    }
    query = {name: value for name, value in wanted.items() if value}
    is_empty = True
    with shell.connect(options) as connection:
        for line in connection.lines(Call("read_audit", query=query)):
            if line.text("type") == "exit":
                break
            if options.json:
                shell.screen.json(line.fields)
            elif line.text("type") == "record":
                is_empty = False
                shell.screen.out(plain(record_text(line.item("record"))))
    if is_empty and not options.json and os.isatty(2):
        shell.screen.say("nothing was denied" if options.denied else "there is no such record")
    return 0


def verify(options: argparse.Namespace, shell: Shell) -> int:
    """Say whether the chain holds."""
    with shell.connect(options) as connection:
        found = connection.call(Call("verify_audit"))
    whole = found.flag("ok")
    if options.json:
        shell.screen.json(found.fields)
    elif whole:
        shell.screen.out(f"the audit log is whole: {found.number('lines')} records")
    else:
        shell.screen.out(
            f"the audit log is broken at {found.text('place')}: {found.text('reason')}"
        )
    return 0 if whole else 1


def parsers() -> tuple[Parser, ...]:
    """Return the parsers of `audit` and `audit verify`."""
    return audit_parser(), verify_parser()


def run(words: list[str], shell: Shell) -> int:
    """Run one of them."""
    if words[:1] == ["verify"]:
        return run_one(Sub(verify_parser, verify), words[1:], shell)
    return run_one(Sub(audit_parser, audit), words, shell)
