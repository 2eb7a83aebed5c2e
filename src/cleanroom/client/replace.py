"""A daemon that no longer is what its person has: of another version, or of other settings.

In: its health. Out: what is wrong with it, and its end if nothing is lost by it; else what a person
can do. Never: a sandbox ended, or a daemon that a person started.
"""

import os
import select
from typing import Final

from cleanroom import __version__
from cleanroom.client.blocking import Connection
from cleanroom.client.calls import Call
from cleanroom.client.reply import Reply
from cleanroom.errors import Code, Fault

END_TIMEOUT_S: Final = 30.0


def outdated(health: Reply) -> str:
    """Return what is no longer so of this daemon, "" if nothing."""
    if health.text("version") != __version__:
        return f"is version {health.text('version')}, this is {__version__}"
    if changed := health.text("changed", ""):
        return f"began before {changed} was changed"
    return ""


def remedy(health: Reply, pid: int) -> str:
    """Return what lets another daemon take the place of one that no command may replace now."""
    if not health.flag("on_demand") or not pid:  # 0: it is of another PID namespace
        return "end it where it was started, with its sandboxes, and start it again"
    living = health.maybe_number("sandboxes") or 0
    if not living:
        return f"`kill {pid}` ends it"
    there = "a sandbox lives there" if living == 1 else f"{living} sandboxes live there"
    return f"{there}: once ended (`cleanroom stop --all`), the next command starts another one"


def retire(connection: Connection) -> None:
    """Have the daemon end, and wait until it did. Raises RemoteError if it is not idle, Fault."""
    try:
        process = os.pidfd_open(connection.peer_pid())
    except ProcessLookupError:
        connection.close()  # it ended by itself
        return
    try:
        connection.call(Call("retire"))
        connection.close()  # it waits for those who are connected
        ended, _, _ = select.select([process], [], [], END_TIMEOUT_S)
    finally:
        os.close(process)
    if not ended:
        message = f"cannot replace the daemon: it did not end in {END_TIMEOUT_S:.0f} s"
        raise Fault(Code.BACKEND_TRANSPORT_ERROR, message, "cleanroom doctor")
