"""`cleanroom sandboxes`: what lives, its details, its end, its events.

In: an id or a name. Out: tables, or JSON. Never: a guess which sandbox was meant.
"""

import argparse

from cleanroom.cli.group import Sub, run_group
from cleanroom.cli.lines import event_text
from cleanroom.cli.parser import Parser
from cleanroom.cli.shell import Shell, add_daemon_flags, pages
from cleanroom.client.calls import Call


def _parser(name: str, summary: str, example: str) -> Parser:
    parser = Parser(f"sandboxes {name}", summary, example)
    parser.switch("--json", "JSON on stdout")
    add_daemon_flags(parser)
    return parser


def list_parser() -> Parser:
    """Return the parser of `sandboxes list`."""
    parser = _parser("list", "List sandboxes, newest first.", "cleanroom sandboxes list --all")
    parser.switch("-a --all", "ended ones too")
    return parser


def _one_parser(name: str, summary: str) -> Parser:
    parser = _parser(name, summary, f"cleanroom sandboxes {name} dev")
    parser.operand("SANDBOX", "its id or name")
    return parser


def events_parser() -> Parser:
    """Return the parser of `sandboxes events`."""
    parser = _one_parser("events", "Show what happened to a sandbox.")
    parser.switch("-f --follow", "go on until the sandbox ends")
    return parser


def list_all(options: argparse.Namespace, shell: Shell) -> int:
    """Show one row a sandbox."""
    query = {"all": "true"} if options.all else {}
    with shell.connect(options) as connection:
        found = pages(connection, Call("list_sandboxes", query=query), "sandboxes")
    if options.json:
        shell.screen.json({"sandboxes": [sandbox.fields for sandbox in found]})
        return 0
    rows = [
        (
            sandbox.text("id"),
            sandbox.text("name", "-"),
            sandbox.text("state"),
            sandbox.text("backend"),
            sandbox.text("created_at"),
            sandbox.text("workspace"),
        )
        for sandbox in found
    ]
    shell.screen.table(("ID", "NAME", "STATE", "BACKEND", "CREATED", "WORKSPACE"), rows)
    return 0


def inspect(options: argparse.Namespace, shell: Shell) -> int:
    """Show all that is known of one."""
    with shell.connect(options) as connection:
        sandbox = connection.call(Call("get_sandbox", {"sandbox_id": options.sandbox}))
    shell.fields(sandbox, as_json=options.json)
    return 0


def stop(options: argparse.Namespace, shell: Shell) -> int:
    """End one with all its processes."""
    with shell.connect(options) as connection:
        sandbox = connection.call(Call("stop_sandbox", {"sandbox_id": options.sandbox}))
    if options.json:
        shell.screen.json(sandbox.fields)
    else:
        shell.screen.out(f"{sandbox.text('id')} {sandbox.text('state')}")
    return 0


def events(options: argparse.Namespace, shell: Shell) -> int:
    """Show events, one a line."""
    query = {"follow": "true"} if options.follow else {}
    call = Call("sandbox_events", {"sandbox_id": options.sandbox}, query)
    with shell.connect(options) as connection:
        for line in connection.lines(call):
            if options.json:
                shell.screen.json(line.fields)
            elif line.text("type") != "exit":
                shell.screen.out(event_text(line))
    return 0


SUBS = {
    "list": Sub(list_parser, list_all),
    "inspect": Sub(lambda: _one_parser("inspect", "Show all that is known of one."), inspect),
    "stop": Sub(lambda: _one_parser("stop", "End a sandbox and all its processes."), stop),
    "events": Sub(events_parser, events),
}


def parsers() -> tuple[Parser, ...]:
    """Return the parsers of all subcommands."""
    return tuple(sub.parser() for sub in SUBS.values())


def run(words: list[str], shell: Shell) -> int:
    """Run one of them; `terminate` is another word for `stop`."""
    words = ["stop", *words[1:]] if words[:1] == ["terminate"] else words
    return run_group("sandboxes", SUBS, words, shell)
