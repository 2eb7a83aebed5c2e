"""Asking a person whether a policy that reaches more may run: `policy approve`, and `exec`.

In: the policy text that is to run. Out: what it reaches beyond what was approved here, shown, then
the daemon's record of a yes. Never: a question without a terminal or under --no-input, or a yes to
another text than the one that was shown.
"""

import os
import sys
from typing import Final

from cleanroom.cli.parser import Options, Parser
from cleanroom.cli.render import plain
from cleanroom.cli.secrets import Values, values_given
from cleanroom.cli.shell import Shell, add_daemon_flags
from cleanroom.client.blocking import Connection
from cleanroom.client.calls import Call, RemoteError
from cleanroom.client.interrupts import breakable
from cleanroom.client.reply import Reply
from cleanroom.errors import Code, Refused

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
    parser.switch("-y --yes", "agree without being asked")
    parser.value("--hash", "SHA256", "agree if this is the policy's hash, and to nothing else")
    parser.switch("--no-input", "never ask; what would be asked fails")
    parser.switch("--json", "one JSON object on stdout")
    add_daemon_flags(parser)
    return parser


def approve(options: Options, shell: Shell) -> int:
    """Show the difference, ask where somebody has to agree, and record what was shown."""
    workspace = shell.workspace(options.C)
    body: dict[str, object] = {
        "workspace": workspace.root,
        "policy": shell.policy(workspace, options),
    }
    with shell.connect(options) as connection:
        approval = connection.call(Call("approve_policy", body={**body, "check": True}))
        if not options.json:
            for line in approval_lines(approval):
                shell.screen.out(plain(line))  # a folder's name may have anything in it
        is_agreed = not options.check and _agree(approval, options, shell)
        if is_agreed:
            connection.renew()  # people take their time
            body["policy_hash"] = options.hash or approval.text("policy_hash")
            approval = connection.call(Call("approve_policy", body=body))
    if options.json:
        shell.screen.json(approval.fields)
    else:
        done = "approved" if approval.flag("approved") else "not approved"
        shell.screen.out(f"{done}: {approval.text('policy_hash')}")
    if options.check:
        return 1 if approval.flag("needed") else 0
    return 0 if is_agreed else 1


def _agree(approval: Reply, options: Options, shell: Shell) -> bool:
    """Return whether somebody agrees. Raises Refused where nobody is there who could."""
    if options.yes or options.hash or not (approval.flag("needed") or approval.texts("secrets")):
        return True
    if not is_somebody_there(options, shell):
        message = "cannot approve: nobody is here who could agree to it"
        hint = "look at it; then: cleanroom policy approve --yes"
        raise Refused(Code.APPROVAL_REQUIRED, message, hint)
    return _says_yes(shell)


def approval_lines(approval: Reply) -> list[str]:
    """Return what a person reads before they agree."""
    lines = [_reason(approval)] if approval.flag("needed") else []
    lines += [f"reaches {line}" for line in approval.texts("reach")]
    lines += [f"not approved yet: {line}" for line in approval.texts("secrets")]
    return lines + change_lines(approval)


def _reason(approval: Reply) -> str:
    """Return why it is needed, without the differences, which have lines of their own."""
    wider = [
        each.text("text") for each in approval.items("changes") if each.text("effect") == "wider"
    ]
    rest = f" and {len(wider) - 1} more" if len(wider) > 1 else ""
    return approval.text("reason").removesuffix(f": {wider[0]}{rest}" if wider else "")


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
    """Tell whether a run may ask the person."""
    return not (options.quiet or approved_policy(shell)) and is_somebody_there(options, shell)


def is_somebody_there(options: Options, shell: Shell) -> bool:
    """Tell whether a person sits there to answer."""
    in_ci = shell.environ.get("CI", "").lower() not in _NO
    return not (options.no_input or options.json or in_ci) and os.isatty(0) and os.isatty(2)


def _asked(connection: Connection, request: dict[str, object], shell: Shell) -> bool:
    body = {"workspace": request["workspace"], "policy": request["policy"]}
    seen = connection.call(Call("approve_policy", body={**body, "check": True}))
    for line in approval_lines(seen):
        shell.screen.warn(f"cleanroom: {line}")
    if not _says_yes(shell):
        return False
    connection.renew()  # people take their time
    agreed = {**body, "policy_hash": seen.text("policy_hash")}
    connection.call(Call("approve_policy", body=agreed))
    return True


def _says_yes(shell: Shell) -> bool:
    with breakable():
        shell.screen.say("cleanroom: approve this policy for this folder? [y/N]")
        return sys.stdin.readline().strip().lower() in ("y", "yes")
