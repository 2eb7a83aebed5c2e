"""How long sandboxes live: `sandboxes stop`, `extend`, `rm`, `prune`.

In: an id or a name, a time. Out: what became of it. Never: a running sandbox removed unasked.
"""

import argparse
from collections.abc import Callable, Sequence

from cleanroom.cli.parser import Parser, seconds
from cleanroom.cli.shell import Shell, add_daemon_flags, pages
from cleanroom.client.calls import Call, RemoteError
from cleanroom.client.reply import Reply
from cleanroom.errors import Code, UsageError


def sandbox_parser(name: str, summary: str, example: str) -> Parser:
    """Return the beginning of a parser of `sandboxes`."""
    parser = Parser(f"sandboxes {name}", summary, example)
    parser.switch("--json", "JSON on stdout")
    add_daemon_flags(parser)
    return parser


def one_parser(name: str, summary: str, more: str = "") -> Parser:
    """Return a parser of `sandboxes` that names one; `more` is the rest of its example."""
    parser = sandbox_parser(name, summary, f"cleanroom sandboxes {name} dev{more}")
    parser.operand("SANDBOX", "its id or name")
    return parser


def extend_parser() -> Parser:
    """Return the parser of `sandboxes extend`."""
    parser = one_parser("extend", "Let a sandbox live for this long from now on.", " --ttl 2h")
    parser.value("--ttl", "TIME", "90s, 10m, 2h; counted from now")
    return parser


def rm_parser() -> Parser:
    """Return the parser of `sandboxes rm`."""
    summary = "Forget sandboxes that have ended: changes, commands, output."
    parser = sandbox_parser("rm", summary, "cleanroom sandboxes rm dev")
    parser.operand("SANDBOX", "their ids or names", "*")
    parser.switch("-f --force", "end it first if it has not")
    return parser


def prune_parser() -> Parser:
    """Return the parser of `sandboxes prune`."""
    parser = sandbox_parser(
        "prune",
        "Forget all sandboxes that have ended.",
        "cleanroom sandboxes prune --older-than 24h",
    )
    parser.value("--older-than", "TIME", "only those that ended this long ago: 10m, 24h")
    return parser


def stop_parser() -> Parser:
    """Return the parser of `sandboxes stop`."""
    parser = sandbox_parser(
        "stop", "End sandboxes and all their processes.", "cleanroom sandboxes stop dev"
    )
    parser.operand("SANDBOX", "their ids or names", "*")
    parser.switch("-a --all", "every one that lives")
    return parser


def stop(options: argparse.Namespace, shell: Shell) -> int:
    """End them. One that cannot be found is said, and keeps none of the others."""
    if bool(options.sandbox) == options.all:
        message = "cannot stop a sandbox: which one?"
        hint = "name some, or all: cleanroom stop --all"
        raise UsageError(Code.REQUEST_INVALID, message, hint)
    with shell.connect(options) as connection:
        words = options.sandbox
        if options.all:
            living = pages(connection, Call("list_sandboxes"), "sandboxes")
            words = [sandbox.text("id") for sandbox in living]
            if not words:
                shell.screen.say("no sandbox lives")

        def stop_one(word: str) -> None:
            sandbox = connection.call(Call("stop_sandbox", {"sandbox_id": word}))
            _say(sandbox, sandbox.text("state"), options, shell)

        return _each(words, stop_one, shell)


def extend(options: argparse.Namespace, shell: Shell) -> int:
    """Count its time anew."""
    if options.ttl is None:
        message = "cannot extend the sandbox: for how long?"
        raise UsageError(Code.REQUEST_INVALID, message, "add --ttl 2h")
    body = {"ttl_s": seconds(options.ttl, most_h=720)}
    call = Call("extend_sandbox", {"sandbox_id": options.sandbox}, body=body)
    with shell.connect(options) as connection:
        sandbox = connection.call(call)
    return _say(sandbox, f"until {sandbox.text('expires_at')}", options, shell)


def rm(options: argparse.Namespace, shell: Shell) -> int:
    """Forget them. One that cannot be is said, and keeps none of the others."""
    if not options.sandbox:
        message = "cannot remove a sandbox: which one?"
        raise UsageError(Code.REQUEST_INVALID, message, "see them: cleanroom sandboxes list --all")
    query = {"force": "true"} if options.force else {}
    with shell.connect(options) as connection:

        def remove_one(word: str) -> None:
            sandbox = connection.call(Call("remove_sandbox", {"sandbox_id": word}, query))
            _say(sandbox, "removed", options, shell)

        return _each(options.sandbox, remove_one, shell)


def _each(words: Sequence[str], do: Callable[[str], None], shell: Shell) -> int:
    """Do it for each of them, once. Raises the last RemoteError; those before it are said."""
    failed: RemoteError | None = None
    for word in dict.fromkeys(words):
        try:
            do(word)
        except RemoteError as error:
            if failed is not None:
                shell.screen.warn(f"cleanroom: {failed.message}")
            failed = error
    if failed is not None:
        raise failed
    return 0


def prune(options: argparse.Namespace, shell: Shell) -> int:
    """Forget all that ended, or ended long enough ago; one id a line."""
    older = {"older_than_s": seconds(options.older_than)} if options.older_than else {}
    with shell.connect(options) as connection:
        report = connection.call(Call("prune_sandboxes", body=older))
    if options.json:
        shell.screen.json(report.fields)
        return 0
    for identifier in report.texts("removed"):
        shell.screen.out(f"{identifier} removed")
    return 0


def _say(sandbox: Reply, what: str, options: argparse.Namespace, shell: Shell) -> int:
    if options.json:
        shell.screen.json(sandbox.fields)
    else:
        shell.screen.out(f"{sandbox.text('id')} {what}")
    return 0
