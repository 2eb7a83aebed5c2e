"""`cleanroom doctor`: what this host can run, and the exact repair of what it cannot.

In: flags. Out: the daemon in one line, the doctor's own output and status. Never: a daemon started;
it works where none starts.
"""

import argparse
import os
import sys

from cleanroom.cli.daemon_line import daemon_health, daemon_line
from cleanroom.cli.group import Sub, run_one
from cleanroom.cli.parser import Parser
from cleanroom.cli.shell import Shell


def doctor_parser() -> Parser:
    """Return the parser of `doctor`."""
    parser = Parser("doctor", "Say what this host can run.", "sudo cleanroom doctor --fix")
    parser.switch("--json", "one JSON object on stdout")
    parser.switch("--fix", "repair what your rights allow")
    parser.value("--backend", "NAME", "only this backend")
    return parser


def doctor_argv(options: argparse.Namespace) -> list[str]:
    """Return the command line of the doctor, a program of the daemon's side."""
    argv = [sys.executable, "-P", "-m", "cleanroom.daemon.doctor"]
    argv += [f"--{name}" for name in ("json", "fix") if getattr(options, name)]
    return argv + (["--backend", options.backend] if options.backend else [])


def doctor(options: argparse.Namespace, shell: Shell) -> int:
    """Become it."""
    if not options.json:
        shell.screen.out(f"daemon: {daemon_line(daemon_health(None, shell))}")
    sys.stdout.flush()
    os.execve(sys.executable, doctor_argv(options), dict(shell.environ))  # noqa: S606 -- ours


def parsers() -> tuple[Parser, ...]:
    """Return the parser of `doctor`."""
    return (doctor_parser(),)


def run(words: list[str], shell: Shell) -> int:
    """Run it."""
    return run_one(Sub(doctor_parser, doctor), words, shell)
