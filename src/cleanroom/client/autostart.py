"""Starting a daemon for a command that found none.

In: the endpoint and the caller's environment. Out: a daemon that listens. Never: the caller's
tokens in its environment, its terminal or descriptors in its hands, or two daemons from two
commands at once.
"""

# pathlib costs 3 ms of every exec:
# ruff: noqa: PTH103, PTH120, PTH123
import fcntl
import os
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Final, NoReturn, Self

from cleanroom.client.calls import RemoteError, read_json
from cleanroom.client.endpoint import Endpoint, state_folder
from cleanroom.client.reply import Reply
from cleanroom.errors import Code, Fault, Refused

READY_FD: Final = 3
LOCK_FD: Final = 4
_ABOVE: Final = 10  # no number that a daemon is given
IDLE_EXIT_S: Final = 900  # unless daemon.idle_exit says otherwise
LOG_TAIL: Final = 2000

# Built, not filtered: a token that nobody thought of must not live on in a daemon.
KEPT: Final = (
    "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "PATH",
    "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME",
    "DBUS_SESSION_BUS_ADDRESS",  # systemd's user manager, asked to delegate a cgroup
)  # fmt: skip


_SETTINGS: Final = tuple(f"CLEANROOM_{word}" for word in (  # the keys of config.yaml begin so
    "APPROVALS", "CACHE_", "DAEMON_", "GATEWAY_", "LIMITS_", "MISE_", "TOOLS", "WORKSPACE_",
))  # fmt: skip


def daemon_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment of a daemon that is started by a command."""
    return {name: environ[name] for name in KEPT if name in environ}


def unread(environ: Mapping[str, str]) -> list[str]:
    """Return the settings in the caller's environment that such a daemon does not hear of."""
    return sorted(name for name in environ if name.startswith(_SETTINGS))


def daemon_argv(endpoint: Endpoint) -> list[str]:
    """Return its command line. -P: nothing is imported from the folder it starts in."""
    return [
        sys.executable, "-P", "-m", "cleanroom.daemon.main",
        "--listen", endpoint.url,
        "--idle-exit", str(IDLE_EXIT_S),
        "--ready-fd", str(READY_FD),
        "--lock-fd", str(LOCK_FD),
    ]  # fmt: skip


class Starter:
    """The right to start a daemon for an endpoint: one command at a time holds it.

    So does the daemon until it serves: the command may be interrupted, and another one come.
    """

    def __init__(self, endpoint: Endpoint, environ: Mapping[str, str]) -> None:
        self._endpoint = endpoint
        self._environ = environ
        self._log = f"{state_folder(environ, os.getuid())}/daemon.log"
        self._lock = -1

    @property
    def log_hint(self) -> str:
        """Where to look when it does not answer."""
        return f"read {self._log}"

    def __enter__(self) -> Self:
        folder = os.path.dirname(self._endpoint.path)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            os.makedirs(os.path.dirname(self._log), mode=0o700, exist_ok=True)
            self._lock = os.open(f"{folder}/start.lock", flags, 0o600)
        except OSError as error:
            message = f"cannot start a daemon: {error.filename}: {error.strerror}"
            hint = "let XDG_RUNTIME_DIR and XDG_STATE_HOME name folders that you may write"
            raise Refused(Code.BACKEND_UNAVAILABLE, message, hint) from error
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._lock)

    def launch(self) -> int:
        """Start it and wait until it listens; return its pid.

        Raises RemoteError with what it says it lacks, Fault(backend_transport_error) with the end
        of its log if it says nothing.
        """
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            self._become_daemon(writer)
        os.close(writer)
        with open(reader, "rb") as ready:
            line = ready.readline()
        if line:
            self._check(read_json(line))
            return pid
        _, status = os.waitpid(pid, 0)
        message = f"cannot start a daemon: it ended with status {os.waitstatus_to_exitcode(status)}"
        raise Fault(
            Code.BACKEND_TRANSPORT_ERROR, f"{message}: {self._last_words()}", "cleanroom doctor"
        )

    @staticmethod
    def _check(told: Reply) -> None:
        if not told.flag("ready"):
            raise RemoteError(told)

    def _become_daemon(self, writer: int) -> NoReturn:
        """In the child, which has one thread: own session, no terminal, cwd /, own descriptors."""
        try:
            os.setsid()
            os.chdir("/")
            null = os.open(os.devnull, os.O_RDWR)
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
            log = os.open(self._log, flags, 0o600)
            ready, lock = (
                fcntl.fcntl(each, fcntl.F_DUPFD, _ABOVE) for each in (writer, self._lock)
            )
            given = ((null, 0), (log, 1), (log, 2), (ready, READY_FD), (lock, LOCK_FD))
            for source, target in given:
                os.dup2(source, target)
            os.closerange(LOCK_FD + 1, 1024)
            os.execve(  # noqa: S606 -- our own interpreter
                sys.executable,
                daemon_argv(self._endpoint),
                daemon_environment(self._environ),
            )
        finally:
            os._exit(127)

    def _last_words(self) -> str:
        try:
            with open(self._log, encoding="utf-8", errors="replace") as log:
                lines = log.read()[-LOG_TAIL:].strip().splitlines()
        except OSError:
            return "it wrote no log"
        return lines[-1] if lines else "it said nothing"
