"""`cleanroom sandboxes files`: what a folder of a living sandbox holds.

In: a sandbox, a path inside. Out: a table, or JSON. Never: a control character that a name has.
"""

import argparse
import stat
from datetime import UTC, datetime
from typing import Final

from cleanroom.cli.lifetime import one_parser
from cleanroom.cli.parser import Parser
from cleanroom.cli.render import plain
from cleanroom.cli.shell import Shell
from cleanroom.client.calls import Call
from cleanroom.client.reply import Reply
from cleanroom.errors import Code, UserError

_TYPES: Final = {"folder": stat.S_IFDIR, "link": stat.S_IFLNK, "file": stat.S_IFREG}


def files_parser() -> Parser:
    """Return the parser of `sandboxes files`."""
    parser = one_parser("files", "List a folder of a living sandbox.", " src")
    parser.operand("PATH", "in the sandbox, from its workspace on", "?")
    return parser


def files(options: argparse.Namespace, shell: Shell) -> int:
    """Show one row a name."""
    query = {"path": options.path} if options.path else {}
    with shell.connect(options) as connection:
        found = connection.call(Call("list_files", {"sandbox_id": options.sandbox}, query))
    if options.json:
        shell.screen.json(found.fields)
        return 0
    if found.text("kind") == "missing":
        message = f"cannot list {options.path!r}: there is none in the sandbox"
        hint = f"see what is there: cleanroom sandboxes files {options.sandbox}"
        raise UserError(Code.REQUEST_INVALID, message, hint)
    rows = [_row(entry) for entry in found.items("entries")]
    shell.screen.table(("MODE", "SIZE", "MODIFIED", "NAME"), rows)
    if found.flag("truncated"):
        shell.screen.warn("cleanroom: there are more than are shown")
    return 0


def _row(entry: Reply) -> tuple[str, str, str, str]:
    kind, name = entry.text("kind"), plain(entry.text("name"))
    shown = f"{name} -> {plain(entry.text('target'))}" if kind == "link" else name
    mode = stat.filemode(_TYPES.get(kind, 0) | entry.number("mode"))
    when = entry.fields.get("modified")
    seconds = when if isinstance(when, int | float) else 0.0
    return mode, str(entry.number("size")), _time(seconds), shown


def _time(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):  # the workload sets what it likes
        return "-"
