"""Joining a command with the caller's own streams: what `exec` and `executions attach` share.

In: the flags -i, -t, --detach-keys, --terminal-escapes; a connection. Out: the exit message.
Never: a terminal promised where there is none.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from cleanroom.cli.exec_output import PlainReport, Report
from cleanroom.cli.parser import Options, Parser
from cleanroom.cli.render import Screen
from cleanroom.client.attach import Attachment, Manner
from cleanroom.client.blocking import Connection
from cleanroom.client.calls import Call, known_code
from cleanroom.client.detach import DEFAULT, read_keys
from cleanroom.client.interrupts import Interrupts
from cleanroom.client.reply import Reply
from cleanroom.errors import CleanroomError, Code, UsageError

if TYPE_CHECKING:
    from cleanroom.client.terminal import Terminal


class Streams(NamedTuple):
    """How the caller's streams take part; `stdin` None: nothing is sent."""

    stdin: int | None
    terminal: "Terminal | None" = None


class Ended(NamedTuple):
    """The exit message, and the signal by which the caller asked for the end, or 0."""

    message: Reply
    signalled: int


def add_terminal_flags(parser: Parser) -> None:
    """Add the flags of a command that may have the caller's terminal."""
    parser.value("--detach-keys", "KEYS", f"keys that leave it running ({DEFAULT})", DEFAULT)
    parser.switch("--terminal-escapes", "let it set title and clipboard of your terminal")


def stdin_to_forward() -> int | None:
    """Return 0 if standard input is a pipe, a file or a socket; a terminal is not sent."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return None
    return None if stat.S_ISCHR(mode) else 0


def exec_streams(options: Options) -> Streams:
    """Return the streams of `exec`. Raises UsageError for -t where there is no terminal."""
    keys = read_keys(options.detach_keys)
    if options.detach:
        return Streams(None)
    if options.tty:
        if options.json:
            message = "cannot give the command a terminal: --json shows its output as lines"
            raise UsageError(Code.REQUEST_INVALID, message, "leave out -t or --json")
        return terminal_streams(keys, typing=options.interactive, redraw=False)
    typing = options.interactive and os.isatty(0)
    return Streams(0 if typing else stdin_to_forward())


def terminal_streams(keys: bytes, *, typing: bool, redraw: bool) -> Streams:
    """Return the streams of a command that has a terminal. Raises UsageError if we have none."""
    for descriptor, name in ((0, "input"), (1, "output")):
        if not os.isatty(descriptor) and (typing or descriptor):
            message = f"cannot give the command a terminal: standard {name} is none"
            raise UsageError(
                Code.REQUEST_INVALID, message, "leave out -t, or type it in a terminal"
            )
    from cleanroom.client.terminal import Terminal  # noqa: PLC0415 -- pipes do not pay for it

    keyboard = 0 if typing else None
    return Streams(keyboard, Terminal(keyboard, 1, keys, redraw=redraw))


def plain_report(screen: Screen, streams: Streams, *, verbose: bool) -> Report:
    """Return what shows a person the command."""
    if streams.terminal is None:
        return PlainReport(screen, verbose=verbose)
    from cleanroom.cli.terminal_report import TerminalReport  # noqa: PLC0415 -- as above

    return TerminalReport(screen, streams.terminal, verbose=verbose)


class Way(NamedTuple):
    """A connection, what it is to be attached to, and what hears of signals."""

    connection: Connection
    call: Call
    interrupts: Interrupts
    owner: bool = True


def attach(way: Way, streams: Streams, report: Report, screen: Screen) -> Ended:
    """Carry everything until the command has ended. Raises Left, CleanroomError."""
    upgraded = way.connection.upgrade(way.call)
    manner = Manner(streams.terminal, way.owner)
    attachment = Attachment(upgraded, streams.stdin, report, way.interrupts, manner)
    with _raw(streams.terminal, screen):
        return Ended(attachment.run(), attachment.signalled)


@contextmanager
def _raw(terminal: "Terminal | None", screen: Screen) -> Iterator[None]:
    if terminal is None:
        yield
        return
    screen.line_end = "\r\n"
    try:
        with terminal:
            yield
    finally:
        screen.line_end = "\n"


def say_failure(run: Reply, screen: Screen, *, asked: int = 0) -> None:
    """Say why a run has no end of its own workload, unless this client `asked` for it by signal."""
    if "failure" in run:
        failure = run.item("failure")
        if not asked or failure.text("code") != Code.CANCELED:
            code, reason = known_code(failure.text("code")), failure.text("reason")
            screen.error(CleanroomError(code, reason, failure.text("hint", "")))


def how_back(sandbox: str, execution: str, *, canceled: bool) -> str:
    """Return what a person who left is told."""
    word = "executions get" if canceled else "attach"
    goes = "is being canceled. See" if canceled else "goes on. Back"
    return f"cleanroom: left; the command {goes}: cleanroom {word} {sandbox} {execution}"
