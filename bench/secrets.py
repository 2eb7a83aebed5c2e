"""What a secret costs: the same requests over opened TLS without a binding, and with one.

In: nothing. Out: a Figure. Never: a network beyond this machine. Client, gateway, server and the
daemon that writes the audit share the cores, so what is compared runs in turns.
"""

import asyncio
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from bench.cases import Figure
from bench.daemon import Daemon
from bench.measure import cpu_s
from bench.relay import inside
from cleanroom.audit.log import AuditLog
from cleanroom.audit.record import Record
from cleanroom.backends.base import DoorSockets
from cleanroom.daemon.clock import SystemClock
from cleanroom.daemon.content import Content
from cleanroom.daemon.gateway_link import GatewayLink, Supplies
from cleanroom.daemon.settings import GatewaySettings
from cleanroom.events import NetworkEvent
from cleanroom.policy.model import CompiledPolicy, NetworkPolicy, Rule, RuleKind, SecretBinding

HOST = "up.bench"
MB = 1_000_000
SIZE = 20 * MB
REQUESTS, BODIES, ROUNDS = 1500, 10, 5
VALUE = "ghp_" + "0123456789abcdefghijABCDEFGHIJ012345"
MOST_MORE_MS, LEAST_RATE = 0.5, 200 * MB

SERVER = """
import json, os, socket, ssl, sys, threading, time
from cleanroom.gateway.ca import Authority, Validity
from cleanroom.policy.opened import OpenedName
now = int(time.time())
made = Authority([OpenedName(sys.argv[1])], Validity(now - 86400, now + 86400))
context = made.context_for(sys.argv[1])
listening = socket.create_server(("127.0.0.1", 0))
print(json.dumps([listening.getsockname()[1], made.certificate]), flush=True)
answers = {}
for path, body in (("/small", b"ok"), ("/big", os.urandom(int(sys.argv[2])))):
    answers[path] = b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body
def serve(raw):
    with context.wrap_socket(raw, server_side=True) as stream:
        while head := stream.recv(65536):
            stream.sendall(answers[head.split()[1].decode()])
while True:
    threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()
"""

CLIENT = """
import socket, ssl, sys, time
host, path, count, token = sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5]
context = ssl.create_default_context(cadata=open(sys.argv[1]).read())
stream = context.wrap_socket(socket.create_connection((host, 443), 60), server_hostname=host)
request = f"GET {path} HTTP/1.1\\r\\nHost: {host}\\r\\n"
request = f"{request}Authorization: Bearer {token}\\r\\n\\r\\n".encode()
def answer():
    data = b""
    while b"\\r\\n\\r\\n" not in data:
        data += stream.recv(1 << 20)
    head, _, rest = data.partition(b"\\r\\n\\r\\n")
    if b"content-length: " in head.lower():
        left = int(head.lower().split(b"content-length: ")[1].split()[0]) - len(rest)
        while left:
            left -= len(stream.recv(min(left, 1 << 20)))
        return
    tail = rest[-5:]
    while tail != b"0\\r\\n\\r\\n":
        tail = (tail + stream.recv(1 << 20))[-5:]
times = []
for _ in range(count):
    began = time.perf_counter()
    stream.sendall(request)
    answer()
    times.append(time.perf_counter() - began)
print(sorted(times)[len(times) // 2])
"""


def secrets_cost(daemon: Daemon) -> Figure:
    """Milliseconds that substitution and search add to a request; MB/s of a searched body."""
    del daemon
    return asyncio.run(_cost())


async def _cost() -> Figure:
    words = [sys.executable, "-P", "-c", SERVER, HOST, str(SIZE)]
    server = subprocess.Popen(words, stdout=subprocess.PIPE)  # noqa: ASYNC220 -- the upstream
    try:
        assert server.stdout is not None
        port, roots = json.loads(server.stdout.readline())
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            os.chmod(folder, 0o755)  # noqa: PTH101, S103 -- the guest is somebody else
            return await _measured(folder, port, roots)
    finally:
        server.kill()
        server.wait()


async def _measured(folder: Path, port: int, roots: str) -> Figure:
    log = AuditLog(folder / "audit", time.time)

    def record(sandbox_id: str, event: NetworkEvent) -> None:
        log.append([Record(event, sandbox_id=sandbox_id)])

    content = Content(folder / "content", 1 << 30, time.time)
    settings = GatewaySettings(host_services=((f"{HOST}:443", f"127.0.0.1:{port}"),))
    supplies = Supplies(roots, SystemClock(), content)
    link = await GatewayLink.start(settings, record, lambda _: None, supplies)
    plain, bound = Sandbox(link, folder, is_bound=False), Sandbox(link, folder, is_bound=True)
    try:
        small: dict[Sandbox, list[float]] = {plain: [], bound: []}
        big: dict[Sandbox, list[float]] = {plain: [], bound: []}
        spent = {(each, path): 0.0 for each in (plain, bound) for path in ("/small", "/big")}
        for _ in range(ROUNDS):
            for (each, path), times, count in (
                ((plain, "/small"), small[plain], REQUESTS),
                ((bound, "/small"), small[bound], REQUESTS),
                ((plain, "/big"), big[plain], BODIES),
                ((bound, "/big"), big[bound], BODIES),
            ):
                before = cpu_s(link.pid)
                times.append(await each.ask(path, count))
                spent[each, path] += cpu_s(link.pid) - before
    finally:
        await link.stop()
        content.close()
        log.close()
    without, with_one = (statistics.median(small[each]) * 1000 for each in (plain, bound))
    rates = {each: SIZE / statistics.median(big[each]) for each in (plain, bound)}
    values = {
        "request p50 without, ms": round(without, 3),
        "with, ms": round(with_one, 3),
        "more, ms": round(with_one - without, 3),
        "gateway CPU a request without, ms": _each(spent[plain, "/small"], REQUESTS),
        "gateway CPU with, ms": _each(spent[bound, "/small"], REQUESTS),
        "20 MB searched, MB/s": round(rates[bound] / MB),
        "opened only, MB/s": round(rates[plain] / MB),
        "gateway CPU a searched MB, ms": _each(spent[bound, "/big"], BODIES * SIZE / MB),
        "gateway CPU an opened MB, ms": _each(spent[plain, "/big"], BODIES * SIZE / MB),
    }
    holds = with_one - without <= MOST_MORE_MS and rates[bound] >= LEAST_RATE
    return Figure("a secret: swap and search", "p50 +0.5 ms; 200 MB/s", values, holds)


def _each(spent_s: float, count: float) -> float:
    return round(spent_s * 1000 / (ROUNDS * count), 3)


class Sandbox:
    """A guest of the gateway whose TLS to HOST is opened; perhaps with a secret for it."""

    def __init__(self, link: GatewayLink, folder: Path, *, is_bound: bool) -> None:
        self._link = link
        self._folder = folder
        self._rounds = 0
        rule = Rule(RuleKind.EXACT, HOST, (443,), inspect=True)
        binding = SecretBinding("forge", "TOKEN", (HOST,))
        policy = CompiledPolicy("sha256:bench", "", NetworkPolicy((rule,)))
        self._policy = replace(policy, secrets=(binding,)) if is_bound else policy

    async def ask(self, path: str, count: int) -> float:
        """Return the median of so many requests, in seconds."""
        self._rounds += 1
        name = f"sbx_{'bound' if self._policy.secrets else 'plain'}{self._rounds}"
        roots, client = self._folder / f"{name}.pem", self._folder / "client.py"
        roots.write_text(await self._link.authority(name, self._policy))
        client.write_text(CLIENT)
        token = "mine"  # noqa: S105 -- worth nothing
        for binding in self._policy.secrets:
            descriptor = os.memfd_create("secret", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            os.pwrite(descriptor, VALUE.encode(), 0)
            token = await self._link.hold_secret(name, binding, descriptor)

        async def attach(sockets: DoorSockets) -> None:
            await self._link.door(name, self._policy).attach(sockets)

        words = ["/usr/bin/python3", "-I", client, roots, HOST, path, count, token]
        said = await inside(attach, shlex.join(map(str, words)))
        await self._link.close_door(name)
        return float(said)


def main() -> int:
    """Print this figure alone: python -m bench.secrets."""
    print(asyncio.run(_cost()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
