"""One sandbox at the gateway: budgets, deadlines, narrowing, and that nothing is left."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import pytest

from cleanroom.decide.registries import judge_by
from cleanroom.decide.secret import SecretRef
from cleanroom.gateway.budgets import Allowances
from cleanroom.gateway.ca import Authority
from cleanroom.gateway.door import Door, Given
from cleanroom.gateway.vault import SandboxSecrets, Secret
from cleanroom.policy.model import SecretBinding
from cleanroom.policy.opened import OpenedName
from tests.decide.policies import policy, rule
from tests.gateway.certificates import TODAY
from tests.gateway.door_scene import Scene
from tests.gateway.hellos import real_hello
from tests.gateway.queries import query
from tests.gateway.world import received, turn_for_a_while


@pytest.fixture
def scene() -> Iterator[Scene]:
    with ExitStack() as stack:
        yield Scene(stack)


def test_an_allowed_connection_is_relayed_after_its_line_is_written(scene: Scene) -> None:
    scene.world.writes = False
    scene.open()
    client = scene.client()
    client.send(b"hello")
    scene.until(lambda: scene.world.waiting)
    upstream = scene.upstream()
    turn_for_a_while(scene.reactor)
    assert received(upstream) is None
    scene.world.acknowledge()
    scene.until(lambda: received(upstream) == b"hello")
    event = scene.world.events[0]
    assert (event.allowed, event.protocol, event.connection_id) == (True, "tcp", 1)


def test_a_denied_connection_is_reset_and_reported(scene: Scene) -> None:
    scene.open(policy("a.test:443"))
    client = scene.client()
    scene.until(lambda: scene.is_reset(client))
    other = scene.client(scene.tcp6)
    scene.until(lambda: scene.is_reset(other))
    assert scene.codes() == ["host_not_allowed"] * 2
    assert [event.address for event in scene.world.events] == ["127.0.0.1", "::1"]


def test_a_name_leads_where_the_address_guard_allows_only(scene: Scene) -> None:
    scene.world.guard = type(scene.world.guard)()
    scene.open()
    client = scene.client()
    scene.until(lambda: scene.is_reset(client))
    assert scene.codes() == ["address_not_allowed"]


def test_dns_is_answered_and_folded(scene: Scene) -> None:
    scene.open(policy("a.test:443"))
    for _ in range(8):
        scene.is_answered(scene.sends(scene.dns4, query("evil.test")))
    assert scene.codes() == ["host_not_allowed"] * 5
    scene.reactor.ahead = 6
    scene.until(lambda: len(scene.world.events) == 6)
    assert scene.world.events[-1].repeated == 2


def test_other_datagrams_are_reported(scene: Scene) -> None:
    scene.open()
    scene.sends(scene.udp4, b"x")
    scene.until(lambda: scene.world.events)
    assert scene.world.events[0].protocol == "udp"


def test_queries_over_the_budget_are_dropped_and_said(scene: Scene) -> None:
    scene.world.allowances = Allowances(queries_rate=0.001, queries_burst=1)
    scene.open(policy("a.test:443"))
    scene.sends(scene.dns4, query("a.test"))
    scene.sends(scene.dns4, query("a.test"))
    scene.until(lambda: "resource_limit" in scene.codes())


def test_connections_over_the_budget_are_refused_and_said(scene: Scene) -> None:
    scene.world.allowances = Allowances(connections=2)
    scene.open()
    kept = [scene.client() for _ in range(2)]
    scene.until(lambda: len(scene.world.events) == 2)
    third = scene.client()
    scene.until(lambda: scene.is_reset(third))
    assert scene.codes() == ["", "", "resource_limit"]
    kept[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    kept[0].close()
    scene.until(lambda: scene.world.events[-1].phase == "closed")
    scene.client()
    scene.until(lambda: scene.codes()[-1] == "" and scene.world.events[-1].phase == "verdict")


def test_a_connection_that_cannot_be_watched_is_refused_and_said(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_descriptor: int, _watcher: object) -> None:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    scene.open()
    with monkeypatch.context() as patch:
        patch.setattr(scene.reactor, "watch", fails)
        client = scene.client()
        scene.until(lambda: scene.is_reset(client))
    assert scene.codes() == ["resource_limit"]
    assert "Cannot allocate memory" in scene.world.events[0].reason
    scene.client()
    scene.until(lambda: scene.codes() == ["resource_limit", ""])


def test_new_connections_come_no_faster_than_their_rate(scene: Scene) -> None:
    scene.world.allowances = Allowances(connections_rate=100, connections_burst=1)
    scene.open()
    for _ in range(3):
        scene.client()
    scene.until(lambda: len(scene.world.events) == 3)


def test_a_daemon_that_does_not_write_stops_a_sandbox_from_asking_more(scene: Scene) -> None:
    scene.world.writes = False
    scene.world.allowances = Allowances(unwritten_reports=1)
    scene.open(policy("a.test:443"))
    for _ in range(3):
        scene.client()
    turn_for_a_while(scene.reactor)
    scene.sends(scene.dns4, query("a.test"))
    turn_for_a_while(scene.reactor)
    assert len(scene.world.waiting) == 2


def test_heads_over_the_budget_are_refused_and_said(scene: Scene) -> None:
    scene.world.allowances = Allowances(head_bytes=100)
    door = scene.open()
    assert door.hold(100)
    assert not door.hold(1)  # test_connection.py: the connection then ends
    assert scene.codes() == ["resource_limit"]
    assert door.hold(-2)
    assert door.hold(1)


def test_a_dial_that_takes_too_long_fails(scene: Scene) -> None:
    scene.world.upstream = ("127.0.0.1", 9)
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        scene.world.upstream = full.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.settimeout(0)
            filler.connect_ex(full.getsockname())
        scene.open()
        client = scene.client()
        turn_for_a_while(scene.reactor)
        scene.reactor.ahead = 16
        scene.until(lambda: scene.is_reset(client))
        for filler in fillers:
            filler.close()
    assert scene.codes() == ["upstream_unreachable"]


def test_a_narrower_policy_cuts_what_it_does_not_allow(scene: Scene) -> None:
    door = scene.open()
    client = scene.client()
    scene.until(lambda: scene.world.events)
    scene.upstream()
    door.narrow(judge_by(policy(f"127.0.0.1/32:{scene.tcp4[1]}")), scene.narrowed)
    turn_for_a_while(scene.reactor)
    assert received(client) is None
    door.narrow(judge_by(policy("a.test:443")), scene.narrowed)
    scene.until(lambda: scene.is_reset(client))
    scene.until(lambda: scene.narrowings == 2)
    assert [(e.phase, e.allowed) for e in scene.world.events] == [
        ("verdict", True), ("verdict", False), ("closed", True),
    ]  # fmt: skip
    answered = scene.sends(scene.dns4, query("a.test"))
    scene.until(lambda: received(answered))
    assert scene.world.events[-1].allowed


def test_what_is_judged_otherwise_is_cut_although_it_is_allowed_yet(scene: Scene) -> None:
    """A deny rule on addresses holds for what a name was dialled to, too."""
    door = scene.open()
    client = scene.client()
    scene.until(lambda: scene.world.events)
    scene.upstream()
    door.narrow(
        judge_by(policy(f"127.0.0.1/32:{scene.tcp4[1]}", deny=("198.51.100.0/24:443",))),
        scene.narrowed,
    )
    scene.until(lambda: scene.is_reset(client))
    assert [(e.phase, e.allowed) for e in scene.world.events] == [
        ("verdict", True), ("closed", True),
    ]  # fmt: skip
    again = scene.client()
    again.send(b"hello")
    upstream = scene.upstream()
    scene.until(lambda: received(upstream) == b"hello")


def test_a_closed_door_cuts_everything_and_reports_what_was_folded(scene: Scene) -> None:
    door = scene.open()
    client = scene.client()
    upstream = scene.upstream()
    scene.until(lambda: scene.world.events)
    for _ in range(7):
        scene.sends(scene.udp4, b"x")
    scene.until(lambda: len(scene.world.events) == 6)
    turn_for_a_while(scene.reactor)
    door.close()
    assert scene.is_reset(client)
    assert scene.is_reset(upstream)
    ends = scene.world.events[6:]
    assert [(event.phase, event.repeated) for event in ends] == [("closed", 0), ("verdict", 1)]
    with pytest.raises(ConnectionRefusedError):
        connect_to(scene.tcp4)


def connect_to(place: tuple[str, int]) -> None:
    """Connect, or raise."""
    socket.create_connection(place, timeout=5).close()


def with_secret(scene: Scene) -> tuple[Door, str]:
    """Open a door of a sandbox whose connections all lead to a.test; return its placeholder."""
    secrets = SandboxSecrets(scene.reactor.now)
    binding = SecretBinding("gh", "GH", ("a.test",), ttl_s=60)
    descriptor = os.memfd_create("secret")
    os.write(descriptor, b"ghp_0123456789abcdefghij")
    ref = secrets.add(binding, Secret(descriptor))
    os.close(descriptor)
    assert isinstance(ref, SecretRef)
    allowed = replace(policy(f"a.test:{scene.tcp4[1]}"), secrets=(binding,))
    door = scene.open(allowed, Given(secrets))
    door._dns.name_of = lambda address: "a.test"  # type: ignore[method-assign]
    return door, ref.placeholder


def test_when_a_secrets_time_is_over_its_hosts_connections_are_cut(scene: Scene) -> None:
    with_secret(scene)
    client = scene.client()
    client.send(b"hello")
    upstream = scene.upstream()
    scene.until(lambda: received(upstream) == b"hello")
    scene.reactor.ahead = 59
    turn_for_a_while(scene.reactor)
    client.send(b"still")
    scene.until(lambda: received(upstream) == b"still")
    scene.reactor.ahead = 62
    scene.until(lambda: scene.is_reset(client))
    assert "secret_unavailable" in scene.codes()


def test_a_narrower_policy_cuts_the_connections_of_what_it_no_longer_binds(scene: Scene) -> None:
    door, _ = with_secret(scene)
    client = scene.client()
    client.send(b"hello")
    scene.until(lambda: scene.world.events)
    door.narrow(judge_by(policy(f"a.test:{scene.tcp4[1]}")), scene.narrowed)
    scene.until(lambda: scene.is_reset(client))
    assert scene.codes()[-2:] == ["secret_unavailable", ""]  # and its end
    again = scene.client()
    scene.until(lambda: scene.is_reset(again))  # a rule allows it; what it repeats nobody sees
    assert scene.codes()[-1] == "secret_unavailable"


def test_a_placeholder_in_plain_bytes_is_seen_by_the_door(scene: Scene) -> None:
    _, holder = with_secret(scene)
    client = scene.client()
    client.send(holder.encode())
    scene.until(lambda: scene.is_reset(client))
    assert "secret_scope_violation" in scene.codes()


def test_a_placeholder_in_plain_http_is_answered_with_its_reason(scene: Scene) -> None:
    _, holder = with_secret(scene)
    client = scene.client()
    host = f"a.test:{scene.tcp4[1]}"
    client.send(f"GET / HTTP/1.1\r\nHost: {host}\r\nX: {holder}\r\n\r\n".encode())
    scene.until(lambda: (received(client) or b"").startswith(b"HTTP/1.1 403 secret_scope"))
    assert "secret_scope_violation" in scene.codes()


def test_a_bound_host_is_searched_at_ports_of_no_binding_too(scene: Scene) -> None:
    _, holder = with_secret(scene)
    client = scene.client()
    client.send(f"GET / HTTP/1.1\r\nHost: a.test:{scene.tcp4[1]}\r\n\r\n".encode())
    upstream = scene.upstream()
    scene.until(lambda: b"identity" in (received(upstream) or b""))
    upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 24\r\n\r\nghp_0123456789abcdefghij")
    scene.until(lambda: holder.encode() in (received(client) or b""))


def test_without_a_descriptor_for_a_certificate_one_connection_is_refused(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_args: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    given = Given(SandboxSecrets(scene.reactor.now))
    given.authority = Authority([OpenedName("a.test")], TODAY)
    door = scene.open(policy(rule(f"a.test:{scene.tcp4[1]}", inspect=True)), given)
    door._dns.name_of = lambda address: "a.test"  # type: ignore[method-assign]
    with monkeypatch.context() as patch:
        patch.setattr(os, "memfd_create", fails)
        refused = scene.client()
        refused.send(real_hello("a.test"))
        scene.until(lambda: scene.is_reset(refused))
    assert scene.codes() == ["resource_limit"]
    assert "certificate for it: Too many open files" in scene.world.events[0].reason
    served = scene.client()
    served.send(real_hello("a.test"))
    scene.until(lambda: (received(served) or b"").startswith(b"\x16"))  # its ServerHello


def test_a_door_that_is_closed_while_it_is_narrowed_tells_it_too(scene: Scene) -> None:
    door = scene.open()
    clients = [scene.client() for _ in range(40)]
    scene.until(lambda: len(scene.world.events) >= len(clients))
    door.narrow(judge_by(policy("a.test:443")), scene.narrowed)
    assert scene.narrowings == 0
    door.close()
    scene.until(lambda: scene.narrowings == 1)
    for client in clients:
        scene.until(partial(scene.is_reset, client))
