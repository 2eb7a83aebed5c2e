"""`cleanroom policy reload`: sandboxes that live are held to what the policy no longer permits.

In: the workspace's policy text, names of sandboxes. Out: what became of each; 1 if one stays as it
was. Never: a sandbox that is given more; that is a new one's.
"""

import argparse

from cleanroom.cli.approval import change_lines
from cleanroom.cli.parser import Parser
from cleanroom.cli.render import plain
from cleanroom.cli.shell import Shell, add_daemon_flags
from cleanroom.client.calls import Call
from cleanroom.client.reply import Reply


def reload_parser() -> Parser:
    """Return the parser of `policy reload`."""
    parser = Parser(
        "policy reload",
        "Hold living sandboxes to a policy that permits less by now; cut what it forbids.",
        "cleanroom policy reload dev",
    )
    parser.operand("SANDBOX", "ids or names; without one, all of this workspace", "*")
    parser.value("-C", "DIR", "the folder whose repository is meant")
    parser.switch("--json", "one JSON object on stdout")
    add_daemon_flags(parser)
    return parser


def reload(options: argparse.Namespace, shell: Shell) -> int:
    """Say for each what holds now, what only the next one has, and why one stays as it was."""
    workspace = shell.workspace(options.C)
    body: dict[str, object] = {
        "workspace": workspace.root,
        "policy": shell.policy(workspace, options),
        "sandboxes": options.sandbox,
    }
    with shell.connect(options) as connection:
        report = connection.call(Call("reload_policy", body=body))
    found = report.items("sandboxes")
    status = 1 if any(each.text("outcome") == "refused" for each in found) else 0
    if options.json:
        shell.screen.json(report.fields)
        return status
    for each in found:
        _show(each, shell)
    if not found:
        shell.screen.say("no sandbox of this workspace lives; the next one has the policy of then")
    return status


def _show(sandbox: Reply, shell: Shell) -> None:
    is_named = bool(sandbox.text("name", ""))
    word = sandbox.text("name" if is_named else "id")
    outcome = sandbox.text("outcome")
    why = f": {plain(sandbox.text('reason'))}" if outcome == "refused" else ""
    shell.screen.out(f"{word} {outcome}{why}")
    for line in change_lines(sandbox):
        shell.screen.out(plain(line))
    for text in sandbox.texts("later"):
        shell.screen.out(f"for the next sandbox only: {plain(text)}")
    if outcome == "refused":
        anew = f"exec --sandbox {word} --recreate -- COMMAND" if is_named else f"stop {word}"
        shell.screen.say(f"next: a new sandbox has the whole policy: cleanroom {anew}")
