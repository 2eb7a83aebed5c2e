"""`cleanroom volumes`: folders that outlive sandboxes, listed and removed.

In: a name. Out: tables, or JSON. Never: one of another workspace removed by its name.
"""

import argparse

from cleanroom.cli.group import Sub, run_group
from cleanroom.cli.lines import age
from cleanroom.cli.parser import Parser
from cleanroom.cli.render import plain
from cleanroom.cli.shell import Shell, add_daemon_flags
from cleanroom.client.calls import Call
from cleanroom.client.reply import Reply


def _parser(name: str, summary: str, example: str) -> Parser:
    parser = Parser(f"volumes {name}", summary, example)
    parser.switch("--json", "JSON on stdout")
    add_daemon_flags(parser)
    return parser


def list_parser() -> Parser:
    """Return the parser of `volumes list`."""
    return _parser("list", "List the volumes of all workspaces.", "cleanroom volumes list")


def rm_parser() -> Parser:
    """Return the parser of `volumes rm`."""
    parser = _parser("rm", "Remove a volume of this workspace.", "cleanroom volumes rm home")
    parser.operand("NAME", "its name")
    parser.value("-C", "DIR", "the folder whose workspace it belongs to")
    return parser


def prune_parser() -> Parser:
    """Return the parser of `volumes prune`."""
    text = "Remove the volumes of workspaces that are gone."
    parser = _parser("prune", text, "cleanroom volumes prune")
    parser.switch("-a --all", "every volume that no sandbox has now")
    return parser


def list_all(options: argparse.Namespace, shell: Shell) -> int:
    """Show one row a volume."""
    with shell.connect(options) as connection:
        _show(connection.call(Call("list_volumes")), options, shell)
    return 0


def rm(options: argparse.Namespace, shell: Shell) -> int:
    """Remove one."""
    body = {"workspace": shell.workspace(options.C).root, "name": options.name}
    return _remove(body, options, shell)


def prune(options: argparse.Namespace, shell: Shell) -> int:
    """Remove those that nobody can use any more, or all that are unused."""
    return _remove({"unused": options.all}, options, shell)


def _remove(body: dict[str, object], options: argparse.Namespace, shell: Shell) -> int:
    with shell.connect(options) as connection:
        removed = connection.call(Call("remove_volumes", body=body))
    if options.json:
        shell.screen.json(removed.fields)
        return 0
    for volume in removed.items("volumes"):
        shell.screen.out(plain(f"{volume.text('name')} removed"))
    if not removed.items("volumes"):
        shell.screen.say("no volume was removed")
    return 0


def _show(found: Reply, options: argparse.Namespace, shell: Shell) -> None:
    if options.json:
        shell.screen.json(found.fields)
        return
    rows = [
        (
            volume.text("name"),
            str(volume.maybe_number("bytes")),
            age(volume.text("used_at"), shell.now_s()),
            volume.text("sandbox_id", "-"),
            plain(volume.text("workspace")),
        )
        for volume in found.items("volumes")
    ]
    if rows:
        shell.screen.table(("NAME", "BYTES", "USED", "SANDBOX", "WORKSPACE"), rows)


SUBS = {
    "list": Sub(list_parser, list_all),
    "rm": Sub(rm_parser, rm),
    "prune": Sub(prune_parser, prune),
}


def parsers() -> tuple[Parser, ...]:
    """Return the parsers of all subcommands."""
    return tuple(sub.parser() for sub in SUBS.values())


def run(words: list[str], shell: Shell) -> int:
    """Run one of them."""
    return run_group("volumes", SUBS, words, shell)
