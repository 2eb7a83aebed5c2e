"""`cleanroom policy`: what cleanroom.yaml means, before anything runs.

In: the workspace's policy text. Out: the daemon's plan, verdict or suggestion; 1 if the answer is
no. Never: a policy read or judged here.
"""

import argparse
from typing import Final

from cleanroom.cli.agent import policy_for
from cleanroom.cli.approval import approve, approve_parser, next_step
from cleanroom.cli.cmd_schema import run_schema
from cleanroom.cli.cmd_schema import schema_parser as schema
from cleanroom.cli.exec_output import counted
from cleanroom.cli.group import Sub, run_group
from cleanroom.cli.parser import Parser
from cleanroom.cli.policy_diff import diff, diff_parser
from cleanroom.cli.policy_file import changed_lines, write_policy
from cleanroom.cli.policy_reload import reload, reload_parser
from cleanroom.cli.render import plain
from cleanroom.cli.secrets import add_agent_flag
from cleanroom.cli.shell import Shell, add_daemon_flags
from cleanroom.client.calls import Call, RemoteError
from cleanroom.client.reply import Reply
from cleanroom.client.workspace import POLICY_PATHS, Workspace
from cleanroom.errors import Code, UsageError


def _parser(name: str, summary: str, example: str) -> Parser:
    parser = Parser(f"policy {name}", summary, example)
    parser.value("-C", "DIR", "the folder whose repository is meant")
    parser.switch("--json", "one JSON object on stdout")
    add_daemon_flags(parser)
    return parser


def validate_parser() -> Parser:
    """Return the parser of `policy validate`."""
    parser = _parser(
        "validate",
        "Check cleanroom.yaml and show the plan that is enforced.",
        "cleanroom policy validate --json",
    )
    parser.value("--backend", "NAME", "the backend whose capabilities count")
    return parser


def explain_parser() -> Parser:
    """Return the parser of `policy explain`."""
    parser = _parser(
        "explain", "Say in sentences what the policy allows.", "cleanroom policy explain"
    )
    add_agent_flag(parser)
    return parser


def check_parser() -> Parser:
    """Return the parser of `policy check`."""
    parser = _parser(
        "check",
        "Say whether a connection would be allowed, and by which line; exit 0 or 1.",
        "cleanroom policy check registry.example:443",
    )
    parser.operand("HOST:PORT", "the target; an IPv6 address in brackets")
    return parser


# A rule for a registry's host lets any package of it in.
_NO_FILE: Final = (
    "there is no policy here yet: for packages, `cleanroom init` writes one that holds them to"
    " your lock files"
)


def suggest_parser() -> Parser:
    """Return the parser of `policy suggest`."""
    parser = _parser(
        "suggest",
        "Show the smallest rules for what a run was refused.",
        "cleanroom policy suggest --write",
    )
    parser.value("--run-id", "ID", "the run; by default the last one of this workspace")
    parser.switch("--write", "add them to the policy file, comments kept")
    return parser


def validate(options: argparse.Namespace, shell: Shell) -> int:
    """Show the effective plan; 1 if the policy is invalid or could not run."""
    workspace = shell.workspace(options.C)
    try:
        body: dict[str, object] = {"policy": shell.policy(workspace, options)}
        if options.backend:
            body["backend"] = options.backend
        with shell.connect(options) as connection:
            report = connection.call(Call("validate_policy", body=body))
    except RemoteError as error:
        if options.json and error.placed:
            errors = [placed._asdict() for placed in error.placed]
            shell.screen.json({"valid": False, "code": error.code, "errors": errors})
            return 1
        raise
    if options.json:
        shell.screen.json({"valid": True, **report.fields})
    else:
        _show_plan(report, shell)
    return 0 if report.flag("runnable") else 1


def _show_plan(report: Reply, shell: Shell) -> None:
    out = shell.screen.out
    out(f"{report.text('path') or 'no policy'}: valid, {report.text('policy_hash')}")
    for word in ("allow", "deny"):
        for rule in report.items(word):
            line = rule.maybe_number("line")
            out(f"  {word} {rule.text('rule')}" + (f"  (line {line})" if line else ""))
    out(f"  {report.text('default_action')} everything else")
    for registry in report.items("registries"):
        out(f"  registry {registry.text('manager')}: {_registry(registry)}")
    for secret in report.items("secrets"):
        out(f"  secret {secret.text('id')} for {', '.join(secret.texts('allowed_hosts'))}")
    out(f"  needs {', '.join(report.texts('required_capabilities'))}")
    for missing in report.items("missing_capabilities"):
        shell.screen.warn(
            f"cannot run on {report.text('backend')}: {missing.text('capability')} is missing,"
            f" needed by {missing.text('needed_by')}: {missing.text('reason')}"
        )
    for note in report.texts("notes"):
        shell.screen.say(f"note: {note}")


def _registry(registry: Reply) -> str:
    if not registry.flag("enabled"):
        return "not enabled"
    mode = registry.text("lockfile_mode", "off")
    if mode == "off":
        return "enabled, lock files not enforced"
    loose = registry.maybe_number("first_seen") or 0
    pinned = (registry.maybe_number("pinned") or 0) + loose
    some = f", {loose} of them by name and version only" if loose else ""
    return f"enabled, {mode}, {counted(pinned, 'artifact')} pinned{some}"


def explain(options: argparse.Namespace, shell: Shell) -> int:
    """Show the policy in sentences."""
    workspace = shell.workspace(options.C)
    policy = policy_for(options, shell, shell.policy(workspace, options), {})
    call = Call("explain_policy", body={"policy": policy})
    with shell.connect(options) as connection:
        explanation = connection.call(call)
    if options.json:
        shell.screen.json(explanation.fields)
        return 0
    for line in explanation.texts("lines"):
        shell.screen.out(line)
    for note in explanation.texts("notes"):
        shell.screen.out(f"note: {plain(note)}")
    return 0


def check(options: argparse.Namespace, shell: Shell) -> int:
    """Show the verdict on one target."""
    host, port = target(options.host_port)
    workspace = shell.workspace(options.C)
    body = {"policy": shell.policy(workspace, options), "host": host, "port": port}
    with shell.connect(options) as connection:
        verdict = connection.call(Call("check_policy", body=body))
    allowed = verdict.flag("allowed")
    if options.json:
        shell.screen.json(verdict.fields)
        return 0 if allowed else 1
    where = f"{verdict.text('host')}:{verdict.number('port')}"
    if allowed:
        line = verdict.maybe_number("line")
        place = f" ({workspace.policy.path}:{line})" if line else ""
        registry = verdict.text("registry", "")
        by = f"for {registry}" if registry else f"by {verdict.text('rule')}"
        shell.screen.out(f"allowed: {where} {by}{place}")
    else:
        shell.screen.out(f"denied: {where}: {verdict.text('reason')} ({verdict.text('code')})")
    return 0 if allowed else 1


def target(text: str) -> tuple[str, int]:
    """Split HOST:PORT or [V6]:PORT. Raises UsageError."""
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    good = colon and host and (bracketed or ":" not in host)
    if not good or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        message = f"cannot read {text!r} as a target"
        is_name = text.isascii() and text.replace(".", "").replace("-", "").isalnum()
        hint = f"write {text}:443" if is_name else "write HOST:PORT or [ADDRESS]:PORT"
        raise UsageError(Code.REQUEST_INVALID, message, hint)
    return host.strip("[]"), int(port)


def suggest(options: argparse.Namespace, shell: Shell) -> int:
    """Show, or write, the rules that would have let a run through."""
    workspace = shell.workspace(options.C)
    body: dict[str, object] = {
        "policy": shell.policy(workspace, options),
        "workspace": workspace.root,
    }
    if options.run_id:
        body["run_id"] = options.run_id
    with shell.connect(options) as connection:
        suggestion = connection.call(Call("suggest_policy", body=body))
        changed = suggestion.flag("changed")
        step = "cleanroom policy suggest --write"
        if options.write and changed:
            write_policy(workspace, suggestion.text("text"))
            step = "" if options.json else next_step(connection, options, shell)
    if options.json:
        shell.screen.json({**suggestion.fields, "written": options.write and changed})
        return 0
    _show_suggestion(suggestion, workspace, shell)
    if changed and workspace.policy.text is None and not options.write:
        shell.screen.say(f"note: {_NO_FILE}")
    if changed:
        shell.screen.say(f"next: {step}")
    return 0


def _show_suggestion(suggestion: Reply, workspace: Workspace, shell: Shell) -> None:
    for note in suggestion.texts("notes"):
        shell.screen.say(f"note: {note}")
    if not suggestion.flag("changed"):
        shell.screen.say(f"run {suggestion.text('run_id')}: there is nothing to add to the policy")
        return
    path = workspace.policy.path or POLICY_PATHS[0]
    shell.screen.raw(changed_lines(path, workspace.policy.text or "", suggestion.text("text")))


SUBS = {
    "validate": Sub(validate_parser, validate),
    "explain": Sub(explain_parser, explain),
    "check": Sub(check_parser, check),
    "suggest": Sub(suggest_parser, suggest),
    "diff": Sub(diff_parser, diff),
    "approve": Sub(approve_parser, approve),
    "reload": Sub(reload_parser, reload),
    "schema": Sub(lambda: schema("policy schema"), run_schema),
}


def parsers() -> tuple[Parser, ...]:
    """Return the parsers of all subcommands."""
    return tuple(sub.parser() for sub in SUBS.values())


def run(words: list[str], shell: Shell) -> int:
    """Run one of them."""
    return run_group("policy", SUBS, words, shell)
