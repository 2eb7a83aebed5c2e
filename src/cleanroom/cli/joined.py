"""`cleanroom executions attach`: back to a command that runs without this client.

In: ids, the caller's streams. Out: the command's bytes from where the last client left, its status.
Never: a command that ends because this client does, unless Ctrl-C asks for it.
"""

import argparse
import os
from contextlib import suppress

from cleanroom.cli.attached import (
    Ended,
    Streams,
    Way,
    add_terminal_flags,
    how_back,
    plain_report,
    say_failure,
    stdin_to_forward,
    terminal_streams,
)
from cleanroom.cli.attached import attach as carry
from cleanroom.cli.chosen import add_chosen, chosen
from cleanroom.cli.exec_output import JsonReport, Report
from cleanroom.cli.exit_status import LEFT, UNREAD, execution_status, exit_status
from cleanroom.cli.parser import Parser
from cleanroom.cli.shell import Shell, add_daemon_flags
from cleanroom.client.attach import Left
from cleanroom.client.calls import Call
from cleanroom.client.detach import read_keys
from cleanroom.client.interrupts import Interrupts
from cleanroom.client.reply import Reply
from cleanroom.errors import Code, UsageError

BEGINS = ("left", "start")


def attach_parser() -> Parser:
    """Return the parser of `executions attach`."""
    parser = Parser(
        "executions attach",
        "Join a running command: its output, your input, its status.",
        "cleanroom executions attach dev",
    )
    add_chosen(parser)
    parser.value("--from", "WHERE", "left: where the last client left it; or start", "left")
    parser.switch("--no-stdin", "send it nothing")
    add_terminal_flags(parser)
    parser.switch("--json", "one JSON object a line on stdout, instead of raw output")
    add_daemon_flags(parser)
    return parser


def joining_streams(execution: Reply, options: argparse.Namespace) -> Streams:
    """Return how the caller's streams take part in this command."""
    keys = read_keys(options.detach_keys)
    wanted = execution.flag("stdin") and not options.no_stdin
    if execution.flag("tty") and os.isatty(1) and not options.json:
        return terminal_streams(keys, typing=wanted and os.isatty(0), redraw=True)
    typing = wanted and os.isatty(0)
    return Streams(0 if typing else stdin_to_forward() if wanted else None)


def attach(options: argparse.Namespace, shell: Shell) -> int:
    """Stay with it until it ends or the person leaves."""
    begin = getattr(options, "from")
    if begin not in BEGINS:
        message = f"cannot begin at {begin!r}"
        raise UsageError(Code.REQUEST_INVALID, message, f"one of: {', '.join(BEGINS)}")
    shell.screen.escapes = shell.screen.escapes or options.terminal_escapes
    with shell.connect(options) as connection, Interrupts() as interrupts:
        path = chosen(options, connection)
        execution = connection.call(Call("get_execution", path))
        streams = joining_streams(execution, options)
        report: Report = plain_report(shell.screen, streams, verbose=False)
        if options.json:
            report = JsonReport(shell.screen)
            run = {"run_id": execution.text("run_id")}
            report.started(connection.call(Call("get_run", run)))
        call = Call("attach_execution", path, {"from": begin})
        way = Way(connection, call, interrupts, owner=False)
        try:
            ended = carry(way, streams, report, shell.screen)
        except Left as left:
            ids = execution.text("sandbox_id"), execution.text("id")
            report.left(how_back(*ids, canceled=left.canceled))
            return LEFT
        except BrokenPipeError:
            return UNREAD
    return _end(ended, report, shell)


def _end(ended: Ended, report: Report, shell: Shell) -> int:
    if "run" not in ended.message:  # it is remembered no more
        execution = ended.message.item("execution")
        say_failure(execution, shell.screen, asked=ended.signalled)
        return execution_status(execution)
    run = ended.message.item("run")
    status = exit_status(run, ended.signalled)
    # What was noted at the start was told to who started it; what came since came as a message.
    news = Reply.of({**run.fields, "notes": []})
    with suppress(BrokenPipeError):
        report.ended(news, status)
    say_failure(run, shell.screen, asked=ended.signalled)
    return status
