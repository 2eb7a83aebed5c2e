"""`cleanroom cache`: what the content cache holds; verified, pruned, filled.

In: sizes. Out: counts; 1 if a file was damaged. Never: a file of it changed here.
"""

import argparse

from cleanroom.cli.exec_output import counted
from cleanroom.cli.group import Sub, run_group
from cleanroom.cli.parser import Parser
from cleanroom.cli.shell import Shell, add_daemon_flags
from cleanroom.cli.sizes import read_size, size_text
from cleanroom.cli.warm import warm, warm_parser
from cleanroom.client.calls import Call
from cleanroom.client.reply import Reply


def _parser(name: str, summary: str, example: str) -> Parser:
    parser = Parser(f"cache {name}", summary, example)
    parser.switch("--json", "one JSON object on stdout")
    add_daemon_flags(parser)
    return parser


def info_parser() -> Parser:
    """Return the parser of `cache info`."""
    return _parser("info", "Show what the content cache holds.", "cleanroom cache info")


def verify_parser() -> Parser:
    """Return the parser of `cache verify`."""
    text = "Read every file; remove damaged ones (exit 1 if there was one)."
    return _parser("verify", text, "cleanroom cache verify")


def prune_parser() -> Parser:
    """Return the parser of `cache prune`."""
    text = "Remove the longest unused files until no more than a size is left."
    parser = _parser("prune", text, "cleanroom cache prune --keep 5GiB")
    parser.value("--keep", "SIZE", "how much stays: 500MiB, 5GiB, 0; by default cache.size")
    return parser


def info(options: argparse.Namespace, shell: Shell) -> int:
    """Show counts and sizes."""
    with shell.connect(options) as connection:
        found = connection.call(Call("show_cache"))
    if not options.json:
        sizes = {name: size_text(found.number(name)) for name in ("bytes", "git_bytes", "limit")}
        found = Reply({**found.fields, **sizes})
    shell.fields(found, as_json=options.json)
    return 0


def verify(options: argparse.Namespace, shell: Shell) -> int:
    """Say how many were right and which were not."""
    with shell.connect(options) as connection:
        found = connection.call(Call("verify_cache"))
    damaged = found.texts("damaged")
    if options.json:
        shell.screen.json(found.fields)
    else:
        shell.screen.out(f"{counted(found.number('right'), 'file')} verified")
        for sha256 in damaged:
            shell.screen.out(f"damaged, removed: sha256:{sha256}")
    return 1 if damaged else 0


def prune(options: argparse.Namespace, shell: Shell) -> int:
    """Say how much went and how much is left."""
    body = {} if options.keep is None else {"keep_bytes": read_size(options.keep)}
    with shell.connect(options) as connection:
        pruned = connection.call(Call("prune_cache", body=body))
    if options.json:
        shell.screen.json(pruned.fields)
    else:
        removed = size_text(pruned.number("removed_bytes"))
        shell.screen.out(f"removed {removed}, left {_left(pruned.item('left'))}")
    return 0


def _left(info: Reply) -> str:
    return f"{size_text(info.number('bytes'))} in {counted(info.number('files'), 'file')}"


SUBS = {
    "info": Sub(info_parser, info),
    "verify": Sub(verify_parser, verify),
    "prune": Sub(prune_parser, prune),
    "warm": Sub(warm_parser, warm),
}


def parsers() -> tuple[Parser, ...]:
    """Return the parsers of all subcommands."""
    return tuple(sub.parser() for sub in SUBS.values())


def run(words: list[str], shell: Shell) -> int:
    """Run one of them."""
    return run_group("cache", SUBS, words, shell)
