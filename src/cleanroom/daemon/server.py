"""The listening socket and the HTTP server on it.

In: an address, an application. Out: a server, until it is stopped. Never: a second daemon on one
socket or one state, a socket that others can reach, or somebody's file removed.
"""

import asyncio
import contextlib
import fcntl
import os
import socket
import stat
from pathlib import Path
from typing import Final, Self

from aiohttp import web

from cleanroom.daemon.paths import MAX_SOCKET_BYTES, make_private
from cleanroom.errors import Code, Fault, Refused, UsageError

BACKLOG: Final = 512
KEEP_ALIVE_S: Final = 30.0  # also the time that a client has for the head of a request
LAST_WORDS_S: Final = 2.0  # for handlers that still answer when the daemon stops
_LOOK_S: Final = 0.02
LOOKS: Final = 1500  # half a minute, for a daemon that is on its way out
_ENDING: Final = b"ending\n"


def socket_path(listen: str) -> Path:
    """Return the path of a unix:// address. Raises UsageError for anything else."""
    path = listen.removeprefix("unix://")
    if path == listen or not path.startswith("/"):
        message = f"cannot listen on {listen!r}"
        raise UsageError(Code.REQUEST_INVALID, message, "write --listen unix:///PATH")
    if len(os.fsencode(path)) > MAX_SOCKET_BYTES:
        message = f"cannot listen on {path}: it is longer than {MAX_SOCKET_BYTES} bytes"
        raise UsageError(Code.REQUEST_INVALID, message, "name a shorter path")
    return Path(path)


class Lock:
    """A file that one process holds; it goes with the process, however that ends.

    What it says is of the process that holds it: nothing, or that it is on its way out.
    """

    def __init__(self, path: Path, what: str) -> None:
        """Take it. Raises Refused(conflict) if another process has it."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            self._descriptor = os.open(path, flags, 0o600)
        except OSError as error:
            message = f"cannot open {path}: {error.strerror}"
            raise Fault(Code.INTERNAL, message) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            message = f"cannot serve: another daemon has {what}"
            raise Refused(Code.CONFLICT, message, "use that one, or stop it") from None
        os.ftruncate(self._descriptor, 0)  # what one that was killed said

    def say_ending(self) -> None:
        """Let the next one wait for the end of this one; where the disk is full, it is refused."""
        with contextlib.suppress(OSError):  # nothing keeps a daemon from ending what it has
            os.pwrite(self._descriptor, _ENDING, 0)

    def release(self) -> None:
        """Let go of it."""
        os.close(self._descriptor)


async def wait_for_last(path: Path) -> None:
    """Return when nobody has the lock who says that it is on its way out, or after a while."""
    for _ in range(LOOKS):
        if not _is_ending(path):
            return
        await asyncio.sleep(_LOOK_S)


def _is_ending(path: Path) -> bool:
    """Tell it. What cannot be opened is no answer: whoever takes the lock says what is wrong."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        if os.pread(descriptor, len(_ENDING), 0) != _ENDING:
            return False
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False  # it was killed


class Listener:
    """A unix socket of mode 0600 in a folder of mode 0700, removed at the end."""

    def __init__(self, path: Path) -> None:
        """Bind it. Raises Refused(conflict), Fault(internal)."""
        if not path.parent.exists():
            make_private(path.parent)
        self._path = path
        self._lock = Lock(path.with_name(f"{path.name}.lock"), str(path))
        try:
            self._remove_stale()
            self.socket = self._bind()
        except OSError as error:
            self._lock.release()
            message = f"cannot listen on {path}: {error.strerror}"
            raise Fault(Code.INTERNAL, message) from error
        except Fault:
            self._lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
        self._path.unlink(missing_ok=True)
        self._lock.release()

    def _remove_stale(self) -> None:
        """Remove what a killed daemon left: the lock says that nobody serves it."""
        try:
            status = self._path.lstat()
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(status.st_mode) or status.st_uid != os.geteuid():
            message = f"cannot listen on {self._path}: something else is there"
            raise Fault(Code.INTERNAL, message, "move it away")
        self._path.unlink()

    def _bind(self) -> socket.socket:
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            before = os.umask(0o177)
            try:
                listening.bind(os.fspath(self._path))
            finally:
                os.umask(before)
            listening.listen(BACKLOG)
        except OSError:
            listening.close()
            raise
        return listening


class HttpServer:
    """The application on a listening socket."""

    def __init__(self, application: web.Application, listening: socket.socket) -> None:
        self._listening = listening
        self._runner = web.AppRunner(
            application,
            access_log=None,
            handle_signals=False,
            keepalive_timeout=KEEP_ALIVE_S,
            shutdown_timeout=LAST_WORDS_S,
            auto_decompress=False,  # a body that grows while it is read is refused
            tcp_keepalive=False,
        )
        self._site: web.SockSite | None = None

    async def start(self) -> None:
        """Serve."""
        await self._runner.setup()
        self._site = web.SockSite(self._runner, self._listening, backlog=BACKLOG)
        await self._site.start()

    async def refuse_new(self) -> None:
        """Accept nobody else; those who are connected go on."""
        if self._site is not None:
            await self._site.stop()

    async def stop(self) -> None:
        """End every connection."""
        await self._runner.cleanup()
