"""`cleanroom schema`: the JSON Schema of cleanroom.yaml, for editors.

In: flags. Out: the daemon's document on stdout. Never: a copy of the schema kept here.
"""

import argparse

from cleanroom.cli.group import Sub, run_one
from cleanroom.cli.parser import Parser
from cleanroom.cli.shell import Shell, add_daemon_flags
from cleanroom.client.calls import Call


def schema_parser(name: str = "schema") -> Parser:
    """Return the parser, under either of its two names."""
    parser = Parser(
        name,
        "Print the JSON Schema (draft-07) of cleanroom.yaml.",
        f"cleanroom {name} > cleanroom.schema.json",
    )
    add_daemon_flags(parser)
    return parser


def run_schema(options: argparse.Namespace, shell: Shell) -> int:
    """Print it."""
    with shell.connect(options) as connection:
        text = connection.read(Call("policy_schema")).decode()
    shell.screen.raw(text if text.endswith("\n") else f"{text}\n")
    return 0


def parsers() -> tuple[Parser, ...]:
    """Return the parser of `schema`."""
    return (schema_parser(),)


def run(words: list[str], shell: Shell) -> int:
    """Run it."""
    return run_one(Sub(schema_parser, run_schema), words, shell)
