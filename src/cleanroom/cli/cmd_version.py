"""`cleanroom version`: versions of this program and, if one listens, of the daemon.

In: flags. Out: two lines, or one JSON object. Never: a daemon started for it, or a failure because
there is none.
"""

import argparse
import os
import platform

from cleanroom import __version__
from cleanroom.cli.group import Sub, run_one
from cleanroom.cli.parser import Parser
from cleanroom.cli.shell import Shell
from cleanroom.client.blocking import Connection
from cleanroom.client.calls import Call
from cleanroom.client.endpoint import find_endpoint
from cleanroom.errors import CleanroomError


def version_parser() -> Parser:
    """Return the parser of `version`."""
    parser = Parser("version", "Show versions.", "cleanroom version --json")
    parser.switch("--json", "one JSON object on stdout")
    parser.value("--host", "URL", "the daemon's address: unix:///PATH (CLEANROOM_HOST)")
    return parser


def version(options: argparse.Namespace, shell: Shell) -> int:
    """Show them."""
    daemon = daemon_version(options.host, shell)
    if options.json:
        python = platform.python_version()
        shell.screen.json({"client": __version__, "daemon": daemon, "python": python})
        return 0
    shell.screen.out(f"cleanroom {__version__}")
    shell.screen.out(f"daemon {daemon or 'not running'}")
    return 0


def daemon_version(host: str | None, shell: Shell) -> str | None:
    """Return the version of the daemon that listens, or None."""
    try:
        endpoint = find_endpoint(host, shell.environ, os.getuid())
        with Connection.open(endpoint.path) as connection:
            return connection.call(Call("version")).text("version")
    except (OSError, CleanroomError):
        return None


def parsers() -> tuple[Parser, ...]:
    """Return the parser of `version`."""
    return (version_parser(),)


def run(words: list[str], shell: Shell) -> int:
    """Run it."""
    return run_one(Sub(version_parser, version), words, shell)
