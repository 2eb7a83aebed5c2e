"""Ports in: a listener on this host's loopback, carried to a port inside.

In: a sandbox, two numbers that a person chose. Out: connections to programs inside, while it lives.
Never: an address beyond 127.0.0.1, a number that the sandbox chose, or a listener that outlives it.

Every connection is one small program inside (backends/base.py, `connect`). Whoever can reach this
host's loopback can use the port, as with any server that is started here.
"""

import asyncio
import contextlib
import errno
from typing import Final

from cleanroom.api.port_types import Port, PortRequest
from cleanroom.backends.base import Process
from cleanroom.daemon.host import Host
from cleanroom.daemon.inside import reached
from cleanroom.daemon.sandbox import LiveSandbox
from cleanroom.daemon.tasks import Tasks
from cleanroom.errors import CleanroomError, Code, Refused, UserError

LOOPBACK: Final = "127.0.0.1"
MOST: Final = 24  # connections to one port at once; others wait
PIECE: Final = 64 * 1024


async def publish(host: Host, sandbox: LiveSandbox, wanted: PortRequest) -> Port:
    """Listen, and carry what connects. The same wish again is granted once.

    Raises UserError(conflict) if the number is taken, Refused if it may not be used.
    """
    known = sandbox.ports.get(wanted.port)
    if known is not None:
        if wanted.host_port in (0, known.host_port):
            return known
        message = f"cannot publish port {wanted.port} again: it is at {known.address}"
        raise UserError(Code.CONFLICT, message, "close it first: cleanroom port --close")
    if sandbox.record.state != "ready":
        message = f"cannot publish a port of the sandbox: it is {sandbox.record.state}"
        raise UserError(Code.CONFLICT, message, "those that live: cleanroom ps")
    bridge = Bridge(host, sandbox, wanted.port)
    number = await bridge.listen(wanted.host_port)
    made = Port(port=wanted.port, host_port=number, address=f"{LOOPBACK}:{number}")
    details = [("port", str(made.port)), ("address", made.address)]
    try:
        host.journal.lifecycle(sandbox, "port.published", details)
    except CleanroomError:
        await bridge.close()
        raise
    sandbox.ports[made.port] = made
    name = f"sandbox {sandbox.record.id} port {made.port}"
    sandbox.watchers[_watcher(made.port)] = host.tasks.start(bridge.serve(), name)
    return made


async def close(host: Host, sandbox: LiveSandbox, port: int) -> Port:
    """End it, with its connections. Raises UserError(conflict) if it is not published."""
    made = sandbox.ports.pop(port, None)
    if made is None:
        message = f"cannot close port {port} of the sandbox: it is not published"
        raise UserError(Code.CONFLICT, message, "cleanroom port SANDBOX lists those that are")
    watcher = sandbox.watchers.pop(_watcher(port))
    watcher.cancel()
    await asyncio.wait((watcher,))
    host.journal.lifecycle(sandbox, "port.closed", [("port", str(port))])
    return made


def _watcher(port: int) -> str:
    return f"port {port}"


class Bridge:
    """One listener. `serve` ends it when it is canceled: with the sandbox, or before."""

    def __init__(self, host: Host, sandbox: LiveSandbox, port: int) -> None:
        self._host = host
        self._sandbox = sandbox
        self._port = port
        self._room = asyncio.Semaphore(MOST)
        self._tasks = Tasks()
        self._server: asyncio.Server | None = None

    async def listen(self, number: int) -> int:
        """Take this number of the host, or any for 0; return it. Raises UserError, Refused."""
        try:
            self._server = await asyncio.start_server(self._accepted, LOOPBACK, number)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                message = f"cannot listen on {LOOPBACK}:{number}: something else does"
                hint = f"name another, or any that is free: {self._port}:0"
                raise UserError(Code.CONFLICT, message, hint) from error
            message = f"cannot listen on {LOOPBACK}:{number}: {error.strerror}"
            raise Refused(Code.BACKEND_UNAVAILABLE, message, "use 1024 or above") from error
        taken: int = self._server.sockets[0].getsockname()[1]
        return taken

    async def serve(self) -> None:
        """Wait for the end, then close everything."""
        try:
            await asyncio.Event().wait()
        finally:
            await self.close()

    async def close(self) -> None:
        """Listen no more, and cut what is under way. Idempotent."""
        if self._server is not None:
            self._server.close()
        await self._tasks.close()

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.start(self._carry(reader, writer), f"connection to port {self._port}")

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        own = Tasks()
        try:
            async with (
                self._room,
                reached(self._host, self._sandbox, lambda it: it.connect(self._port)) as process,
            ):
                own.start(_up(reader, process), "bytes in")
                async for piece in process.output():
                    if piece.stream == 1:
                        writer.write(piece.data)
                        await writer.drain()
        except (CleanroomError, ConnectionError):
            pass  # the sandbox or the client is gone, or too much is under way
        finally:
            await own.close()
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def _up(reader: asyncio.StreamReader, process: Process) -> None:
    with contextlib.suppress(CleanroomError, ConnectionError):
        while data := await reader.read(PIECE):
            await process.write_stdin(data)
        await process.close_stdin()
