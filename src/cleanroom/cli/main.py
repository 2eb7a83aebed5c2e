"""argv -> one command, imported when it is called; the only catch that prints errors.

In: the words after `cleanroom`. Out: an exit status (docs/cli.md). Never: a command's module
loaded for another command, or a bug turned into a friendly sentence.
"""

import gc
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import Final, Protocol, cast

from cleanroom import __version__
from cleanroom.cli.parser import Parser
from cleanroom.cli.shell import Shell
from cleanroom.errors import CleanroomError, Code, Refused, UsageError

COMMANDS: Final = {
    "exec": "run a command in a sandbox",
    "policy": "validate, explain, check, suggest: what cleanroom.yaml means",
    "lock": "what a lock file pins, and what it cannot",
    "init": "write a first cleanroom.yaml",
    "doctor": "say what this host can run, and repair it",
    "status": "timings and result of a run",
    "diff": "what a run changed",
    "apply": "bring what a run changed into the workspace",
    "cp": "copy files out of a sandbox, or into it",
    "port": "reach a port of a sandbox from here",
    "sandboxes": "create, list, inspect, stop sandboxes; their events",
    "cache": "show, verify, prune, fill the content cache",
    "volumes": "list, remove folders that outlive sandboxes",
    "executions": "list, get, cancel executions; their output",
    "secrets": "list, check, test: what the policy binds, and whether it is there",
    "agents": "list the coding agents that exec --agent knows",
    "audit": "what was allowed and denied",
    "serve": "run the daemon",
    "config": "settings in force, and where each comes from",
    "schema": "the JSON Schema of cleanroom.yaml",
    "explain": "what a code means",
    "completion": "commands, flags and ids completed in your shell",
    "version": "versions of this program and the daemon",
}
ALIASES: Final = {
    "ps": ("sandboxes", "list"),
    "stop": ("sandboxes", "stop"),
    "rm": ("sandboxes", "rm"),
    "logs": ("executions", "logs"),
    "attach": ("executions", "attach"),
    "wait": ("executions", "wait"),
}
_OF_OTHERS: Final = {  # what programs of the kind call it
    "run": "cleanroom exec",
    "shell": "cleanroom exec -it -- bash",
    "kill": "cleanroom stop",
}
CARRY_STATUS: Final = (("executions", "attach"), ("executions", "wait"))  # a workload's
EVERYWHERE: Final = ("version", "explain")  # of use where nothing can run
BROKEN_PIPE: Final = 128 + signal.SIGPIPE
INTERRUPTED: Final = 128 + signal.SIGINT


class Command(Protocol):
    """What a module cmd_<word>.py offers."""

    def parsers(self) -> tuple[Parser, ...]:
        """Return its parser, or one for each of its subcommands."""
        ...

    def run(self, words: list[str], shell: Shell) -> int:
        """Do it; return the exit status."""
        ...


def load(name: str) -> Command:
    """Import the module of one command."""
    command = cast("Command", importlib.import_module(f"cleanroom.cli.cmd_{name}"))
    gc.enable()  # __main__.py switched it off
    return command


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    shell = Shell(os.environ)
    name = words[0] if words else "help"
    try:
        return dispatch(name, words[1:], shell)
    except CleanroomError as error:
        shell.screen.error(error)
        return _status(name, words[1:], error)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return BROKEN_PIPE
    finally:
        _let_go()


def _let_go() -> None:
    """Flush, or drop what nobody reads any more: python would make its own status of it (120)."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def dispatch(name: str, words: list[str], shell: Shell) -> int:
    """Run the command of this name."""
    if name in ("help", "-h", "--help"):
        return _help(words, shell)
    if name == "--version":
        name = "version"
    name, *first = ALIASES.get(name, (name,))
    if name not in COMMANDS:
        raise _unknown(name)
    if sys.platform != "linux" and name not in EVERYWHERE:
        message = "cannot run here: cleanroom needs Linux"
        hint = "use a Linux virtual machine, WSL2, or a daemon elsewhere (--host)"
        raise Refused(Code.BACKEND_UNAVAILABLE, message, hint)
    return load(name).run([*first, *words], shell)


def _status(name: str, words: Sequence[str], error: CleanroomError) -> int:
    """Return 2 for a wrong command line; 124 or 125 where success is a workload's; else 1."""
    if isinstance(error, UsageError):
        return error.exit_status
    command = (*ALIASES.get(name, (name,)), *words)
    if name == "exec" or command[:2] in CARRY_STATUS or sys.platform != "linux":
        return 124 if error.code is Code.TIMED_OUT else 125
    return 1


def _help(words: list[str], shell: Shell) -> int:
    if words:
        return dispatch(words[0], [*words[1:], "--help"], shell)
    from cleanroom.cli.help_page import Page, lay_out, terminal_columns  # noqa: PLC0415 -- only help

    page = Page(
        (f"cleanroom {__version__}: run untrusted commands in sandboxes", ""),
        list(COMMANDS.items()),
        (
            f"  Short forms: {', '.join(ALIASES)}",
            "",
            'Example: cleanroom exec "npm install && npm test"',
        ),
        "cleanroom COMMAND --help",
    )
    for line in lay_out(page, terminal_columns()):
        shell.screen.out(line)
    return 0


def _unknown(name: str) -> UsageError:
    from difflib import get_close_matches  # noqa: PLC0415 -- 2 ms that only a typing error pays

    whole = {word: f"cleanroom {word}" for word in (*COMMANDS, *ALIASES)}
    programs = [parser.prog for word in COMMANDS for parser in load(word).parsers()]
    parts = {program.split()[-1]: program for program in reversed(programs)}  # the first one counts
    known = parts | whole | _OF_OTHERS
    near = get_close_matches(name, known, 1)
    hint = known[near[0]] if near else "cleanroom help"
    if name.startswith("-"):
        hint = f"a flag comes behind its command: cleanroom COMMAND {name}"
    return UsageError(Code.REQUEST_INVALID, f"cannot find a command named {name!r}", hint)
