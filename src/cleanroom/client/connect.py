"""A connection to the daemon that is there, or to one started for the purpose.

In: the endpoint, the environment, what to tell the person. Out: Connection. Never: a daemon
started where a person named an endpoint, or work sent to a daemon of another version unsaid.
"""

import os
import select
import signal
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from cleanroom import __version__
from cleanroom.client.blocking import Connection, Waiting, nobody_waits
from cleanroom.client.calls import Call
from cleanroom.client.endpoint import Endpoint, find_endpoint
from cleanroom.errors import Code, Fault, Refused

RESTART_TIMEOUT_S: Final = 15.0
START: Final = "start_daemon"  # what is waited for, beside the names of calls
_OFF: Final = ("0", "off", "no", "false")


class Caller(NamedTuple):
    """What a command was told: its endpoint flags, its environment, and how to speak."""

    host: str | None
    autostart: bool
    environ: Mapping[str, str]
    say: Callable[[str], None]
    waiting: Waiting = nobody_waits


def connect(caller: Caller) -> Connection:
    """Return a connection to a daemon of this version.

    Raises Fault(backend_transport_error) if there is none and none may be started.
    """
    endpoint = find_endpoint(caller.host, caller.environ, os.getuid())
    connection = _connect(endpoint, caller)
    connection.waiting = caller.waiting
    return connection


def _connect(endpoint: Endpoint, caller: Caller) -> Connection:
    connection = _try(endpoint)
    if connection is None:
        return _start(endpoint, caller)
    health = connection.call(Call("health"))
    if health.text("version") == __version__:
        return connection
    if endpoint.chosen or not health.flag("idle") or not may_start(caller):
        caller.say(
            f"cleanroom: the daemon is version {health.text('version')}, this is {__version__};"
            " it is busy or yours to restart"
        )
        return connection
    _restart(connection)
    return _start(endpoint, caller)


def may_start(caller: Caller) -> bool:
    """Tell whether flag, environment and configuration let a command start a daemon."""
    return caller.autostart and caller.environ.get("CLEANROOM_AUTOSTART", "").lower() not in _OFF


def _try(endpoint: Endpoint) -> Connection | None:
    try:
        return Connection.open(endpoint.path)
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        return None
    except OSError as error:
        message = f"cannot reach the daemon at {endpoint.url}: {error.strerror}"
        raise Fault(Code.BACKEND_TRANSPORT_ERROR, message, "cleanroom doctor") from error


def _start(endpoint: Endpoint, caller: Caller) -> Connection:
    if endpoint.chosen or not may_start(caller):
        message = f"cannot reach a daemon: nothing listens at {endpoint.url}"
        raise Refused(
            Code.BACKEND_TRANSPORT_ERROR, message, f"cleanroom serve --listen {endpoint.url}"
        )
    from cleanroom.client.autostart import Starter, unread  # noqa: PLC0415 -- only who starts one pays

    with Starter(endpoint, caller.environ) as starter:
        connection = _try(endpoint)  # another command may have started one while this one waited
        if connection is None:
            with caller.waiting(START):
                pid = starter.launch()
            caller.say(f"cleanroom: started a daemon (pid {pid}); it ends by itself when idle")
            if names := unread(caller.environ):
                caller.say(f"cleanroom: it reads config.yaml, not {', '.join(names)}")
            connection = _try(endpoint)
    if connection is None:
        message = f"cannot reach the daemon just started at {endpoint.url}"
        raise Fault(Code.BACKEND_TRANSPORT_ERROR, message, starter.log_hint)
    return connection


def _restart(connection: Connection) -> None:
    """Ask an idle daemon of another version to end, and wait until it did."""
    with connection:
        process = os.pidfd_open(connection.peer_pid())
    try:
        signal.pidfd_send_signal(process, signal.SIGTERM)
        ended, _, _ = select.select([process], [], [], RESTART_TIMEOUT_S)
    finally:
        os.close(process)
    if not ended:
        message = f"cannot restart the daemon: it did not end in {RESTART_TIMEOUT_S:.0f} s"
        raise Fault(Code.BACKEND_TRANSPORT_ERROR, message, "cleanroom doctor")
