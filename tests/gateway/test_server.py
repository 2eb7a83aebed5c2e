"""The gateway as its daemon sees it: control messages in, reports out, and its own end."""

import os
import socket
import threading
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from cleanroom.gateway import control
from cleanroom.gateway.handover import policy_file
from cleanroom.gateway.resolver import Resolved
from cleanroom.gateway.server import Gateway
from cleanroom.policy.model import CompiledPolicy, SecretBinding
from cleanroom.policy.opened import OpenedName
from tests.decide.policies import policy
from tests.gateway.certificates import TODAY, authority
from tests.gateway.doors import make_door_sockets
from tests.gateway.queries import query
from tests.gateway.resolvers_of_tests import table_server

GH = SecretBinding("gh", "GH_TOKEN", ("a.test",))


class Daemon:
    """The other end of a gateway's control socket; the gateway runs in a thread."""

    def __init__(self) -> None:
        self.link, theirs = socket.socketpair()
        self.link.settimeout(10)
        self.asked: list[str] = []
        self.inbox = control.Inbox()
        self.received: list[control.ToDaemon] = []
        self.gateway = Gateway(theirs, self.lookup)
        self.thread = threading.Thread(target=self.gateway.run)
        self.thread.start()

    def lookup(self, name: str) -> Resolved:
        self.asked.append(name)
        return Resolved((ip_address("127.0.0.1"),))

    def send(
        self,
        message: control.ToGateway,
        sockets: list[socket.socket] | None = None,
        judged_by: CompiledPolicy | None = None,
    ) -> None:
        descriptors = [sock.detach() for sock in sockets or []]
        if judged_by is not None:
            descriptors.insert(0, policy_file(judged_by))
        socket.send_fds(self.link, [control.encode(message)], descriptors)
        for descriptor in descriptors:
            os.close(descriptor)

    def next(self) -> control.ToDaemon:
        while not self.received:
            data = self.link.recv(65536)
            assert data, "the gateway has ended"
            self.received += map(control.decode_for_daemon, self.inbox.bodies(data))
        return self.received.pop(0)

    def next_report(self) -> control.Report:
        message = self.next()
        assert isinstance(message, control.Reports)
        (report,) = message.reports
        return report

    def has_ended(self) -> bool:
        self.thread.join(10)
        return not self.thread.is_alive()


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    made = Daemon()
    yield made
    made.link.close()
    assert made.has_ended()


def open_door(daemon: Daemon, *allow: str) -> list[tuple[str, int]]:
    """Open a door; return where its sockets are."""
    sockets = make_door_sockets()
    places = [sock.getsockname()[:2] for sock in sockets]
    daemon.send(control.Configure(private_hosts=("127.0.0.0/8",)))
    daemon.send(control.OpenDoor("sbx_1"), sockets, policy(*allow))
    assert daemon.next() == control.DoorOpened("sbx_1")
    return places


def ask(place: tuple[str, int], name: str) -> socket.socket:
    """Ask a DNS question."""
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.connect(place)
    client.settimeout(10)
    client.send(query(name))
    return client


def test_a_door_is_served_reported_and_closed(daemon: Daemon) -> None:
    places = open_door(daemon, "a.test:443")
    with ask(places[2], "a.test") as client:
        report = daemon.next_report()
        assert (report.sequence, report.sandbox_id, report.event.name) == (1, "sbx_1", "a.test")
        client.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.recv(100)  # not before the line is written
        client.settimeout(10)
        daemon.send(control.Acknowledge(1))
        assert client.recv(100)
    daemon.send(control.CloseDoor("sbx_1"))
    assert daemon.next() == control.DoorClosed("sbx_1")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(places[0], timeout=5)


def test_a_policy_may_be_narrowed(daemon: Daemon) -> None:
    places = open_door(daemon, "a.test:443")
    daemon.send(control.NarrowPolicy("sbx_1"), judged_by=policy("b.test:443"))
    assert daemon.next() == control.PolicyNarrowed("sbx_1")
    daemon.send(control.NarrowPolicy("sbx_unknown"), judged_by=policy())
    assert daemon.next() == control.PolicyNarrowed("sbx_unknown")
    daemon.send(control.CloseDoor("sbx_unknown"))
    assert daemon.next() == control.DoorClosed("sbx_unknown")
    with ask(places[2], "a.test"):
        assert daemon.next_report().event.code == "host_not_allowed"


def test_the_operators_resolvers_are_asked_instead_of_the_host(daemon: Daemon) -> None:
    with table_server({"a.test": ["127.0.0.1"]}) as server, socket.socket() as upstream:
        upstream.bind(("127.0.0.1", 0))
        upstream.listen()
        daemon.send(control.Configure(private_hosts=("a.test",), resolvers=(server.place,)))
        done = threading.Event()
        target = f"a.test:{upstream.getsockname()[1]}"
        daemon.gateway.reactor.post(lambda: dial_by_name(daemon, target, done))
        assert done.wait(10)
        assert server.asked[0][0] == "a.test"
    assert daemon.asked == []


def dial_by_name(daemon: Daemon, target: str, done: threading.Event) -> None:
    """Dial from within the gateway."""
    from cleanroom.gateway.dialer import Failed, Reached  # noqa: PLC0415
    from cleanroom.gateway.wire import Target  # noqa: PLC0415

    def finished(outcome: Reached | Failed) -> None:
        if isinstance(outcome, Reached):
            outcome.socket.close()
            done.set()

    name, _, port = target.partition(":")
    daemon.gateway.dial("sbx_1", Target(name, "", int(port), 1), lambda _: None, finished)


def test_ends_are_reported_without_anybody_asking(daemon: Daemon) -> None:
    sockets = make_door_sockets()
    place = sockets[0].getsockname()
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        address = f"127.0.0.1:{proxy.getsockname()[1]}"
        daemon.send(control.Configure(private_hosts=("127.0.0.0/8",), proxy=address))
        allowed = policy(f"127.0.0.1/32:{place[1]}")
        daemon.send(control.OpenDoor("sbx_1"), sockets, allowed)
        assert daemon.next() == control.DoorOpened("sbx_1")
        with socket.create_connection(place, timeout=10):
            tunnel, _ = proxy.accept()
            tunnel.recv(1000)
            tunnel.send(b"HTTP/1.1 200 OK\r\n\r\n")
            verdict = daemon.next_report()
            assert (verdict.event.through_proxy, verdict.event.address) == (True, "127.0.0.1")
            daemon.send(control.Acknowledge(verdict.sequence))
            tunnel.close()
        assert daemon.next_report().event.phase == "closed"


def test_a_sandboxs_authority_is_made_before_its_door_and_goes_with_it(daemon: Daemon) -> None:
    asked = control.MakeAuthority("sbx_1", (OpenedName("a.test"),), TODAY.since, TODAY.until)
    daemon.send(control.Trust(authority("a.test").certificate))
    daemon.send(asked)
    made = daemon.next()
    assert isinstance(made, control.AuthorityMade)
    assert "PRIVATE" not in made.certificate
    open_door(daemon, "a.test:443")
    daemon.send(control.CloseDoor("sbx_1"))
    assert daemon.next() == control.DoorClosed("sbx_1")
    daemon.send(asked)  # it is gone, or this would be its end
    again = daemon.next()
    assert isinstance(again, control.AuthorityMade)
    assert again.certificate != made.certificate
    assert daemon.gateway.upstream_tls.cert_store_stats()["x509_ca"] == 1
    daemon.send(asked)
    assert daemon.has_ended()


def hold(daemon: Daemon, value: bytes, binding: SecretBinding = GH) -> control.SecretHeld:
    """Hand a value over as the daemon does."""
    descriptor = os.memfd_create("secret")
    os.write(descriptor, value)
    message = control.HoldSecret("sbx_1", binding)
    socket.send_fds(daemon.link, [control.encode(message)], [descriptor])
    os.close(descriptor)
    held = daemon.next()
    assert isinstance(held, control.SecretHeld)
    return held


def test_a_value_is_kept_under_a_placeholder_until_its_sandbox_ends(daemon: Daemon) -> None:
    held = hold(daemon, b"ghp_0123456789abcdefghij")
    assert (held.sandbox_id, held.secret_id, held.why_not) == ("sbx_1", "gh", "")
    assert held.placeholder.startswith("ghp_")
    secrets = daemon.gateway._given["sbx_1"].secrets
    assert secrets.echoes().replace(b"ghp_0123456789abcdefghij") == held.placeholder.encode()
    daemon.send(control.CloseDoor("sbx_1"))
    assert daemon.next() == control.DoorClosed("sbx_1")
    assert daemon.gateway._given == {}
    assert secrets.refs == ()


def test_what_cannot_be_kept_is_said_and_harms_nobody(daemon: Daemon) -> None:
    assert hold(daemon, b"short").why_not == "it has fewer than 8 bytes"
    ends = os.pipe()
    message = control.HoldSecret("sbx_1", GH)
    socket.send_fds(daemon.link, [control.encode(message)], [ends[0]])
    for end in ends:
        os.close(end)
    held = daemon.next()
    assert held == control.SecretHeld("sbx_1", "gh", "", "it did not come in an anonymous file")
    assert hold(daemon, b"long enough").placeholder


@pytest.mark.parametrize(
    "message",
    [
        control.OpenDoor("sbx_1"),  # without its descriptors
        control.NarrowPolicy("sbx_1"),
        control.HoldSecret("sbx_1", GH),  # without its value
        control.Configure(resolvers=("no address",)),
        control.Configure(proxy="no port"),
        control.Configure(foreign_credentials=(("a.test", "let through"),)),
        control.Configure(host_networks=("no network",)),
    ],
)
def test_what_it_cannot_obey_is_its_end(daemon: Daemon, message: control.ToGateway) -> None:
    daemon.send(message)
    assert daemon.has_ended()


@pytest.mark.parametrize("data", [b"\0\0\0\2{}", b"\xff\xff\xff\xff"])
def test_garbage_is_its_end(daemon: Daemon, data: bytes) -> None:
    daemon.link.send(data)
    assert daemon.has_ended()


def test_a_second_door_of_one_sandbox_is_its_end(daemon: Daemon) -> None:
    open_door(daemon, "a.test:443")
    daemon.send(control.OpenDoor("sbx_1"), make_door_sockets(), policy())
    assert daemon.has_ended()


def test_when_the_daemon_is_gone_nothing_is_served_and_nothing_is_left() -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    daemon = Daemon()
    places = open_door(daemon, "a.test:443")
    daemon.link.close()
    assert daemon.has_ended()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(places[0], timeout=5)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
