"""A connection to the daemon that is there, or to one started for the purpose.

In: the endpoint, the environment, what to tell the person. Out: Connection. Never: a daemon
started where a person named an endpoint, or work sent to a daemon of another version or of settings
that have changed, unsaid.
"""

import os
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from cleanroom import __version__
from cleanroom.client.blocking import Connection, Waiting, nobody_waits
from cleanroom.client.calls import Call, RemoteError
from cleanroom.client.endpoint import Endpoint, find_endpoint
from cleanroom.client.reply import Reply
from cleanroom.errors import CleanroomError, Code, Fault, Refused

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
    """Return a connection to a daemon of this version and of the settings that stand.

    One that a command started is replaced if it is idle; of another one that is said.
    Raises Fault(backend_transport_error) if there is none and none may be started.
    """
    endpoint = find_endpoint(caller.host, caller.environ, os.getuid())
    connection = _connect(endpoint, caller)
    connection.waiting = caller.waiting
    return connection


def _connect(endpoint: Endpoint, caller: Caller) -> Connection:
    connection = _try(endpoint)
    may_replace = not endpoint.chosen and may_start(caller)
    if connection is not None:
        health = _health(connection, may_end=may_replace)
        if health is not None and _is_current(health):
            return connection
        if health is not None and not (may_replace and _is_replaceable(connection, health)):
            _complain(connection, health, caller)
            return connection
        connection.close()
    return _start(endpoint, caller)


def _health(connection: Connection, *, may_end: bool) -> Reply | None:
    """Return what the daemon says of itself; None if it may be on its way out, replaced."""
    try:
        return connection.call(Call("health"))
    except CleanroomError as error:
        if may_end and error.code in (Code.CONFLICT, Code.BACKEND_TRANSPORT_ERROR):
            return None
        raise


def _is_current(health: Reply) -> bool:
    return health.text("version") == __version__ and not health.text("changed", "")


def _is_replaceable(connection: Connection, health: Reply) -> bool:
    # a daemon of another PID namespace has no number here (unix(7)), and its end cannot be awaited
    return health.flag("on_demand") and health.flag("idle") and connection.peer_pid() > 0


def _complain(connection: Connection, health: Reply, caller: Caller) -> None:
    from cleanroom.client.replace import outdated, remedy  # noqa: PLC0415 -- almost never needed

    pid = connection.peer_pid()
    named = f" (pid {pid})" if pid else ""
    caller.say(f"cleanroom: the daemon{named} {outdated(health)}; {remedy(health, pid)}")


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
        # another command may have started or replaced one while this one waited
        connection, why = _standing(endpoint, caller)
        if connection is None:
            with caller.waiting(START):
                pid = starter.launch()
            caller.say(f"cleanroom: started a daemon (pid {pid}){why}; it ends by itself when idle")
            if names := unread(caller.environ):
                caller.say(f"cleanroom: it reads config.yaml, not {', '.join(names)}")
            connection = _try(endpoint)
    if connection is None:
        message = f"cannot reach the daemon just started at {endpoint.url}"
        raise Fault(Code.BACKEND_TRANSPORT_ERROR, message, starter.log_hint)
    return connection


def _standing(endpoint: Endpoint, caller: Caller) -> tuple[Connection | None, str]:
    """Return the daemon that listens; none if it let itself be replaced, and then why."""
    connection = _try(endpoint)
    if connection is None:
        return None, ""
    health = _health(connection, may_end=True)
    if health is None:
        connection.close()  # whoever replaced it was interrupted before its end
        return None, ""
    if _is_current(health):
        return connection, ""
    from cleanroom.client.replace import outdated, retire  # noqa: PLC0415 -- almost never needed

    try:
        if _is_replaceable(connection, health):
            retire(connection)
            return None, f", as the last one {outdated(health)}"
    except RemoteError as error:
        if error.code is not Code.CONFLICT:
            raise
    _complain(connection, health, caller)  # it began something in the meantime
    return connection, ""
