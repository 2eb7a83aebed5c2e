"""A command with subcommands: `policy validate`, `sandboxes list`.

In: the subcommands' parsers and what each does. Out: an exit status. Never: more than the one
parser that is needed.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from cleanroom.cli.parser import Options, Parser
from cleanroom.cli.shell import Shell
from cleanroom.errors import Code, UsageError


class Sub(NamedTuple):
    """One subcommand: how its parser is made, and what it does."""

    parser: Callable[[], Parser]
    run: Callable[[Options, Shell], int]


def run_one(sub: Sub, words: list[str], shell: Shell) -> int:
    """Run a command with these words, or show its help."""
    parser = sub.parser()
    if "--help" in words or "-h" in words:
        show_help(parser, words, shell)
        return 0
    options = parser.read(words)
    shell.screen.quiet = getattr(options, "quiet", False)
    return sub.run(options, shell)


def show_help(parser: Parser, words: Sequence[str], shell: Shell) -> None:
    """Show what `--help` shows; with `--all`, more than one screen of it."""
    from cleanroom.cli.help_page import command_help  # noqa: PLC0415 -- only who asks pays for it

    shell.screen.out(command_help(parser, words))


def run_group(name: str, subs: dict[str, Sub], words: list[str], shell: Shell) -> int:
    """Run the subcommand that the first word names."""
    if not words or words[0] in ("-h", "--help"):
        _show_subcommands(name, subs, shell)
        return 0 if words else 2
    if words[0] not in subs:
        message = f"cannot find {words[0]!r} in cleanroom {name}"
        raise UsageError(Code.REQUEST_INVALID, message, f"cleanroom {name} --help")
    return run_one(subs[words[0]], words[1:], shell)


def _show_subcommands(name: str, subs: dict[str, Sub], shell: Shell) -> None:
    from cleanroom.cli.help_page import Page, lay_out, terminal_columns  # noqa: PLC0415 -- as above

    parsers = {word: sub.parser() for word, sub in subs.items()}
    example = next(iter(parsers.values())).example
    page = Page(
        (f"Usage: cleanroom {name} SUBCOMMAND [flags]", ""),
        [(word, parser.summary) for word, parser in parsers.items()],
        ("", f"Example: {example}"),
        f"cleanroom {name} SUBCOMMAND --help",
    )
    for line in lay_out(page, terminal_columns()):
        shell.screen.out(line)
