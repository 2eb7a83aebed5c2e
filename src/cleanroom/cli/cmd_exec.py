"""`cleanroom exec`: one command in a sandbox, its bytes untouched, its exit status ours.

In: flags and the workload's words. Out: the workload's output and status, else 124 or 125. Never:
a run started where the result file cannot be written, or a lost connection taken for success.
"""

# pathlib costs 3 ms of every exec:
# ruff: noqa: PTH110, PTH123

import json
import os
import sys
from contextlib import suppress
from typing import Final, NamedTuple, TextIO

from cleanroom.cli.approval import approved_policy, create_run
from cleanroom.cli.attached import (
    Streams,
    Way,
    add_terminal_flags,
    attach,
    exec_streams,
    how_back,
    plain_report,
    say_failure,
)
from cleanroom.cli.cmd_port import port_request
from cleanroom.cli.detached import refuse_waiting_flags, run_detached
from cleanroom.cli.environment import binding_for, given_environment, look_like_credentials
from cleanroom.cli.exec_output import JsonReport, Report, result_fields
from cleanroom.cli.exit_status import LEFT, NOT_RUN, UNREAD, error_status, exit_status
from cleanroom.cli.folders import add_folder_flags, folder_options
from cleanroom.cli.group import show_help
from cleanroom.cli.parser import Options, Parser, sandbox_name, seconds
from cleanroom.cli.render import SCHEMA_VERSION, plain
from cleanroom.cli.secrets import add_agent_flag, add_secret_flag, secret_options, values_given
from cleanroom.cli.shell import Shell, add_daemon_flags
from cleanroom.client.attach import Left
from cleanroom.client.calls import Call
from cleanroom.client.facts import client_facts
from cleanroom.client.interrupts import Interrupts
from cleanroom.client.reply import Reply
from cleanroom.errors import CleanroomError, Code, UsageError, UserError

# What a sandbox has to install tools for, which takes minutes the first time (docs/mise.md).
MISE_FILES: Final = (".mise.toml", ".mise/config.toml", "mise.toml")
# Flags that one screen of help only names; the order of all others is theirs below.
RARE: Final = frozenset(
    (
        *("--detach-keys", "--terminal-escapes", "--workdir", "--env-file", "--recreate"),
        "--reuse",
        *("--idle", "--keep-on-failure", "--backend", "--isolation", "--result-file", "--no-input"),
        *(
            "--publish",
            "--volume",
            "--workspace",
            "--mount",
            "--offline",
            "--fail-on-denied",
            "--host",
            "--no-autostart",
            "--quiet",
        ),
    )
)


def parsers() -> tuple[Parser, ...]:
    """Return the parser of `exec`."""
    parser = Parser(
        "exec",
        "Run a command in a sandbox. One word goes to the shell, several are an argv.",
        'cleanroom exec --timeout 10m -- "npm install && npm test"',
    )
    parser.switch("-i --interactive", "send it your input, a terminal's too")
    parser.switch("-t --tty", "give it a terminal: exec -it -- bash")
    add_terminal_flags(parser)
    parser.value("-C", "DIR", "the folder to run for: its repository, its policy")
    parser.value("-w --workdir", "DIR", "the working directory inside")
    parser.values("-e --env", "K[=V]", "set a variable; K alone takes your value")
    parser.values("--env-file", "FILE", "set variables from lines NAME=VALUE")
    add_secret_flag(parser)
    add_agent_flag(parser)
    parser.value("--timeout", "TIME", "end it after 90s, 10m, 1h (exit 124)")
    add_folder_flags(parser)
    _add_sandbox_flags(parser)
    parser.switch("-d --detach", "start it, print its sandbox and execution, and leave")
    parser.switch("--offline", "ask nothing outside: packages come from the content cache alone")
    parser.value("--backend", "NAME", "where to run, if the policy allows overrides")
    parser.value("--isolation", "LEVEL", "at least this: namespaces, gvisor, vm")
    _add_report_flags(parser)
    add_daemon_flags(parser)
    parser.rare |= RARE
    parser.operands.append(("[--] COMMAND…", "the command; flags end at its first word"))
    return (parser,)


def _add_report_flags(parser: Parser) -> None:
    """Add the flags that say what is told, and to whom."""
    parser.switch("--json", "one JSON object a line on stdout, instead of raw output")
    parser.value("--result-file", "FILE", "write the result as one JSON object")
    parser.switch("--fail-on-denied", "exit 1 if the command succeeded but something was denied")
    parser.switch("--dry-run", "show the plan, start nothing")
    parser.switch("--no-input", "never ask; a question fails and names its flag")
    parser.switch("-v --verbose", "also say ids, backend, policy and timings")


def _add_sandbox_flags(parser: Parser) -> None:
    """Add the flags that say which sandbox, and how long it stays."""
    parser.value("--sandbox", "NAME", "run in this sandbox, or create it under this name")
    parser.switch("--reuse", "run in this workspace's sandbox that was kept, if there is one")
    parser.switch("--recreate", "end the sandbox that --sandbox or --reuse means, make a new one")
    parser.switch("--keep", "keep the sandbox until its time to live ends")
    parser.values("--publish", "PORT[:HERE]", "reach a port inside at 127.0.0.1:HERE")
    parser.value("--idle", "TIME", "end a new one that stays when idle for so long")
    parser.switch("--keep-on-failure", "keep it if the command fails, to look inside")


def run(words: list[str], shell: Shell) -> int:
    """Run it. Anything unforeseen is 125, not python's 1, which would be the workload's word."""
    (parser,) = parsers()
    flags, command = parser.split(words)
    if "--help" in flags or "-h" in flags:
        show_help(parser, flags, shell)
        return 0
    options = parser.read(flags)
    if not command:
        message = "cannot run nothing: the command is missing"
        raise UsageError(Code.REQUEST_INVALID, message, parser.example)
    if options.recreate and not (options.sandbox or options.reuse):
        message = "cannot recreate a sandbox: none is named"
        raise UsageError(Code.REQUEST_INVALID, message, "add --sandbox NAME or --reuse")
    sys.excepthook = _crash
    if options.detach:
        refuse_waiting_flags(options)
    shell.screen.quiet = options.quiet
    shell.screen.escapes = shell.screen.escapes or options.terminal_escapes
    streams = exec_streams(options)
    request = run_request(options, command, shell, streams)
    if options.dry_run:
        return _show_plan(request, options, shell)
    if options.detach:
        return run_detached(request, options, shell)
    with _result_file(options.result_file) as result:
        return _run(request, Caller(options, shell, streams), result)


class Caller(NamedTuple):
    """Who runs it: the flags, the shell, the streams."""

    options: Options
    shell: Shell
    streams: Streams


def run_request(
    options: Options, command: list[str], shell: Shell, streams: Streams
) -> dict[str, object]:
    """Return RunRequest (api/types.py) for these flags."""
    workspace = shell.workspace(options.C)
    given = given_environment(options.env, options.env_file, shell.environ)
    for name in look_like_credentials(given):
        shell.screen.warn(
            f"cleanroom: {name} looks like a credential; everything inside can read it."
            f" Bind it instead (docs/secrets.md): {binding_for(name)}"
        )
    wanted: dict[str, object] = {
        "backend": options.backend,
        "isolation": options.isolation,
        "timeout_s": seconds(options.timeout) if options.timeout else None,
        "sandbox": sandbox_name(options.sandbox),
        "cwd": options.workdir,
        "environment": given,
        "secrets": secret_options(values_given(options, shell)),
        "keep": options.keep,
        "keep_on_failure": options.keep_on_failure,
        "idle_s": seconds(options.idle) if options.idle else None,
        "reuse": options.reuse,
        "recreate": options.recreate,
        "offline": options.offline,
        # Detached, a command whose input stays open waits for `executions attach`.
        "stdin": options.interactive if options.detach else streams.stdin is not None,
        "tty": options.tty,
        "detach": options.detach,
        "publish": [port_request(each) for each in options.publish],
        "approved_policy": approved_policy(shell),
        **folder_options(options),
    }
    if streams.terminal is not None:
        wanted["rows"], wanted["columns"] = streams.terminal.size
    policy = shell.policy(workspace, options)
    if options.agent:
        from cleanroom.cli.agent import add_agent  # noqa: PLC0415 -- only with agents

        policy = add_agent(options, shell, policy, wanted)
    return {
        "workspace": workspace.root,
        "subfolder": workspace.subfolder,
        "command": command,
        "policy": policy,
        "options": {name: value for name, value in wanted.items() if value},
        "facts": client_facts(shell.environ, shell.home),
    }


def _run(request: dict[str, object], caller: Caller, result: TextIO | None) -> int:
    options, shell, streams = caller
    report: Report = (
        JsonReport(shell.screen)
        if options.json
        else plain_report(shell.screen, streams, verbose=options.verbose)
    )
    run = Reply.of({})
    if any(os.path.exists(f"{request['workspace']}/{name}") for name in MISE_FILES):
        shell.progress.says["create_run"] = "starting the sandbox with the tools of mise"
    try:
        with shell.connect(options) as connection, Interrupts() as interrupts:
            run = create_run(connection, request, options, shell)
            report.started(run)
            path = {"sandbox_id": run.text("sandbox_id"), "execution_id": run.text("execution_id")}
            way = Way(connection, Call("attach_execution", path), interrupts)
            ended = attach(way, streams, report, shell.screen)
    except Left as left:
        ids = run.text("sandbox_id"), run.text("execution_id")
        report.left(how_back(*ids, canceled=left.canceled))
        return LEFT
    except BrokenPipeError:
        return UNREAD  # the closed connection cancels the command
    except CleanroomError as error:
        _write_result(result, _failed(run, error), error_status(error.code))
        if options.json:
            report.ended(_failed(run, error), error_status(error.code))
        raise
    run = ended.message.item("run")
    status = exit_status(run, ended.signalled, fail_on_denied=options.fail_on_denied)
    with suppress(BrokenPipeError):
        report.ended(run, status)
    _write_result(result, run, status)
    say_failure(run, shell.screen, asked=ended.signalled)
    return status


def _failed(run: Reply, error: CleanroomError) -> Reply:
    failure = {"code": error.code, "reason": error.message, "hint": error.hint}
    return Reply.of({**run.fields, "failure": failure})


def _show_plan(request: dict[str, object], options: Options, shell: Shell) -> int:
    with shell.connect(options) as connection:
        plan = connection.call(Call("plan_run", body=request))
    if options.json:
        shell.screen.json({"type": "plan", **plan.fields})
        return 0
    for name, value in plan.fields.items():
        shown = value if isinstance(value, str) else json.dumps(value)
        shell.screen.out(f"{name}: {plain(shown)}")
    return 0


class _result_file:  # noqa: N801 -- a context manager, read as a function
    """The open result file, or None; opened before the run so that nothing runs in vain."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._file: TextIO | None = None

    def __enter__(self) -> TextIO | None:
        if self._path:
            try:
                self._file = open(self._path, "w", encoding="utf-8")
            except OSError as error:
                message = f"cannot write {self._path}: {error.strerror}"
                hint = "name another file: --result-file FILE"
                raise UserError(Code.REQUEST_INVALID, message, hint) from None
        return self._file

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()


def _write_result(result: TextIO | None, run: Reply, status: int) -> None:
    if result:
        json.dump({"version": SCHEMA_VERSION, **result_fields(run, status)}, result)
        result.write("\n")


def _crash(kind: type[BaseException], error: BaseException, trace: object) -> None:
    """Show a bug's traceback and end with 125: python's own 1 would look like the workload's."""
    sys.__excepthook__(kind, error, trace)  # type: ignore[arg-type]
    sys.stderr.flush()
    os._exit(NOT_RUN)
