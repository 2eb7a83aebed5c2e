"""`cleanroom version`: versions of this program and, if one listens, of the daemon.

In: flags. Out: two lines, or one JSON object. Never: a daemon started or replaced for it, or a
failure because there is none.
"""

import argparse
import platform
from typing import Final

from cleanroom import __version__
from cleanroom.cli.daemon_line import daemon_health, daemon_line
from cleanroom.cli.group import Sub, run_one
from cleanroom.cli.parser import Parser
from cleanroom.cli.shell import Shell

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
    shell.screen.out(f"daemon {daemon_line(health)}")
    return 0


def parsers() -> tuple[Parser, ...]:
    """Return the parser of `version`."""
    return (version_parser(),)


def run(words: list[str], shell: Shell) -> int:
    """Run it."""
    return run_one(Sub(version_parser, version), words, shell)
