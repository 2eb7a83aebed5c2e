"""`cleanroom diff`: what a run changed in its view of the workspace.

In: a run, by default the last one, or a sandbox. Out: names, a summary, or a patch for `git apply`.
Never: a change made anywhere, or a control character of a changed file sent to a terminal.
"""

import argparse
import os

from cleanroom.cli.changes import add_changes_flags, of_one
from cleanroom.cli.exec_output import counted, write_all
from cleanroom.cli.group import Sub, run_one
from cleanroom.cli.parser import Parser
from cleanroom.cli.render import plain
from cleanroom.cli.shell import Shell, add_daemon_flags
from cleanroom.client.calls import Call
from cleanroom.client.reply import Reply
from cleanroom.errors import Code, UsageError

LETTERS = {"added": "A", "modified": "M", "deleted": "D", "mode": "T"}
NO_CHANGES = "no changes"


def diff_parser() -> Parser:
    """Return the parser of `diff`."""
    parser = Parser(
        "diff", "Show what a run changed.", "cleanroom diff --patch | git apply --check"
    )
    add_changes_flags(parser)
    parser.switch("--name-only", "paths only")
    parser.switch("--stat", "paths, kinds and sizes")
    parser.switch("--patch", "a unified diff (the default on a terminal is --stat)")
    parser.switch("--json", "one JSON object on stdout")
    add_daemon_flags(parser)
    return parser


def diff(options: argparse.Namespace, shell: Shell) -> int:
    """Show the changes in one form."""
    forms = [name for name in ("name_only", "stat", "patch", "json") if getattr(options, name)]
    if len(forms) > 1:
        message = "cannot show the changes in two forms at once"
        raise UsageError(Code.REQUEST_INVALID, message, "cleanroom diff --help")
    form = forms[0] if forms else "stat" if os.isatty(1) else "patch"
    with shell.connect(options) as connection:
        path = of_one(options, connection, shell)
        if form == "patch":
            text = connection.read(Call("get_patch", path))
            write_all(1, text if shell.screen.escapes or not os.isatty(1) else _visible(text))
            if not text:
                shell.screen.say(NO_CHANGES)
            return 0
        found = connection.call(Call("get_changes", path))
    _show(found, form, shell)
    return 0


def _visible(text: bytes) -> bytes:
    """Return a patch to be looked at: what a file holds may neither act on a terminal nor hide."""
    lines = text.decode("utf-8", "surrogateescape").split("\n")
    shown = ("\t".join(map(plain, line.split("\t"))) for line in lines)
    return "\n".join(shown).encode()


def _show(found: Reply, form: str, shell: Shell) -> None:
    if form == "json":
        shell.screen.json(found.fields)
        return
    changes = found.items("changes")
    if not changes:
        shell.screen.say(NO_CHANGES)
    for change in changes:
        name = plain(change.text("path"))
        letter = LETTERS.get(change.text("kind"), "?")
        size = change.maybe_number("size")
        sized = "" if size is None else f"  {size} bytes"
        shell.screen.out(name if form == "name_only" else f"{letter} {name}{sized}")
    if form == "stat" and changes:
        shell.screen.out(f"{counted(len(changes), 'file')} changed")
    for skipped in found.items("skipped"):
        shell.screen.warn(f"left out {skipped.text('path')}: {skipped.text('reason')}")


def parsers() -> tuple[Parser, ...]:
    """Return the parser of `diff`."""
    return (diff_parser(),)


def run(words: list[str], shell: Shell) -> int:
    """Run it."""
    return run_one(Sub(diff_parser, diff), words, shell)
