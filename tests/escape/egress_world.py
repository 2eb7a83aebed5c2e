"""A world to escape into: a real daemon and gateway, and an Internet made of the test's servers.

In: a Home. Out: World: hostile programs run in real sandboxes, and all that reached the outside is
kept: connections with their bytes, DNS questions, packets. Never: this machine's own network.

The daemon runs in a namespace of its own (egress_namespace.py) where every address answers, with
its operator's resolver at 127.0.0.53. Nothing in `arrivals` and `packets` means that nothing left.
"""

import contextlib
import json
import os
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from tests.conftest import Home
from tests.escape import egress_namespace, egress_tools

PUBLIC: Final = "203.0.113.10"  # where allowed names are (RFC 5737: not special to the gateway)
PUBLIC6: Final = "2001:db8::10"
_SYN, _SYN_ACK = 0x02, 0x12
_CNAME = 5  # RFC 1035 3.2.2
OPERATOR: Final = "gateway:\n  resolvers: [127.0.0.53]\n"

TOOLS: Final = Path(egress_tools.__file__).read_text()


# The daemon and the command line as a person starts them, so as processes of the test.
Process = subprocess.Popen[bytes]  # noqa: TID251


@dataclass
class Arrival:
    """One connection that reached the outside."""

    address: str
    port: int
    received: bytearray = field(default_factory=bytearray)
    last_at: float = 0.0  # of the last bytes, time.monotonic()
    is_closed: bool = False
    audit: str = ""  # the whole log, as it was when the first bytes were there

    @property
    def requests(self) -> list[bytes]:
        """The request lines a careless server sees."""
        lines = bytes(self.received).split(b"\r\n")
        return [line for line in lines if line.endswith(b" HTTP/1.1")]


@dataclass(frozen=True)
class Packet:
    """One packet the host sent. `protocol` is tcp, udp or the number; port 0: it has none."""

    protocol: str
    address: str
    port: int


class Internet:
    """All servers of the world, in one thread. `names` are at PUBLIC to begin with."""

    names: tuple[str, ...] = ("good.test",)

    def __init__(self, sockets: list[socket.socket], read_audit: Callable[[], str]) -> None:
        self.zone: dict[str, list[str]] = {}
        self.aliases: dict[str, str] = {}  # names that are told with a CNAME in front
        self.arrivals: list[Arrival] = []
        self.queries: list[str] = []
        self.packets: list[Packet] = []
        self._read_audit = read_audit
        self._selector = selectors.DefaultSelector()
        *servers, dns, packets = sockets
        for server in servers:
            self._watch(server, self._accept)
        self._watch(dns, self._answer)
        self._watch(packets, self._note)
        self._wake, waker = socket.socketpair()
        self._watch(waker, None)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def forget(self) -> None:
        """Forget what arrived so far, and the names."""
        for seen in (self.arrivals, self.queries, self.packets):
            seen.clear()
        self.zone.clear()
        self.aliases.clear()
        self.zone.update({name: [PUBLIC] for name in self.names})

    def close(self) -> None:
        """End the thread and close every socket."""
        self._wake.close()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()

    def _watch(self, sock: socket.socket, act: Callable[[socket.socket], None] | None) -> None:
        sock.setblocking(False)  # noqa: FBT003
        self._selector.register(sock, selectors.EVENT_READ, act)

    def _serve(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    return
                with contextlib.suppress(BlockingIOError):
                    key.data(key.fileobj)

    def _accept(self, server: socket.socket) -> None:
        stream, _ = server.accept()
        address, port = stream.getsockname()[:2]
        arrival = Arrival(address, port)
        self.arrivals.append(arrival)
        self._watch(stream, lambda sock: self._receive(sock, arrival))

    def _receive(self, stream: socket.socket, arrival: Arrival) -> None:
        try:
            data = stream.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            arrival.is_closed = True
            self._selector.unregister(stream)
            stream.close()
            return
        arrival.audit = arrival.audit or self._read_audit()
        seen = len(arrival.requests)
        arrival.received += data
        arrival.last_at = time.monotonic()
        web = arrival.port in (80, 8080)
        answers = len(arrival.requests) - seen if web else 1
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" if web else b"upstream\n"
        with contextlib.suppress(OSError):
            stream.sendall(answer * answers)

    def _answer(self, dns: socket.socket) -> None:
        query, sender = dns.recvfrom(4096)
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode("ascii"))
            at += 1 + query[at]
        name, kind = ".".join(labels), query[at + 2]
        self.queries.append(name)
        version = 6 if kind == 28 else 4
        owner, alias = b"\xc0\x0c", self.aliases.get(name)
        known = [ip_address(text) for text in self.zone.get(alias or name, [])]
        found = [address.packed for address in known if address.version == version]
        records = []
        if alias:
            target = b"".join(egress_tools.vector(1, x) for x in alias.encode().split(b".")) + b"\0"
            records.append(_record(owner, _CNAME, target))
            owner = target
        records += [_record(owner, kind, data) for data in found]
        head = query[:2] + b"\x81\x80\0\1" + len(records).to_bytes(2, "big") + bytes(4)
        dns.sendto(head + query[12 : at + 5] + b"".join(records), sender)

    def _note(self, packets: socket.socket) -> None:
        for _ in range(64):
            data, origin = packets.recvfrom(128)
            if origin[2] != socket.PACKET_OUTGOING:
                continue
            six = data[0] >> 4 == 6
            number, at = (data[6], 40) if six else (data[9], (data[0] & 15) * 4)
            address = str(ip_address(data[24:40] if six else data[16:20]))
            name = {6: "tcp", 17: "udp"}.get(number, str(number))
            if name == "tcp" and data[at + 13] & _SYN_ACK != _SYN:
                continue  # the first packet of a connection is enough
            port = int.from_bytes(data[at + 2 : at + 4], "big") if name in ("tcp", "udp") else 0
            self.packets.append(Packet(name, address, port))


def _record(owner: bytes, kind: int, data: bytes) -> bytes:
    return owner + b"\0%c\0\1\0\0\0\0" % kind + egress_tools.vector(2, data)


@dataclass(frozen=True)
class Report:
    """What a program said, and what the audit says of it."""

    result: Any
    status: int
    stderr: str
    audit: list[dict[str, Any]]

    @property
    def sandbox_id(self) -> str:
        """The sandbox it ran in."""
        return str(self.audit[0]["sandbox_id"])

    def denials(self, *codes: str) -> list[dict[str, Any]]:
        """Return the refusals, of these codes if any are given."""
        refused = [event for event in self.audit if event.get("code")]
        return [event for event in refused if not codes or event["code"] in codes]

    def allowed(self, protocol: str) -> list[dict[str, Any]]:
        """Return the verdicts that let something pass."""
        return [
            event
            for event in self.audit
            if event.get("phase") == "verdict"
            and event.get("allowed")
            and event["protocol"] == protocol
        ]


@dataclass
class Running:
    """A program under way."""

    process: Process
    result_file: Path

    def await_ready(self) -> None:
        """Wait for its `await_word`."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n", self.process.communicate()


class World:
    """A daemon, and everything outside of it."""

    def __init__(
        self, home: Home, config: str = OPERATOR, internet: "type[Internet] | None" = None
    ) -> None:
        self.home = home
        (home.config / "cleanroom").mkdir()
        (home.config / "cleanroom" / "config.yaml").write_text(config)
        self._url = f"unix://{home.runtime}/d.sock"
        self._count = 0
        ours, theirs = socket.socketpair()
        ready, told = os.pipe()
        daemon = [sys.executable, "-P", "-m", "cleanroom.daemon.main", "--listen", self._url]
        namespace = [sys.executable, "-P", egress_namespace.__file__, str(theirs.fileno())]
        with theirs, ours, (home.home / "daemon.log").open("wb") as log:
            self.daemon = Process(
                [*namespace, *daemon, "--ready-fd", str(told)],
                env=home.environment,
                pass_fds=(theirs.fileno(), told),
                stderr=log,
            )
            os.close(told)
            theirs.close()
            _, numbers, _, _ = socket.recv_fds(ours, 1, len(egress_namespace.SOCKETS))
        self.internet = (internet or Internet)(
            [socket.socket(fileno=n) for n in numbers], self.read_audit
        )
        with os.fdopen(ready, "rb") as pipe:
            said = pipe.readline()
        if not json.loads(said or b"{}").get("ready"):
            self.close()
            raise AssertionError(self.log)

    def close(self) -> None:
        """End the daemon and the servers."""
        self.daemon.terminate()
        self.daemon.wait(20)
        self.internet.close()

    @property
    def log(self) -> str:
        """What the daemon logged."""
        return (self.home.home / "daemon.log").read_text()

    def read_audit(self) -> str:
        """Return the audit log as it is now."""
        folder = self.home.state / "cleanroom" / "audit"
        return "".join(path.read_text() for path in sorted(folder.glob("*.jsonl")))

    @property
    def gateway_pid(self) -> int:
        """The gateway process of this daemon."""
        task = Path(f"/proc/{self.daemon.pid}/task/{self.daemon.pid}/children")
        for pid in task.read_text().split():
            if b"gateway_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return int(pid)
        raise AssertionError(self.log)

    def command(self, *words: str) -> Process:
        """Start the command line."""
        return Process(
            [sys.executable, "-P", "-m", "cleanroom", *words],
            env={**self.home.environment, "CLEANROOM_HOST": self._url},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def start(
        self,
        policy: str | None,
        program: str,
        *flags: str,
        files: Mapping[str, str] | None = None,
    ) -> Running:
        """Start a program that sets `result` in a sandbox of its own under this policy.

        `files` are in its workspace.
        """
        self._count += 1
        folder = self.home.home / f"work{self._count}"
        folder.mkdir()
        texts = {} if policy is None else {"cleanroom.yaml": policy}
        for name, text in {**texts, **(files or {})}.items():
            (folder / name).write_text(text)
        file = self.home.home / f"result{self._count}.json"
        source = f"{TOOLS}\n{program}\nimport json\nprint(json.dumps(result), flush=True)"
        words = ("exec", "-C", str(folder), "--result-file", str(file), *flags)
        (folder / "program.py").write_text(source)
        process = self.command(*words, "--", "/usr/bin/python3", "-IS", "program.py")
        return Running(process, file)

    def finish(self, running: Running, said: bytes = b"") -> Report:
        """Wait for its end and return what is known of it."""
        out, err = running.process.communicate(said, timeout=120)
        lines = out.splitlines()
        found = json.loads(running.result_file.read_text())
        return Report(
            json.loads(lines[-1]) if lines else None,
            running.process.returncode,
            err.decode(),
            self.audit_of(found["sandbox_id"]),
        )

    def run(
        self,
        policy: str | None,
        program: str,
        *flags: str,
        files: Mapping[str, str] | None = None,
    ) -> Report:
        """Run a program in a sandbox of its own to its good end."""
        report = self.finish(self.start(policy, program, *flags, files=files))
        assert report.status == 0, report.stderr
        return report

    def audit_of(self, sandbox_id: str) -> list[dict[str, Any]]:
        """Return the network lines of a sandbox."""
        lines = map(json.loads, self.read_audit().splitlines())
        return [
            line for line in lines if line["type"] == "network" and line["sandbox_id"] == sandbox_id
        ]

    def reached(self, address: str = "", port: int = 0) -> list[Arrival]:
        """Return the connections that arrived at an address and port."""
        return [
            arrival
            for arrival in list(self.internet.arrivals)
            if address in ("", arrival.address) and port in (0, arrival.port)
        ]

    def left(self) -> set[Packet]:
        """Return the packets sent to anybody but the operator's resolver and its answers."""
        sent = set(self.internet.packets)
        return {packet for packet in sent if not packet.address.startswith("127.")}


def policy(*rules: str) -> str:
    """Return a policy: each rule is "host", "host:port,port" or YAML of its own in braces."""
    lines = ["version: 1", "sandbox:", "  network:", "    default: deny", "    allow:"]
    for rule in rules:
        host, _, ports = rule.partition(":")
        text = f"{{host: '{host}', ports: [{ports}]}}" if ports else f"{{host: '{host}'}}"
        lines.append(f"      - {rule if rule.startswith('{') else text}")
    return "\n".join(lines) + "\n"


def eventually(holds: Callable[[], bool], within_s: float = 5.0) -> bool:
    """Tell whether something becomes true in time."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if holds():
            return True
        threading.Event().wait(0.01)
    return holds()


@contextlib.contextmanager
def opened(
    home: Home, config: str = OPERATOR, internet: type[Internet] | None = None
) -> Iterator[World]:
    """A world that is taken down at the end; in it good.test is at PUBLIC."""
    world = World(home, config, internet)
    try:
        world.internet.forget()
        yield world
    finally:
        world.close()
