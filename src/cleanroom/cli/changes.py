"""Which changes `diff` and `apply` mean: of a run, by default the last one here, or of a sandbox.

In: flags and words. Out: the id that the API takes, and paths. Never: two at once, a word taken
for a sandbox that may as well be a path, or another workspace's run that nobody named.
"""

import argparse

from cleanroom.cli.parser import Parser, is_sandbox_name
from cleanroom.cli.shell import Shell
from cleanroom.client.blocking import Connection
from cleanroom.client.calls import Call, RemoteError
from cleanroom.errors import Code, UsageError, UserError


def add_changes_flags(parser: Parser) -> None:
    """Add the words and flags that say whose changes are meant."""
    parser.operand("SANDBOX", "its id or name, instead of a run", "?")
    parser.value("--sandbox", "NAME", "the same as a flag", dest="named")
    parser.value("--run-id", "ID", "the run; by default the last one of this workspace")
    parser.value("-C", "DIR", "the folder whose workspace is meant")


def of_one(options: argparse.Namespace, connection: Connection, shell: Shell) -> dict[str, str]:
    """Return the path values of the endpoints where the word can only be a sandbox."""
    if options.sandbox and options.named:
        message = "cannot show the changes of two sandboxes at once"
        raise UsageError(Code.REQUEST_INVALID, message, "leave one of them out")
    sandbox = options.sandbox or options.named
    return _of_sandbox(sandbox, options) if sandbox else _of_run(options, connection, shell)


def of_one_or_path(
    options: argparse.Namespace, connection: Connection, shell: Shell
) -> tuple[dict[str, str], list[str]]:
    """Return them, and the paths, where the first word may be a path too.

    It is a sandbox if none is named otherwise and this workspace has one of that name. Raises
    UserError if the last run changed something of that name.
    """
    word, paths = options.sandbox, options.paths
    if options.named:
        return _of_sandbox(options.named, options), [word, *paths] if word else paths
    if word is None or options.run_id or not is_sandbox_name(word):
        return _of_run(options, connection, shell), [word, *paths] if word else paths
    if not word.startswith("sbx_"):
        if not _has_sandbox(word, connection, shell.workspace(options.C).root):
            return _of_run(options, connection, shell), [word, *paths]
        if _was_changed(word, connection, shell.workspace(options.C).root):
            message = f"cannot tell which '{word}' is meant: a sandbox and a changed path"
            raise UserError(Code.REQUEST_INVALID, message, f"write --sandbox {word}, or ./{word}")
    return _of_sandbox(word, options), paths


def _of_sandbox(sandbox: str, options: argparse.Namespace) -> dict[str, str]:
    if options.run_id:
        message = "cannot show the changes of a run and of a sandbox at once"
        raise UsageError(Code.REQUEST_INVALID, message, "leave one of them out")
    return {"run_id": f"sandbox:{sandbox}"}


def _of_run(options: argparse.Namespace, connection: Connection, shell: Shell) -> dict[str, str]:
    run = options.run_id or _last_run(connection, shell.workspace(options.C).root)
    if run is None:
        message = "cannot find a run of this workspace: there is none"
        hint = "cleanroom exec -- COMMAND, or name the run: --run-id ID"
        raise UserError(Code.EXECUTION_NOT_FOUND, message, hint)
    return {"run_id": run}


def _last_run(connection: Connection, workspace: str) -> str | None:
    query = {"workspace": workspace, "limit": "1"}
    runs = connection.call(Call("list_runs", query=query)).items("runs")
    return runs[0].text("id") if runs else None


def _has_sandbox(word: str, connection: Connection, here: str) -> bool:
    try:
        found = connection.call(Call("get_sandbox", {"sandbox_id": word}))
    except RemoteError as error:
        if error.code is not Code.SANDBOX_NOT_FOUND:
            raise
        return False
    return found.text("workspace") == here


def _was_changed(word: str, connection: Connection, here: str) -> bool:
    run = _last_run(connection, here)
    if run is None:
        return False
    found = connection.call(Call("get_changes", {"run_id": run}))
    paths = [each.text("path") for name in ("changes", "skipped") for each in found.items(name)]
    return any(path == word or path.startswith(f"{word}/") for path in paths)
