"""Asking a person whether a policy that reaches more may run: `policy approve`, and `exec`.

In: the policy text that is to run. Out: what it reaches beyond what was approved here, shown, then
the daemon's record of a yes. Never: a question without a terminal or under --no-input, or a yes to
another text than the one that was shown.
"""

import os
import sys
from typing import Final

from cleanroom.cli.parser import Options, Parser
from cleanroom.cli.secrets import Values, values_given
from cleanroom.cli.shell import Shell, add_daemon_flags
from cleanroom.client.blocking import Connection
from cleanroom.client.calls import Call, RemoteError
from cleanroom.client.reply import Reply
from cleanroom.errors import Code

VARIABLE: Final = "CLEANROOM_APPROVED_POLICY"
_NO: Final = ("", "0", "false", "no", "off")


def approve_parser() -> Parser:
    """Return the parser of `policy approve`."""
    parser = Parser(
        "policy approve",
        "Show what the policy reaches beyond what was approved here, and approve it.",
        "cleanroom policy approve --check",
    )
    parser.value("-C", "DIR", "the folder whose repository is meant")
    parser.switch("--check", "only show it; exit 1 if a run would have to be approved")
    parser.value("--hash", "SHA256", "approve only if this is the policy's hash")
    parser.switch("--json", "one JSON object on stdout")
    add_daemon_flags(parser)
    return parser


def approve(options: Options, shell: Shell) -> int:
    """Show the difference and record it as approved."""
    workspace = shell.workspace(options.C)
    body: dict[str, object] = {
        "workspace": workspace.root,
        "policy": shell.policy(workspace, options),
        "check": options.check,
        "policy_hash": options.hash or "",
    }
    with shell.connect(options) as connection:
        approval = connection.call(Call("approve_policy", body=body))
    status = 1 if options.check and approval.flag("needed") else 0
    if options.json:
        shell.screen.json(approval.fields)
        return status
    for line in approval_lines(approval):
        shell.screen.out(line)
    done = "approved" if approval.flag("approved") else "not approved"
    shell.screen.out(f"{done}: {approval.text('policy_hash')}")
    return status


def approval_lines(approval: Reply) -> list[str]:
    """Return what a person reads before they agree."""
    lines = [approval.text("reason")] if approval.flag("needed") else []
    lines += [f"reaches {line}" for line in approval.texts("reach")]
    lines += [f"not approved yet: {line}" for line in approval.texts("secrets")]
    return lines + change_lines(approval)


def change_lines(reply: Reply) -> list[str]:
    """Return changes as lines: `+` permits more, `-` less."""
    signs = {"wider": "+", "narrower": "-"}
    return [f"{signs[each.text('effect')]} {each.text('text')}" for each in reply.items("changes")]


def next_step(connection: Connection, options: Options, shell: Shell) -> str:
    """Return the command after the policy was written: `exec`, or first the approval of it."""
    workspace = shell.workspace(options.C)
    policy = shell.policy(workspace, options)
    body = {"workspace": workspace.root, "policy": policy, "check": True}
    needed = connection.call(Call("approve_policy", body=body)).flag("needed")
    return "cleanroom policy approve" if needed else "cleanroom exec -- COMMAND"


def approved_policy(shell: Shell) -> str:
    """Return the hash that the environment names as the only one that may run, "" for none."""
    return shell.environ.get(VARIABLE, "")


def create_run(
    connection: Connection, request: dict[str, object], options: Options, shell: Shell
) -> Reply:
    """Start the run; where something has to be approved and somebody is there, ask them first."""
    with Values(shell, values_given(options, shell)) as values:
        try:
            return connection.call(Call("create_run", body=values.add_to(connection, request)))
        except RemoteError as error:
            if error.code is not Code.APPROVAL_REQUIRED or not may_ask(options, shell):
                raise
            if not _asked(connection, request, shell):
                raise
        return connection.call(Call("create_run", body=values.add_to(connection, request)))


def may_ask(options: Options, shell: Shell) -> bool:
    """Tell whether a person sits there to answer."""
    in_ci = shell.environ.get("CI", "").lower() not in _NO
    silent = options.no_input or options.json or options.quiet or in_ci or approved_policy(shell)
    return not silent and os.isatty(0) and os.isatty(2)


def _asked(connection: Connection, request: dict[str, object], shell: Shell) -> bool:
    body = {"workspace": request["workspace"], "policy": request["policy"]}
    seen = connection.call(Call("approve_policy", body={**body, "check": True}))
    for line in approval_lines(seen):
        shell.screen.warn(f"cleanroom: {line}")
    shell.screen.say("cleanroom: approve this policy for this folder? [y/N]")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        return False
    connection.renew()  # people take their time
    agreed = {**body, "policy_hash": seen.text("policy_hash")}
    connection.call(Call("approve_policy", body=agreed))
    return True
