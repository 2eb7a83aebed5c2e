"""`cleanroom executions`: commands in sandboxes, their output, their end.

In: ids. Out: tables, JSON, or the output's own bytes. Never: a stream that was cut taken for its
end.
"""

import argparse
import signal

from cleanroom.cli.attached import say_failure
from cleanroom.cli.chosen import add_chosen, chosen
from cleanroom.cli.exit_status import execution_status
from cleanroom.cli.group import Sub, run_group
from cleanroom.cli.joined import attach, attach_parser
from cleanroom.cli.lines import age
from cleanroom.cli.log_output import LogOutput
from cleanroom.cli.parser import Parser, count, moment
from cleanroom.cli.shell import Shell, add_daemon_flags, pages
from cleanroom.client.calls import Call
from cleanroom.errors import Code, UsageError

WAIT_S = 60  # of one request; `wait` asks again


def _parser(name: str, summary: str) -> Parser:
    """Return the parser of a command that looks at one; without words, at the last."""
    parser = Parser(f"executions {name}", summary, f"cleanroom executions {name} dev")
    add_chosen(parser)
    parser.switch("--json", "JSON on stdout")
    add_daemon_flags(parser)
    return parser


def _ending_parser(name: str, summary: str) -> Parser:
    """Return the parser of a command that ends one: it has to be named."""
    example = f"cleanroom executions {name} dev exe_0123456789abcdef0123"
    parser = Parser(f"executions {name}", summary, example)
    parser.operand("SANDBOX", "its id or name")
    parser.operand("EXECUTION", "its id")
    parser.switch("--json", "JSON on stdout")
    add_daemon_flags(parser)
    return parser


def list_parser() -> Parser:
    """Return the parser of `executions list`."""
    parser = Parser(
        "executions list", "List the executions of a sandbox.", "cleanroom executions list dev"
    )
    parser.operand("SANDBOX", "its id or name")
    parser.switch("--json", "JSON on stdout")
    add_daemon_flags(parser)
    return parser


def logs_parser() -> Parser:
    """Return the parser of `executions logs`."""
    parser = _parser("logs", "Show the output that was kept; stdout and stderr as they were.")
    parser.switch("-f --follow", "go on until it ends")
    parser.value("--tail", "N", "only the last N lines of both streams together")
    parser.value("--since", "TIME", "only from then on: 10m ago, or 2026-01-02T03:04:05Z")
    parser.switch("-t --timestamps", "the time before each line")
    parser.value("--stdout-from", "N", "go on at this byte of standard output")
    parser.value("--stderr-from", "N", "go on at this byte of standard error")
    return parser


def kill_parser() -> Parser:
    """Return the parser of `executions kill`."""
    parser = _ending_parser("kill", "Send a signal to a command.")
    parser.value("--signal", "NAME", "the signal: TERM, or 15", default="KILL")
    return parser


def _path(options: argparse.Namespace) -> dict[str, str]:
    return {"sandbox_id": options.sandbox, "execution_id": options.execution}


def list_all(options: argparse.Namespace, shell: Shell) -> int:
    """Show one row an execution."""
    call = Call("list_executions", {"sandbox_id": options.sandbox})
    with shell.connect(options) as connection:
        found = pages(connection, call, "executions")
    if options.json:
        shell.screen.json({"executions": [execution.fields for execution in found]})
        return 0
    rows = [
        (
            execution.text("id"),
            execution.text("state"),
            "-" if (code := execution.maybe_number("exit_code")) is None else str(code),
            age(execution.text("created_at"), shell.now_s()),
            " ".join(execution.texts("command")),
        )
        for execution in found
    ]
    shell.screen.table(("ID", "STATE", "EXIT", "AGE", "COMMAND"), rows)
    return 0


def get(options: argparse.Namespace, shell: Shell) -> int:
    """Show all that is known of one."""
    with shell.connect(options) as connection:
        execution = connection.call(Call("get_execution", chosen(options, connection)))
    shell.fields(execution, as_json=options.json)
    return 0


def wait(options: argparse.Namespace, shell: Shell) -> int:
    """Wait until it ends and exit as it did."""
    with shell.connect(options) as connection:
        call = Call("get_execution", chosen(options, connection), {"wait_s": str(WAIT_S)})
        execution = connection.call(call)
        while execution.text("state") in ("queued", "running"):
            execution = connection.call(call)
    if options.json:
        shell.screen.json(execution.fields)
    say_failure(execution, shell.screen)
    return execution_status(execution)


def _signal_name(text: str) -> str:
    """Return TERM for TERM, sigterm and 15. The daemon says which can be sent."""
    if text.isdecimal() and len(text) < 4 and int(text) in set(signal.Signals):
        text = signal.Signals(int(text)).name
    name = text.upper().removeprefix("SIG")
    if not name.isalnum() or name[0].isdecimal():
        message = f"cannot read {text!r} as a signal"
        raise UsageError(Code.REQUEST_INVALID, message, "write a name or a number: TERM, or 15")
    return name


def cancel(options: argparse.Namespace, shell: Shell) -> int:
    """End it: TERM, a grace, KILL."""
    with shell.connect(options) as connection:
        execution = connection.call(Call("cancel_execution", _path(options)))
    shell.fields(execution, as_json=options.json)
    return 0


def kill(options: argparse.Namespace, shell: Shell) -> int:
    """Send it a signal."""
    body = {"signal": _signal_name(options.signal)}
    with shell.connect(options) as connection:
        execution = connection.call(Call("signal_execution", _path(options), body=body))
    shell.fields(execution, as_json=options.json)
    return 0


def logs(options: argparse.Namespace, shell: Shell) -> int:
    """Write its output where it belongs."""
    query = _where_to_begin(options)
    if options.follow:
        query["follow"] = "true"
    written = LogOutput(shell.screen, timestamps=options.timestamps)
    with shell.connect(options) as connection:
        path = chosen(options, connection)
        for line in connection.lines(Call("execution_output", path, query)):
            if options.json:
                shell.screen.json(line.fields)
            else:
                written.line(line)
    written.end()
    return 0


def _where_to_begin(options: argparse.Namespace) -> dict[str, str]:
    wanted = {
        "tail": count(options.tail, "--tail"),
        "since": moment(options.since),
        "stdout_from": count(options.stdout_from, "--stdout-from"),
        "stderr_from": count(options.stderr_from, "--stderr-from"),
    }
    return {name: value for name, value in wanted.items() if value is not None}


SUBS = {
    "list": Sub(list_parser, list_all),
    "get": Sub(lambda: _parser("get", "Show all that is known of one."), get),
    "logs": Sub(logs_parser, logs),
    "attach": Sub(attach_parser, attach),
    "wait": Sub(lambda: _parser("wait", "Wait for its end and exit as it did."), wait),
    "cancel": Sub(lambda: _ending_parser("cancel", "End it: TERM, a grace, KILL."), cancel),
    "kill": Sub(kill_parser, kill),
}


def parsers() -> tuple[Parser, ...]:
    """Return the parsers of all subcommands."""
    return tuple(sub.parser() for sub in SUBS.values())


def run(words: list[str], shell: Shell) -> int:
    """Run one of them."""
    return run_group("executions", SUBS, words, shell)
