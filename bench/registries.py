"""What the content cache serves: pages and large files that it has, over TLS.

In: nothing. Out: a Figure. Never: an upstream; all of it is in the cache before, and what is asked
is written to a real audit log. The client, the gateway and the daemon share the cores.
"""

import asyncio
import hashlib
import os
import shlex
import ssl
import sys
import tempfile
import time
from pathlib import Path

from bench.cases import Figure
from bench.daemon import Daemon
from bench.measure import cpu_s
from bench.relay import inside
from cleanroom.audit.log import AuditLog
from cleanroom.audit.record import Record
from cleanroom.backends.base import DoorSockets
from cleanroom.cache.model import Fields, Key
from cleanroom.daemon.clock import SystemClock
from cleanroom.daemon.content import Content
from cleanroom.daemon.gateway_link import GatewayLink, Supplies
from cleanroom.daemon.settings import GatewaySettings
from cleanroom.decide.artifact import Grant
from cleanroom.events import NetworkEvent
from cleanroom.gateway.forms import form_of
from cleanroom.policy.artifact_pin import ArtifactPin
from cleanroom.policy.model import CompiledPolicy, LockfilePolicy, RegistryPolicy

HOST = "npm.bench"
PAGE, BALL = "/page", "/ball/-/ball-1.0.0.tgz"
MIB = 1024 * 1024
# What is asked for, how often, on how many connections, and how many at once on each.
Load = tuple[str, int, int, int]
ONE, MANY, BALLS = (PAGE, 4800, 1, 30), (PAGE, 9600, 16, 10), (BALL, 30, 1, 1)

CLIENT = """
import socket, ssl, sys, threading, time
def line():
    if sys.argv[1].isdigit():  # a port of this machine, without TLS
        return socket.create_connection(("127.0.0.1", int(sys.argv[1])), 30)
    context = ssl.create_default_context(cadata=open(sys.argv[1]).read())
    made = socket.create_connection(("npm.bench", 443), 30)
    return context.wrap_socket(made, server_hostname="npm.bench")
def ask(path, count, lines, answers):
    request = f"GET {path} HTTP/1.1\\r\\nHost: npm.bench\\r\\n\\r\\n".encode()
    buffer = bytearray(1 << 20)
    def take(stream, left):
        while left:
            left -= stream.recv_into(buffer, min(left, 1 << 20))
    streams = [line() for _ in range(lines)]
    for stream in streams:  # the first answer says how long they are
        stream.sendall(request)
        head = b""
        while b"\\r\\n\\r\\n" not in head:
            head += stream.recv(65536)
        size = int(head.lower().split(b"content-length: ")[1].split()[0])
        size += head.index(b"\\r\\n\\r\\n") + 4
        take(stream, size - len(head))
    began = time.perf_counter()
    for _ in range(count // lines // answers):
        for stream in streams:
            stream.sendall(request * answers)
        for stream in streams:
            take(stream, size * answers)
    return time.perf_counter() - began
path, count, lines, answers = sys.argv[2], *map(int, sys.argv[3:])
print(count / ask(path, count, lines, answers))
"""


def registry_hits(daemon: Daemon) -> Figure:
    """Pages of 5 KB a second, on one connection and on 16; MiB/s of a file of 20 MiB."""
    del daemon
    return asyncio.run(_hits())


async def _hits() -> Figure:
    ball = os.urandom(20 * MIB)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.chmod(folder, 0o755)  # noqa: PTH101, S103 -- the guest is somebody else
        log = AuditLog(folder / "audit", time.time)

        def record(sandbox_id: str, event: NetworkEvent) -> None:
            log.append([Record(event, sandbox_id=sandbox_id)])

        content = Content(folder / "content", 1 << 30, time.time)
        page = Grant("npm", "metadata", PAGE, "page", has_versions=True)
        _put(content, Key(HOST, PAGE, form_of(page, "")), os.urandom(2500).hex().encode())
        _put(content, Key(HOST, BALL), ball)
        supplies = Supplies("", SystemClock(), content)
        await asyncio.sleep(2.5)  # what was written just now is hashed each time
        link = await GatewayLink.start(GatewaySettings(), record, lambda _: None, supplies)
        try:
            policy = policy_of(f"sha512:{hashlib.sha512(ball).hexdigest()}", "ball")
            pages, page_ms = await _rate(link, policy, folder, ONE)
            many, many_ms = await _rate(link, policy, folder, MANY)
            balls, ball_ms = await _rate(link, policy, folder, BALLS)
        finally:
            await link.stop()
            content.close()
            log.close()
    values = {
        "5 KB pages, 1/s": round(pages),
        "gateway CPU a page, ms": round(page_ms, 3),
        "over 16 connections, 1/s": round(many),
        "gateway CPU a page then, ms": round(many_ms, 3),
        "20 MiB file, MiB/s": round(balls * 20),
        "gateway CPU a MiB, ms": round(ball_ms / 20, 3),
    }
    target = "10,000 pages/s on one core; 800 MB/s"
    holds = many_ms <= 0.1 and balls * 20 * MIB >= 800e6
    return Figure("registry, from the cache", target, values, holds)


async def _rate(
    link: GatewayLink, policy: CompiledPolicy, folder: Path, load: Load
) -> tuple[float, float]:
    """Return how many a second, and the gateway's processor time of each in ms."""
    count = load[1]
    sandbox = f"sbx_bench{count}"
    roots, client = folder / f"roots{count}.pem", folder / "client.py"
    roots.write_text(await link.authority(sandbox, policy))
    client.write_text(CLIENT)

    async def attach(sockets: DoorSockets) -> None:
        await link.door(sandbox, policy).attach(sockets)

    before = cpu_s(link.pid)
    words = ["/usr/bin/python3", "-I", client, roots, *load]
    said = await inside(attach, shlex.join(map(str, words)))
    spent = cpu_s(link.pid) - before
    await link.close_door(sandbox)
    return float(said), spent / count * 1000


def _put(content: Content, key: Key, data: bytes) -> None:
    spool = content.store().spool()
    os.write(spool, data)
    content.store().keep(key, spool, Fields("application/json", '"x"'), ())
    os.close(spool)


def policy_of(digest: str, name: str = "huge") -> CompiledPolicy:
    """Return a policy that pins one package."""
    pins = (ArtifactPin(name, "1.0.0", digests=(digest,), source="package-lock.json:1"),)
    lock = LockfilePolicy(enabled=True, lockfiles=("package-lock.json",))
    npm = RegistryPolicy(
        "npm", enabled=True, allowed_hosts=(HOST,), lockfile=lock, artifact_allowlist=pins
    )
    return CompiledPolicy("sha256:bench", "", registries=(npm,))


def main() -> int:
    """Print this figure alone: python -m bench.registries."""
    print(ssl.OPENSSL_VERSION, asyncio.run(_hits()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
