"""`cleanroom sandboxes`: made, listed, shown, watched; ended and forgotten in lifetime.py.

In: an id or a name. Out: tables, or JSON. Never: a guess which sandbox was meant.
"""

import argparse
import re

from cleanroom.cli.approval import approved_policy
from cleanroom.cli.cmd_port import port_request
from cleanroom.cli.folders import add_folder_flags, folder_options
from cleanroom.cli.group import Sub, run_group
from cleanroom.cli.inside_files import files, files_parser
from cleanroom.cli.lifetime import (
    extend,
    extend_parser,
    one_parser,
    prune,
    prune_parser,
    rm,
    rm_parser,
    sandbox_parser,
    stop,
    stop_parser,
)
from cleanroom.cli.lines import age, event_text
from cleanroom.cli.parser import Parser, sandbox_name, seconds
from cleanroom.cli.render import plain
from cleanroom.cli.secrets import Values, add_secret_flag, secret_options
from cleanroom.cli.shell import Shell, pages
from cleanroom.client.calls import Call
from cleanroom.client.facts import client_facts
from cleanroom.client.reply import Reply
from cleanroom.client.sources import given_secrets
from cleanroom.errors import Code, UsageError


def list_parser() -> Parser:
    """Return the parser of `sandboxes list`."""
    parser = sandbox_parser(
        "list", "List sandboxes, newest first.", "cleanroom sandboxes list --all"
    )
    parser.switch("-a --all", "ended ones too")
    parser.values("--filter", "FIELD=VALUE", "only where a field has this value: state=ready")
    parser.value("--format", "TEXT", "one line each, with {id}, {name}, {state}, any field")
    return parser


def create_parser() -> Parser:
    """Return the parser of `sandboxes create`."""
    parser = sandbox_parser(
        "create", "Make a sandbox that stays, and print its id.", "cleanroom sandboxes create dev"
    )
    parser.operand("NAME", "its name", "?")
    parser.value("-C", "DIR", "the folder to make it for: its repository, its policy")
    parser.value("--backend", "NAME", "where to make it, if the policy allows overrides")
    parser.value("--isolation", "LEVEL", "at least this: namespaces, gvisor, vm")
    add_folder_flags(parser)
    parser.switch("--offline", "ask nothing outside: packages come from the content cache alone")
    parser.values("--publish", "PORT[:HERE]", "reach a port inside at 127.0.0.1:HERE")
    parser.value("--idle", "TIME", "end it when nothing ran in it for so long: 10m")
    add_secret_flag(parser)
    return parser


def events_parser() -> Parser:
    """Return the parser of `sandboxes events`."""
    parser = one_parser("events", "Show what happened to a sandbox.")
    parser.switch("-f --follow", "go on until the sandbox ends")
    return parser


def create(options: argparse.Namespace, shell: Shell) -> int:
    """Make one under the policy of the folder."""
    workspace = shell.workspace(options.C)
    given = given_secrets(options.secret)
    wanted: dict[str, object] = {
        "sandbox": sandbox_name(options.name),
        "publish": [port_request(each) for each in options.publish],
        "idle_s": seconds(options.idle) if options.idle else None,
        "backend": options.backend,
        "isolation": options.isolation,
        "offline": options.offline,
        "approved_policy": approved_policy(shell),
        **folder_options(options),
        "secrets": secret_options(given),
    }
    body: dict[str, object] = {
        "workspace": workspace.root,
        "policy": shell.policy(workspace, options),
        "options": {name: value for name, value in wanted.items() if value},
        "facts": client_facts(shell.environ, shell.home),
    }
    with shell.connect(options) as connection, Values(shell, given) as values:
        sandbox = connection.call(Call("create_sandbox", body=values.add_to(connection, body)))
    if options.json:
        shell.screen.json(sandbox.fields)
    else:
        shell.screen.out(sandbox.text("id"))
    return 0


def _passes(sandbox: Reply, filters: list[str]) -> bool:
    """Tell whether every FIELD=VALUE holds. Raises UsageError for an unknown field."""
    for each in filters:
        name, is_there, value = each.partition("=")
        if not is_there or name not in sandbox.fields:
            raise _unknown_field(name, sandbox)
        if str(sandbox.fields[name]) != value:
            return False
    return True


def _formatted(text: str, sandbox: Reply) -> str:
    """Return the text with `{field}` replaced. Raises UsageError for an unknown field."""

    def value(found: re.Match[str]) -> str:
        if found[1] not in sandbox.fields:
            raise _unknown_field(found[1], sandbox)
        shown = sandbox.fields[found[1]]
        return "-" if shown is None else str(shown)

    return re.sub(r"\{(\w+)\}", value, text)


def _unknown_field(name: str, sandbox: Reply) -> UsageError:
    message = f"cannot find the field {name!r} of a sandbox"
    return UsageError(Code.REQUEST_INVALID, message, f"one of: {', '.join(sandbox.fields)}")


def list_all(options: argparse.Namespace, shell: Shell) -> int:
    """Show one row a sandbox."""
    query = {"all": "true"} if options.all else {}
    with shell.connect(options) as connection:
        every = pages(connection, Call("list_sandboxes", query=query), "sandboxes")
    found = [sandbox for sandbox in every if _passes(sandbox, options.filter)]
    if options.json:
        shell.screen.json({"sandboxes": [sandbox.fields for sandbox in found]})
        return 0
    if options.format is not None:
        for sandbox in found:
            shell.screen.out(plain(_formatted(options.format, sandbox)))
        return 0
    rows = [
        (
            sandbox.text("id"),
            sandbox.text("name", "-"),
            sandbox.text("state"),
            sandbox.text("backend"),
            age(sandbox.text("created_at"), shell.now_s()),
            sandbox.text("workspace"),
        )
        for sandbox in found
    ]
    shell.screen.table(("ID", "NAME", "STATE", "BACKEND", "AGE", "WORKSPACE"), rows)
    return 0


def inspect(options: argparse.Namespace, shell: Shell) -> int:
    """Show all that is known of one."""
    with shell.connect(options) as connection:
        sandbox = connection.call(Call("get_sandbox", {"sandbox_id": options.sandbox}))
    shell.fields(sandbox, as_json=options.json)
    return 0


def sync_parser() -> Parser:
    """Return the parser of `sandboxes sync`."""
    parser = one_parser("sync", "Bring edits of the host into a sandbox.")
    parser.switch("-f --follow", "go on until the sandbox ends, for a watcher inside")
    return parser


def sync(options: argparse.Namespace, shell: Shell) -> int:
    """Show each edit that is brought inside; a conflict is 1."""
    query = {"follow": "true"} if options.follow else {}
    status = 0
    with shell.connect(options) as connection:
        for line in connection.lines(Call("sync_sandbox", {"sandbox_id": options.sandbox}, query)):
            if line.text("type") == "sync" and line.text("what") == "conflict":
                status = 1
            if options.json:
                shell.screen.json(line.fields)
            elif line.text("type") == "sync":
                reason = f": {line.text('reason')}" if line.text("reason", "") else ""
                shell.screen.out(f"{line.text('what')} {plain(line.text('path'))}{reason}")
    return status


def events(options: argparse.Namespace, shell: Shell) -> int:
    """Show events, one a line."""
    query = {"follow": "true"} if options.follow else {}
    call = Call("sandbox_events", {"sandbox_id": options.sandbox}, query)
    with shell.connect(options) as connection:
        for line in connection.lines(call):
            if options.json:
                shell.screen.json(line.fields)
            elif line.text("type") != "exit":
                shell.screen.out(plain(event_text(line)))
    return 0


SUBS = {
    "create": Sub(create_parser, create),
    "list": Sub(list_parser, list_all),
    "inspect": Sub(lambda: one_parser("inspect", "Show all that is known of one."), inspect),
    "stop": Sub(stop_parser, stop),
    "files": Sub(files_parser, files),
    "extend": Sub(extend_parser, extend),
    "rm": Sub(rm_parser, rm),
    "prune": Sub(prune_parser, prune),
    "sync": Sub(sync_parser, sync),
    "events": Sub(events_parser, events),
}


def parsers() -> tuple[Parser, ...]:
    """Return the parsers of all subcommands."""
    return tuple(sub.parser() for sub in SUBS.values())


def run(words: list[str], shell: Shell) -> int:
    """Run one of them; `terminate` is another word for `stop`."""
    words = ["stop", *words[1:]] if words[:1] == ["terminate"] else words
    return run_group("sandboxes", SUBS, words, shell)
