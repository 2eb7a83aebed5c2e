"""A command with subcommands: `policy validate`, `sandboxes list`.

In: the subcommands' parsers and what each does. Out: an exit status. Never: more than the one
parser that is needed.
"""

import argparse
from collections.abc import Callable
from typing import NamedTuple

from cleanroom.cli.parser import Parser
from cleanroom.cli.shell import Shell
from cleanroom.errors import Code, UsageError


class Sub(NamedTuple):
    """One subcommand: how its parser is made, and what it does."""

    parser: Callable[[], Parser]
    run: Callable[[argparse.Namespace, Shell], int]


def run_one(sub: Sub, words: list[str], shell: Shell) -> int:
    """Run a command with these words, or show its help."""
    parser = sub.parser()
    if "--help" in words or "-h" in words:
        shell.screen.out(parser.help_text())
        return 0
    options = parser.read(words)
    shell.screen.quiet = getattr(options, "quiet", False)
    return sub.run(options, shell)


def run_group(name: str, subs: dict[str, Sub], words: list[str], shell: Shell) -> int:
    """Run the subcommand that the first word names."""
    if not words or words[0] in ("-h", "--help"):
        shell.screen.out(f"Usage: cleanroom {name} SUBCOMMAND [flags]\n")
        for word, sub in subs.items():
            shell.screen.out(f"  {word.ljust(10)}  {sub.parser().summary}")
        return 0 if words else 2
    if words[0] not in subs:
        message = f"cannot find {words[0]!r} in cleanroom {name}"
        raise UsageError(Code.REQUEST_INVALID, message, f"cleanroom {name} --help")
    return run_one(subs[words[0]], words[1:], shell)
