"""What the gateway's memory grows by while a registry sends what it should not, or very much.

In: nothing. Out: a Figure. Never: a network beyond this machine; the registry is a thread here, and
is reached as an operator's proxy is.
"""

import asyncio
import contextlib
import gzip
import hashlib
import os
import shlex
import socket
import ssl
import sys
import tempfile
import threading
import time
from pathlib import Path

from bench.cases import Figure
from bench.daemon import Daemon
from bench.registries import MIB, policy_of
from bench.relay import inside
from cleanroom.backends.base import DoorSockets
from cleanroom.daemon.clock import SystemClock
from cleanroom.daemon.content import Content
from cleanroom.daemon.gateway_link import GatewayLink, Supplies
from cleanroom.daemon.settings import GatewaySettings
from cleanroom.gateway.ca import Authority, Validity
from cleanroom.policy.opened import OpenedName

HOST = "npm.bench"
HUGE = "/huge/-/huge-1.0.0.tgz"
SIZE = 1024 * MIB
MOST = 64 * MIB
_PIECE = bytes(range(256)) * 4096  # 1 MiB
_CLIENT = """
import socket, ssl, sys
context = ssl.create_default_context(cadata=open(sys.argv[1]).read())
made = socket.create_connection(("npm.bench", 443), 120)
with context.wrap_socket(made, server_hostname="npm.bench") as stream:
    fields = "Host: npm.bench\\r\\nConnection: close\\r\\n\\r\\n"
    stream.sendall(f"GET {sys.argv[2]} HTTP/1.1\\r\\n{fields}".encode())
    head = stream.recv(12)
    size, buffer = 0, bytearray(1 << 20)
    try:
        while got := stream.recv_into(buffer):
            size += got
    except (ssl.SSLError, ConnectionError):
        pass
print(head.decode().split()[1], size)
"""


def gateway_extremes(daemon: Daemon) -> Figure:
    """An artifact of 1 GiB, a page that is a gzip bomb, a page without an end."""
    del daemon
    return asyncio.run(_extremes())


async def _extremes() -> Figure:
    now = int(time.time())
    authority = Authority((OpenedName(HOST),), Validity(now - 3600, now + 3600))
    context = authority.context_for(HOST)
    if context is None:
        message = "the authority does not speak for its own name"
        raise RuntimeError(message)
    values: dict[str, str] = {}
    most = 0
    with tempfile.TemporaryDirectory() as name, _Registry(context) as registry:
        folder = Path(name)
        os.chmod(folder, 0o755)  # noqa: PTH101, S103 -- the guest is somebody else
        content = Content(folder / "content", 4 << 30, time.time)
        settings = GatewaySettings(proxy=f"127.0.0.1:{registry.port}")
        supplies = Supplies(authority.certificate, SystemClock(), content)
        link = await GatewayLink.start(settings, lambda _, __: None, lambda _: None, supplies)
        try:
            for what, path in (
                ("1 GiB", HUGE),
                ("gzip bomb", "/bomb"),
                ("endless page", "/endless"),
            ):
                said, grown = await _one(link, folder, path)
                values[what] = f"{said}: +{grown / MIB:.1f} MiB"
                most = max(most, grown)
        finally:
            await link.stop()
            content.close()
    return Figure("gateway memory at its worst", "<= +64 MiB", dict(values), most <= MOST)


async def _one(link: GatewayLink, folder: Path, path: str) -> tuple[str, int]:
    """Return what the client saw, and how far the gateway's memory grew at most."""
    sandbox = f"sbx_{path.strip('/')[:4]}"
    policy = policy_of(_digest())
    roots, client = folder / f"{sandbox}.pem", folder / "client.py"
    roots.write_text(await link.authority(sandbox, policy))
    client.write_text(_CLIENT)

    async def attach(sockets: DoorSockets) -> None:
        await link.door(sandbox, policy).attach(sockets)

    before = _start(link.pid)
    said = await inside(
        attach, shlex.join(map(str, ("/usr/bin/python3", "-I", client, roots, path)))
    )
    grown = _memory(link.pid, "VmHWM") - before
    await link.close_door(sandbox)
    status, size = said.split()
    return f"{status}, {int(size) // MIB} MiB", grown


def _digest() -> str:
    digest = hashlib.sha512()
    for _ in range(SIZE // MIB):
        digest.update(_PIECE)
    return f"sha512:{digest.hexdigest()}"


def _start(pid: int) -> int:
    """Begin to measure the most that it holds; return what it holds now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return _memory(pid, "VmRSS")


def _memory(pid: int, what: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) * 1024
    return 0


class _Registry:
    """Takes CONNECT as a proxy does, and is then the host itself."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]

    def __enter__(self) -> "_Registry":
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                made, _ = self._socket.accept()
                threading.Thread(target=self._answer, args=(made,), daemon=True).start()

    def _answer(self, made: socket.socket) -> None:
        with contextlib.suppress(OSError), made:
            _head(made)
            made.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            with self._context.wrap_socket(made, server_side=True) as stream:
                path = _head(stream).split()[1].decode()
                stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
                {"/bomb": _bomb, "/endless": _endless}.get(path, _huge)(stream)


def _head(stream: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        data = stream.recv(65536)
        if not data:
            raise ConnectionError
        head += data
    return head


def _huge(stream: socket.socket) -> None:
    stream.sendall(b"Content-Length: %d\r\n\r\n" % SIZE)
    for _ in range(SIZE // MIB):
        stream.sendall(_PIECE)


def _bomb(stream: socket.socket) -> None:
    data = gzip.compress(bytes(64 * MIB))
    stream.sendall(b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(data), data))


def _endless(stream: socket.socket) -> None:
    stream.sendall(b"Transfer-Encoding: chunked\r\n\r\n")
    while True:
        stream.sendall(b"%x\r\n%b\r\n" % (len(_PIECE), _PIECE))


def main() -> int:
    """Print this figure alone: python -m bench.extremes."""
    print(asyncio.run(_extremes()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
