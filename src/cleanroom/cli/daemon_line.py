"""The daemon in one line, for commands that need none: `version`, `doctor`.

In: where it would listen. Out: its version, who started it and when, whether that still stands.
Never: a daemon started or replaced for it, or a failure because there is none.
"""

import os
from typing import Final

from cleanroom.cli.render import plain
from cleanroom.cli.shell import Shell
from cleanroom.client.blocking import Connection
from cleanroom.client.calls import Call
from cleanroom.client.endpoint import find_endpoint
from cleanroom.client.reply import Reply
from cleanroom.errors import CleanroomError

PATIENCE_S: Final = 10.0


def daemon_line(health: Reply | None) -> str:
    """Return e.g. "0.1.0, pid 71, since 2026-01-02T03:04:05Z, started by a command"."""
    if health is None:
        return "not running, or it does not answer"
    said = [health.text("version"), f"pid {health.number('pid')}"]
    said += [f"since {health.text('since')}"] if "since" in health else []
    said += ["started by a command"] if health.flag("on_demand") else []
    said += [f"before {health.text('changed')} was changed"] if health.text("changed", "") else []
    return plain(", ".join(said))


def daemon_health(host: str | None, shell: Shell) -> Reply | None:
    """Return what the daemon that listens says of itself, or None."""
    try:
        endpoint = find_endpoint(host, shell.environ, os.getuid())
        with Connection.open(endpoint.path, PATIENCE_S) as connection:
            return connection.call(Call("health"))
    except (OSError, CleanroomError):
        return None
