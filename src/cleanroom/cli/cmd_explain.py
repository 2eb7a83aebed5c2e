"""`cleanroom explain CODE`: what a reason code means, what usually causes it, what to do.

In: a code. Out: its long form (docs/codes.md). Never: a daemon.
"""

import argparse

from cleanroom.cli.group import Sub, run_one
from cleanroom.cli.parser import Parser
from cleanroom.cli.shell import Shell
from cleanroom.codes import explain as long_form
from cleanroom.errors import Code, UsageError


def explain_parser() -> Parser:
    """Return the parser of `explain`."""
    parser = Parser("explain", "Say what a code means.", "cleanroom explain host_not_allowed")
    parser.operand("CODE", "the code; without one, all codes are listed", "?")
    parser.switch("--json", "one JSON object on stdout")
    return parser


def explain(options: argparse.Namespace, shell: Shell) -> int:
    """Show it."""
    if options.code is None:
        codes = [str(code) for code in Code]
        if options.json:
            shell.screen.json({"codes": codes})
        else:
            shell.screen.out("\n".join(codes))
        return 0
    if options.code not in list(Code):
        message = f"cannot find a code named {options.code!r}"
        raise UsageError(Code.REQUEST_INVALID, message, "cleanroom explain")
    text = long_form(Code(options.code))
    if options.json:
        shell.screen.json({"code": options.code, **text._asdict()})
    else:
        shell.screen.out(f"{options.code}\n\n{text.meaning}\n\nUsual cause: {text.cause}")
        shell.screen.out(f"\nWhat to do: {text.next}")
    return 0


def parsers() -> tuple[Parser, ...]:
    """Return the parser of `explain`."""
    return (explain_parser(),)


def run(words: list[str], shell: Shell) -> int:
    """Run it."""
    return run_one(Sub(explain_parser, explain), words, shell)
