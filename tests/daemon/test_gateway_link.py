"""The real gateway process behind real doors: what is written, what passes, and in which order."""

import asyncio
import os
import signal
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509

from cleanroom.backends.base import DoorSockets
from cleanroom.daemon.clock import SystemClock
from cleanroom.daemon.content import Content
from cleanroom.daemon.gateway_link import SKEW_S, GatewayLink, Supplies
from cleanroom.daemon.settings import GatewaySettings
from cleanroom.errors import Code, Fault, Refused
from cleanroom.events import NetworkEvent
from cleanroom.gateway import control
from cleanroom.policy.model import SecretBinding
from tests.decide.policies import policy, rule
from tests.gateway.certificates import authority, server
from tests.gateway.doors import make_door_sockets
from tests.gateway.guests import Guest, ask_inside
from tests.gateway.resolvers_of_tests import table_server

pytestmark = pytest.mark.usefixtures("programs")


class Journal:
    """What the link records, and what it lost."""

    def __init__(self) -> None:
        self.events: list[tuple[str, NetworkEvent]] = []
        self.lost: list[frozenset[str]] = []
        self.is_full = False
        self.was_lost = asyncio.Event()
        self.on_record: Callable[[NetworkEvent], None] = lambda _: None

    def record(self, sandbox_id: str, event: NetworkEvent) -> None:
        if self.is_full:
            raise Fault(Code.INTERNAL, "cannot write the audit: the disk is full")
        self.on_record(event)
        self.events.append((sandbox_id, event))

    def lose(self, served: frozenset[str]) -> None:
        self.lost.append(served)
        self.was_lost.set()

    def verdicts(self, protocol: str) -> list[NetworkEvent]:
        return [e for _, e in self.events if e.protocol == protocol and e.phase == "verdict"]


@asynccontextmanager
async def linked(
    journal: Journal, settings: GatewaySettings | None = None, roots: str = ""
) -> AsyncIterator[GatewayLink]:
    """Run a gateway for a block."""
    with tempfile.TemporaryDirectory(prefix="cr") as folder:
        content = Content(Path(folder), 1 << 30, lambda: 0.0)
        link = await GatewayLink.start(
            settings or GatewaySettings(),
            journal.record,
            journal.lose,
            Supplies(roots, SystemClock(), content),
        )
        try:
            yield link
        finally:
            await link.stop()
            content.close()


@asynccontextmanager
async def upstream(
    answer: bytes, shown: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Serve a port on loopback: keeps what it received, answers, closes."""
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await reader.read(1000))
        writer.write(answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=shown)
    async with server:
        yield server.sockets[0].getsockname()[1], got


def run(work: Callable[[], Awaitable[None]]) -> None:
    """Run one asynchronous test."""

    async def bounded() -> None:
        async with asyncio.timeout(25):
            await work()

    asyncio.run(bounded())


def test_an_allowed_name_is_reached_and_a_denied_one_is_not() -> None:
    async def work() -> None:
        journal = Journal()
        with table_server({"up.test": ["127.0.0.1"], "down.test": ["127.0.0.1"]}) as names:
            settings = GatewaySettings(private_hosts=("up.test",), resolvers=(names.place,))
            async with upstream(b"pong") as (port, got), linked(journal, settings) as link:
                order: list[str] = []

                def note(event: NetworkEvent) -> None:
                    if event.protocol == "tcp" and event.allowed and event.phase == "verdict":
                        order.append("nothing had arrived" if not got else "too late")

                journal.on_record = note
                door = link.door("sbx_1", policy(f"up.test:{port}"))
                program = f"print(get('up.test', {port}, b'ping'), get('down.test', {port}))"
                assert await ask_inside(door, program) == "pong no such name\n"
                await link.close_door("sbx_1")
                assert (got, order) == ([b"ping"], ["nothing had arrived"])
                assert {name for name, _ in names.asked} == {"up.test"}  # no denied name leaves
        allowed = journal.verdicts("tcp")[0]
        assert (allowed.name, allowed.address, allowed.port) == ("up.test", "127.0.0.1", port)
        ends = [e for _, e in journal.events if e.phase == "closed"]
        assert [(e.bytes_in, e.bytes_out) for e in ends] == [(4, 4)]
        refused = [e for e in journal.verdicts("dns") if not e.allowed]
        assert {(e.name, e.code) for e in refused} == {("down.test", "host_not_allowed")}
        assert journal.lost == []

    run(work)


def test_an_offline_sandbox_reaches_nothing_and_is_told_so() -> None:
    async def work() -> None:
        journal = Journal()
        with table_server({"up.test": ["127.0.0.1"]}) as names:
            settings = GatewaySettings(private_hosts=("up.test",), resolvers=(names.place,))
            async with upstream(b"pong") as (port, got), linked(journal, settings) as link:
                door = link.door("sbx_1", policy(f"up.test:{port}"), offline=True)
                await ask_inside(door, f"print(get('up.test', {port}, b'ping'))")
                await link.close_door("sbx_1")
                assert (got, names.asked) == ([], [])
        (denied,) = (e for e in journal.verdicts("tcp") if not e.allowed)
        assert (denied.code, denied.name) == ("offline_miss", "up.test")
        assert denied.reason == f"up.test:{port} is not asked: the sandbox is offline"

    run(work)


def test_each_identity_that_disagrees_is_refused_with_its_own_code() -> None:
    async def work() -> None:
        journal = Journal()
        with table_server({"up.test": ["127.0.0.1"], "inner.test": ["127.0.0.1"]}) as names:
            settings = GatewaySettings(private_hosts=("up.test",), resolvers=(names.place,))
            async with upstream(b"pong") as (port, got), linked(journal, settings) as link:
                allowed = policy(f"up.test:80,443,{port}", f"inner.test:{port}")
                door = link.door("sbx_1", allowed)
                await ask_inside(
                    door,
                    f"""
get('127.0.0.1', 9)
get('1.1.1.1', {port})
get('::ffff:1.1.1.1', {port})
get('up.test', 444)
get('inner.test', {port})
get('up.test', 443, b'SSH-2.0-x')
get('up.test', {port}, b'GET / HTTP/1.1\\r\\nHost: other.test\\r\\n\\r\\n')
for family, to in ((2, '9.9.9.9'), (10, '2001:db8::9')):
    socket.socket(family, 2).sendto(b'x', (to, 443))
""",
                )
                # Nobody inside waits for an answer.
                while len(journal.verdicts("udp")) < 2:  # noqa: ASYNC110 -- of another process
                    await asyncio.sleep(0.01)
                await link.close_door("sbx_1")
                assert got in ([], [b""])  # dialled at most, never told anything
        codes = [e.code for e in journal.verdicts("tcp") if not e.allowed]
        assert codes == [
            "host_not_allowed", "host_not_allowed", "port_not_allowed", "address_not_allowed",
            "protocol_not_allowed",
        ]  # fmt: skip
        assert [e.code for e in journal.verdicts("http")] == ["host_header_mismatch"]
        assert {e.address for e in journal.verdicts("udp")} == {"9.9.9.9", "2001:db8::9"}

    run(work)


def test_when_the_audit_cannot_be_written_nothing_passes() -> None:
    async def work() -> None:
        journal = Journal()
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        async with linked(journal) as link:
            journal.is_full = True
            door = link.door("sbx_1", policy("203.0.113.1/32:22"))
            said = await ask_inside(door, "print(get('203.0.113.1', 22, wait=3))")
            assert said.strip() in ("", "ConnectionResetError", "timeout", "ConnectionRefusedError")
            await journal.was_lost.wait()
            assert not link.alive
            assert journal.lost == [frozenset({"sbx_1"})]

    run(work)


def test_a_killed_gateway_means_no_network_and_is_told_once() -> None:
    async def work() -> None:
        journal = Journal()
        async with linked(journal) as link:
            door = link.door("sbx_1", policy("a.test:443"))
            guest = await Guest.start(
                door,
                """
first = get('a.test', 1, wait=1)
print(first)
while get('a.test', 1, wait=1) == first:
    pass
print('dead')
""",
            )
            assert await guest.line() == "ConnectionResetError\n"
            os.kill(link.pid, signal.SIGKILL)
            await journal.was_lost.wait()
            assert journal.lost == [frozenset({"sbx_1"})]
            assert await guest.rest() == "dead\n"
            sockets = DoorSockets(*(sock.detach() for sock in make_door_sockets()))
            with pytest.raises(Fault, match="gateway process"):
                await door.attach(sockets)
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.fstat(sockets.tcp4)
            await link.close_door("sbx_1")
            await link.narrow("sbx_1", policy())
        assert len(journal.lost) == 1

    run(work)


TLS_PROGRAM = """
import ssl
made = ssl.create_default_context(cadata={certificate!r})
place = socket.getaddrinfo('up.test', {port}, type=socket.SOCK_STREAM)[0][4]
with socket.create_connection(place[:2], timeout=10) as s:
    with made.wrap_socket(s, server_hostname='up.test') as t:
        issuer = t.getpeercert()['issuer'][0][0][1]
        t.sendall(b'GET /x HTTP/1.1\\r\\nHost: up.test:{port}\\r\\n\\r\\n')
        print(issuer, t.recv(1000).partition(b'\\r\\n')[0].decode())
"""


def test_tls_is_opened_by_a_confined_gateway_under_an_authority_of_the_sandboxs_own() -> None:
    async def work() -> None:
        journal = Journal()
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        with table_server({"up.test": ["127.0.0.1"]}) as names:
            settings = GatewaySettings(private_hosts=("up.test",), resolvers=(names.place,))
            roots = authority("up.test").certificate
            async with (
                upstream(answer, server("up.test")) as (port, got),
                linked(journal, settings, roots) as link,
            ):
                opened = policy(rule(f"up.test:{port}", inspect=True))
                certificate = await link.authority("sbx_1", opened)
                valid = x509.load_pem_x509_certificate(certificate.encode())
                lasts = valid.not_valid_after_utc - valid.not_valid_before_utc
                assert lasts.total_seconds() == opened.sandbox.ttl_s + 2 * SKEW_S
                program = TLS_PROGRAM.format(certificate=certificate, port=port)
                said = await ask_inside(link.door("sbx_1", opened), program)
                assert said == "cleanroom sandbox authority HTTP/1.1 200 OK\n"
                await link.close_door("sbx_1")
        assert got == [f"GET /x HTTP/1.1\r\nHost: up.test:{port}\r\n\r\n".encode()]
        (request,) = journal.verdicts("https")
        assert (request.allowed, request.method, request.path) == (True, "GET", "/x")
        assert len(journal.verdicts("tls")) == 1

    run(work)


def test_a_policy_that_opens_nothing_needs_no_authority() -> None:
    async def work() -> None:
        async with linked(Journal()) as link:
            assert await link.authority("sbx_1", policy("a.test:443")) == ""
            assert link._served == set()

    run(work)


@pytest.mark.parametrize("certificate", ["", "x", "-----BEGIN CERTIFICATE-----\n\u00e9"])
def test_an_authority_without_a_certificate_is_the_end_of_its_gateway(certificate: str) -> None:
    async def work() -> None:
        journal = Journal()
        async with linked(journal) as link:
            ours, theirs = socket.socketpair()
            with ours, theirs:
                ours.setblocking(False)  # noqa: FBT003
                real, link._socket = link._socket, ours
                theirs.send(control.encode(control.AuthorityMade("sbx_1", certificate)))
                link._readable()
                assert not link.alive
                assert real is not None
                asyncio.get_running_loop().remove_reader(real.fileno())
                real.close()

    run(work)


def open_files() -> list[str]:
    """Return what this process has open; a number may be in use again at once."""
    return [str(each.resolve()) for each in Path("/proc/self/fd").iterdir()]


def value_file(value: bytes) -> int:
    descriptor = os.memfd_create("secret")
    os.write(descriptor, value)
    return descriptor


def test_a_confined_gateway_keeps_a_secret_and_answers_its_placeholder() -> None:
    async def work() -> None:
        binding = SecretBinding("gh", "GH_TOKEN", ("a.test",))
        journal = Journal()
        async with linked(journal) as link:
            descriptor = value_file(b"ghp_0123456789abcdefghij")
            placeholder = await link.hold_secret("sbx_1", binding, descriptor)
            assert placeholder.startswith("ghp_")
            assert not any("memfd:secret" in name for name in open_files())
            with pytest.raises(Refused, match="cannot use the secret 'gh': it has fewer than 8"):
                await link.hold_secret("sbx_1", binding, value_file(b"short"))
            await link.close_door("sbx_1")
        with pytest.raises(Fault, match="gone"):
            await link.hold_secret("sbx_1", binding, value_file(b"long enough"))

    run(work)


def test_a_stopped_gateway_is_no_loss_and_leaves_no_process() -> None:
    async def work() -> None:
        journal = Journal()
        async with linked(journal) as link:
            pid = link.pid
            sockets = DoorSockets(*(sock.detach() for sock in make_door_sockets()))
            await link.door("sbx_1", policy()).attach(sockets)
            status = status_of(pid)
            assert "0" not in status["Uid"].split()
            assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
            assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
            await link.close_door("sbx_unknown")
        await link.stop()
        assert not is_alive(pid)
        assert journal.lost == []

    run(work)


def test_a_gateway_whose_link_broke_does_not_live_on() -> None:
    async def work() -> None:
        journal = Journal()
        async with linked(journal) as link:
            pid = link.pid
            assert link._socket is not None
            link._socket.shutdown(socket.SHUT_RDWR)
            await journal.was_lost.wait()
            assert not link.alive
        assert not is_alive(pid)

    run(work)


def status_of(pid: int) -> dict[str, str]:
    """Read what the kernel says of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; a zombie does not."""
    try:
        return not status_of(pid)["State"].startswith(("Z", "X"))
    except (FileNotFoundError, ProcessLookupError):
        return False
