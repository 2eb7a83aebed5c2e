"""`cleanroom config show`: the settings in force, and where each comes from.

In: flags. Out: the path of the file as a comment, one line a setting. Never: a file written.
"""

import argparse

from cleanroom.cli.group import Sub, run_group
from cleanroom.cli.parser import Parser
from cleanroom.cli.render import plain
from cleanroom.cli.shell import Shell, add_daemon_flags
from cleanroom.client.calls import Call


def show_parser() -> Parser:
    """Return the parser of `config show`."""
    parser = Parser("config show", "Show the settings in force.", "cleanroom config show --origin")
    parser.switch("--origin", "also where each comes from")
    parser.switch("--json", "one JSON object on stdout")
    add_daemon_flags(parser)
    return parser


def show(options: argparse.Namespace, shell: Shell) -> int:
    """Show them."""
    with shell.connect(options) as connection:
        report = connection.call(Call("config"))
    if options.json:
        shell.screen.json(report.fields)
        return 0
    shell.screen.out(plain(f"# {report.text('path')}"))
    for setting in report.items("values"):
        origin = f"  # {setting.text('origin')}" if options.origin else ""
        shell.screen.out(plain(f"{setting.text('key')}: {setting.text('value')}{origin}"))
    return 0


SUBS = {"show": Sub(show_parser, show)}


def parsers() -> tuple[Parser, ...]:
    """Return the parsers of all subcommands."""
    return tuple(sub.parser() for sub in SUBS.values())


def run(words: list[str], shell: Shell) -> int:
    """Run one of them."""
    return run_group("config", SUBS, words, shell)
