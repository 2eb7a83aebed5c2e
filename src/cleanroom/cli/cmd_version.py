"""`cleanroom version`: versions of this program and, if one listens, of the daemon.

In: flags. Out: two lines, or one JSON object. Never: a daemon started or replaced for it, or a
failure because there is none.
"""

import argparse
import os
import platform
from typing import Final

from cleanroom import __version__
from cleanroom.cli.group import Sub, run_one
from cleanroom.cli.parser import Parser
from cleanroom.cli.render import plain
from cleanroom.cli.shell import Shell
from cleanroom.client.blocking import Connection
from cleanroom.client.calls import Call
from cleanroom.client.endpoint import find_endpoint
from cleanroom.client.reply import Reply
from cleanroom.errors import CleanroomError

_TOLD: Final = ("pid", "since", "on_demand", "changed")


def version_parser() -> Parser:
    """Return the parser of `version`."""
    parser = Parser("version", "Show versions.", "cleanroom version --json")
    parser.switch("--json", "one JSON object on stdout")
    parser.value("--host", "URL", "the daemon's address: unix:///PATH (CLEANROOM_HOST)")
    return parser


def version(options: argparse.Namespace, shell: Shell) -> int:
    """Show them."""
    health = daemon_health(options.host, shell)
    if options.json:
        python = platform.python_version()
        fields = {} if health is None else {name: health.fields.get(name) for name in _TOLD}
        daemon = health.text("version") if health else None
        shell.screen.json({"client": __version__, "daemon": daemon, "python": python, **fields})
        return 0
    shell.screen.out(f"cleanroom {__version__}")
    shell.screen.out(f"daemon {'not running' if health is None else plain(_said(health))}")
    return 0


def _said(health: Reply) -> str:
    """Return e.g. "0.1.0, pid 71, since 2026-01-02T03:04:05Z, started by a command"."""
    said = [health.text("version"), f"pid {health.number('pid')}"]
    said += [f"since {health.text('since')}"] if "since" in health else []
    said += ["started by a command"] if health.flag("on_demand") else []
    said += [f"before {health.text('changed')} was changed"] if health.text("changed", "") else []
    return ", ".join(said)


def daemon_health(host: str | None, shell: Shell) -> Reply | None:
    """Return what the daemon that listens says of itself, or None."""
    try:
        endpoint = find_endpoint(host, shell.environ, os.getuid())
        with Connection.open(endpoint.path) as connection:
            return connection.call(Call("health"))
    except (OSError, CleanroomError):
        return None


def parsers() -> tuple[Parser, ...]:
    """Return the parser of `version`."""
    return (version_parser(),)


def run(words: list[str], shell: Shell) -> int:
    """Run it."""
    return run_one(Sub(version_parser, version), words, shell)
