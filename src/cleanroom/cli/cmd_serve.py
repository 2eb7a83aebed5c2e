"""`cleanroom serve`: become the daemon, until TERM or Ctrl-C.

In: where to listen. Out: the daemon's exit status. Never: a daemon in the background; a command
that needs one starts it by itself.
"""

import argparse
import os

from cleanroom.cli.group import Sub, run_one
from cleanroom.cli.parser import Parser
from cleanroom.cli.shell import Shell
from cleanroom.client.endpoint import find_endpoint


def serve_parser() -> Parser:
    """Return the parser of `serve`."""
    parser = Parser(
        "serve",
        "Run the daemon in the foreground.",
        "cleanroom serve --listen unix:///run/user/1000/own.sock",
    )
    parser.value("--listen", "URL", "unix:///PATH; by default where the other commands look")
    return parser


def serve(options: argparse.Namespace, shell: Shell) -> int:
    """Become it."""
    from cleanroom.daemon.main import serve_process

    endpoint = find_endpoint(options.listen, shell.environ, os.getuid())
    return serve_process(endpoint.url)


def parsers() -> tuple[Parser, ...]:
    """Return the parser of `serve`."""
    return (serve_parser(),)


def run(words: list[str], shell: Shell) -> int:
    """Run it."""
    return run_one(Sub(serve_parser, serve), words, shell)
