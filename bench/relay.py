"""The gateway's own figures, beside HAProxy in TCP mode behind a door just like it.

In: nothing. Out: Figures for bulk, new connections and DNS. Never: a network beyond this machine.
Client -> TPROXY door in its own network namespace -> relay -> loopback, all on the same cores. Our
side writes every verdict to a real audit log before it may act; HAProxy decides and writes nothing.
"""

import asyncio
import contextlib
import itertools
import json
import os
import shlex
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import cleanroom
from bench.cases import Figure
from bench.daemon import Daemon
from cleanroom.audit.log import AuditLog
from cleanroom.audit.record import Record
from cleanroom.backends.base import DoorSockets
from cleanroom.backends.launcher import Launcher, Step
from cleanroom.daemon.clock import SystemClock
from cleanroom.daemon.content import Content
from cleanroom.daemon.gateway_link import GatewayLink, Supplies
from cleanroom.daemon.settings import GatewaySettings
from cleanroom.events import NetworkEvent
from cleanroom.policy.model import CompiledPolicy, NetworkPolicy, Rule, RuleKind

HERE = Path(__file__).resolve().parent
LAUNCHER = Path(cleanroom.__file__).parent / "bin" / "cleanroom-launch"
ROUNDS = 3
SECONDS = 3
# A sandbox may make 5,000 connections at once (gateway/budgets.py): the load must end before, or
# what is measured is that bound.
MOMENTS, MOMENT_S = 9, 0.5
FIRST_GUEST_FD = 10
NAME = "upstream.bench"
ANY_ADDRESS = "198.18.0.50"  # HAProxy takes whatever arrives

Attach = Callable[[DoorSockets], Awaitable[None]]

HAPROXY = """
global
  maxconn 4000
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen relay
  bind fd@{descriptor}
  server upstream 127.0.0.1:{port}
"""


@dataclass(frozen=True)
class Relays:
    """Both relays in front of one port on loopback, each as a way to attach a door."""

    ours: Attach
    theirs: Attach | None


def relay_bulk(daemon: Daemon) -> Figure:
    """Bytes a second over 1 and 8 connections; peer: HAProxy."""
    del daemon
    return asyncio.run(_bulk())


def relay_connections(daemon: Daemon) -> Figure:
    """New connections a second, 16 at a time; peer: HAProxy."""
    del daemon
    return asyncio.run(_connections())


def dns_answers(daemon: Daemon) -> Figure:
    """Time of a DNS answer as a client inside sees it, its audit line written."""
    del daemon
    return asyncio.run(_dns())


async def _bulk() -> Figure:
    target = "1 and 8 connections >= 0.75 x HAProxy"
    iperf = shutil.which("iperf3")
    if iperf is None:
        return Figure("relay, bulk", target, {"skipped": "no iperf3"})
    port = _free_port()
    values: dict[str, Any] = {}
    async with _process(iperf, "-s", "-B", "127.0.0.1", "-p", str(port)), _relays(port) as relays:
        for parallel in (1, 8):
            load = f"{iperf} -c HOST -p {port} -t {SECONDS} -P {parallel} -J"
            rates = await _both(relays, load, _gigabits)
            values[f"{parallel} connection(s), Gbit/s"] = rates
    ratios = [rates["ratio"] for rates in values.values() if "ratio" in rates]
    return Figure("relay, bulk", target, values, all(r >= 0.75 for r in ratios) if ratios else None)


async def _connections() -> Figure:
    target = "16 at a time >= 0.5 x HAProxy"
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101, S103 -- the guest is somebody else
        load = Path(folder) / "connections"
        compiler = ["cc", "-O2", "-o", str(load), str(HERE / "connections.c")]
        subprocess.run(compiler, check=True)  # noqa: ASYNC221
        port = _free_port()
        values: dict[str, Any] = {}
        async with _process(str(load), "serve", str(port)), _relays(port) as relays:
            for parallel in (1, 16):
                ask = f"{load} ask HOST {port} {parallel} {MOMENT_S}"
                rates = await _both(relays, ask, _first_number, MOMENTS)
                values[f"{parallel} at a time, 1/s"] = rates
    ratio = values["16 at a time, 1/s"].get("ratio")
    return Figure("relay, new connections", target, values, ratio >= 0.5 if ratio else None)


async def _dns() -> Figure:
    program = """
import socket, struct, time
def query(name):
    labels = b''.join(bytes([len(p)]) + p for p in name.encode().split(b'.'))
    return b'\\0\\1\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0' + labels + b'\\0\\0\\1\\0\\1'
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(('198.18.0.1', 53))
s.settimeout(5)
taken = []
for n in range(3000):
    began = time.perf_counter()
    s.send(query(f'n{n}.wild.test'))
    s.recv(512)
    taken.append(time.perf_counter() - began)
    time.sleep(0.002)
taken.sort()
print(taken[len(taken) // 2] * 1000, taken[int(len(taken) * 0.99)] * 1000)
"""
    async with _relays(_free_port()) as relays:
        text = await inside(relays.ours, f"/usr/bin/python3 -I -c {shlex.quote(program)}")
    p50, p99 = (round(float(word), 3) for word in text.split())
    values = {"p50_ms": p50, "p99_ms": p99, "queries": 3000}
    return Figure("DNS answers", "p99 <= 2 ms", values, p99 <= 2)


# --- both relays -----------------------------------------------------------------------------


class OneName(asyncio.DatagramProtocol):
    """A resolver that knows one address: the upstreams are on loopback."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where answers go."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer A with 127.0.0.1, everything else with nothing."""
        is_a = data[-4:-2] == b"\0\1"
        record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1" if is_a else b""
        counts = b"\0\1" + (b"\0\1" if is_a else b"\0\0") + bytes(4)
        self._transport.sendto(data[:2] + b"\x81\x80" + counts + data[12:] + record, addr)


@asynccontextmanager
async def _relays(port: int) -> AsyncIterator[Relays]:
    loop = asyncio.get_running_loop()
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        log = AuditLog(folder / "audit", time.time)
        stack.callback(log.close)

        def record(sandbox_id: str, event: NetworkEvent) -> None:
            log.append([Record(event, sandbox_id=sandbox_id)])

        names, _ = await loop.create_datagram_endpoint(OneName, local_addr=("127.0.0.1", 0))
        stack.callback(names.close)
        resolver = f"127.0.0.1:{names.get_extra_info('sockname')[1]}"
        settings = GatewaySettings(private_hosts=(NAME,), resolvers=(resolver,))
        content = Content(folder / "content", 1 << 30, time.time)
        stack.callback(content.close)
        supplies = Supplies("", SystemClock(), content)
        link = await GatewayLink.start(settings, record, lambda _: None, supplies)
        stack.push_async_callback(link.stop)
        theirs = _haproxy(port, folder, stack) if shutil.which("haproxy") else None
        yield Relays(_ours(link, port), theirs)


def _ours(link: GatewayLink, port: int) -> Attach:
    rules = (
        Rule(RuleKind.EXACT, NAME, (port,)),
        Rule(RuleKind.WILDCARD, "wild.test", (443,)),
    )
    policy = CompiledPolicy("sha256:bench", "", NetworkPolicy(rules))
    numbers = itertools.count()

    async def attach(sockets: DoorSockets) -> None:
        await link.door(f"sbx_bench{next(numbers)}", policy).attach(sockets)

    return attach


def _haproxy(port: int, folder: Path, stack: contextlib.AsyncExitStack) -> Attach:
    program = shutil.which("haproxy") or "haproxy"

    async def attach(sockets: DoorSockets) -> None:
        config = folder / "haproxy.cfg"
        config.write_text(HAPROXY.format(descriptor=sockets.tcp4, port=port))
        process = subprocess.Popen(  # noqa: ASYNC220 -- the peer, not part of us
            [program, "-f", str(config), "-db", "-q"],
            pass_fds=(sockets.tcp4,),
            stderr=subprocess.DEVNULL,
        )
        stack.callback(process.wait)
        stack.callback(process.kill)
        # It answers nothing until it has read its configuration; the client's SYN waits for that.
        for name in ("tcp4", "tcp6", "dns4", "dns6", "udp4", "udp6"):
            os.close(getattr(sockets, name))

    return attach


@asynccontextmanager
async def _process(*argv: str) -> AsyncIterator[None]:
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)  # noqa: ASYNC220
    try:
        # By looking, not by connecting: iperf3 would take that for a test.
        listening = f":{int(argv[-1]):04X} 00000000:0000 0A"
        while listening not in Path("/proc/net/tcp").read_text():  # noqa: ASYNC240
            if process.poll() is not None:
                raise RuntimeError(argv)
            await asyncio.sleep(0.01)
        yield
    finally:
        process.kill()
        process.wait()


async def _both(
    relays: Relays, load: str, read: Callable[[str], float], rounds: int = ROUNDS
) -> dict[str, float]:
    """Run the load through both in turns; return the medians and their ratio."""
    rates: dict[str, list[float]] = {"cleanroom": [], "haproxy": []}
    for _ in range(rounds):
        resolved = f"HOST=$(getent ahostsv4 {NAME} | head -1 | cut -d' ' -f1); "
        command = resolved + load.replace("HOST", "$HOST")
        rates["cleanroom"].append(read(await inside(relays.ours, command)))
        if relays.theirs is not None:
            command = load.replace("HOST", ANY_ADDRESS)
            rates["haproxy"].append(read(await inside(relays.theirs, command)))
    found = {who: round(statistics.median(of), 2) for who, of in rates.items() if of}
    if "haproxy" in found:
        found["ratio"] = round(found["cleanroom"] / found["haproxy"], 2)
    return found


async def inside(attach: Attach, command: str) -> str:
    """Run a shell command behind a door in a namespace of its own; return what it printed."""
    root = os.geteuid() == 0
    steps = [
        *([] if root else [Step("userns", (str(os.geteuid()), str(os.getegid())))]),
        Step("netns"),
        Step("door"),
        Step("drop", ("60000", "60000") if root else ("0", "0")),
        Step("wait"),
        Step("exec", ("/bin/bash", "-c", f"exec >&{FIRST_GUEST_FD}; {command}")),
    ]
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            launcher = Launcher.start(str(LAUNCHER), steps, [theirs.fileno()], 2)
        await attach(await launcher.door())
        await launcher.prepared()
        await launcher.go()
        launcher.close()
        ours.settimeout(0)
        text = b""
        while piece := await asyncio.get_running_loop().sock_recv(ours, 65536):
            text += piece
        await launcher.child.wait()
    return text.decode()


def _gigabits(text: str) -> float:
    return float(json.loads(text)["end"]["sum_received"]["bits_per_second"]) / 1e9


def _first_number(text: str) -> float:
    return float(text.split()[0])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> int:
    """Print the figures of this file alone: python -m bench.relay."""
    for work in (_bulk, _connections, _dns):
        print(asyncio.run(work()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
