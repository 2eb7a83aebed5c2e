"""Which changes `diff` and `apply` mean: of a run, by default the last one, or of a sandbox.

In: flags and words. Out: the id that the API takes, and paths. Never: two at once, or a word taken
for a sandbox that may as well be a path.
"""

import argparse
from collections.abc import Callable

from cleanroom.cli.parser import Parser, is_sandbox_name
from cleanroom.client.blocking import Connection
from cleanroom.client.calls import Call, RemoteError
from cleanroom.errors import Code, UsageError, UserError


def add_changes_flags(parser: Parser) -> None:
    """Add the words and flags that say whose changes are meant."""
    parser.operand("SANDBOX", "its id or name, instead of a run", "?")
    parser.value("--sandbox", "NAME", "the same as a flag", dest="named")
    parser.value("--run-id", "ID", "the run; by default the last one")


def changes_of(run_id: str | None, sandbox: str | None) -> dict[str, str]:
    """Return the path values of the endpoints for changes."""
    if run_id and sandbox:
        message = "cannot show the changes of a run and of a sandbox at once"
        raise UsageError(Code.REQUEST_INVALID, message, "leave one of them out")
    return {"run_id": f"sandbox:{sandbox}" if sandbox else run_id or "last"}


def of_one(options: argparse.Namespace) -> dict[str, str]:
    """Return them where the word can only be a sandbox."""
    if options.sandbox and options.named:
        message = "cannot show the changes of two sandboxes at once"
        raise UsageError(Code.REQUEST_INVALID, message, "leave one of them out")
    return changes_of(options.run_id, options.sandbox or options.named)


def of_one_or_path(
    options: argparse.Namespace, connection: Connection, here: Callable[[], str]
) -> tuple[dict[str, str], list[str]]:
    """Return them, and the paths, where the first word may be a path too.

    It is a sandbox if none is named otherwise and this workspace, `here`, has one of that name.
    Raises UserError if the last run changed something of that name.
    """
    word, paths = options.sandbox, options.paths
    chosen = changes_of(options.run_id, options.named)
    if word is None:
        return chosen, paths
    if options.run_id or options.named or not is_sandbox_name(word):
        return chosen, [word, *paths]
    if not word.startswith("sbx_"):
        if not _has_sandbox(word, connection, here()):
            return chosen, [word, *paths]
        if _was_changed(word, connection):
            message = f"cannot tell which '{word}' is meant: a sandbox and a changed path"
            raise UserError(Code.REQUEST_INVALID, message, f"write --sandbox {word}, or ./{word}")
    return changes_of(None, word), paths


def _has_sandbox(word: str, connection: Connection, here: str) -> bool:
    try:
        found = connection.call(Call("get_sandbox", {"sandbox_id": word}))
    except RemoteError as error:
        if error.code is not Code.SANDBOX_NOT_FOUND:
            raise
        return False
    return found.text("workspace") == here


def _was_changed(word: str, connection: Connection) -> bool:
    try:
        found = connection.call(Call("get_changes", changes_of(None, None)))
    except RemoteError as error:
        if error.code is not Code.EXECUTION_NOT_FOUND:
            raise
        return False
    paths = [each.text("path") for name in ("changes", "skipped") for each in found.items(name)]
    return any(path == word or path.startswith(f"{word}/") for path in paths)
