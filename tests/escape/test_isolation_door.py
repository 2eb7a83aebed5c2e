"""Every packet of a sandbox arrives at its door with its address, and nowhere else.

Promises E1, E2, E27, E28, E31, E32. Nobody answers here: the test holds the sockets.
"""

import asyncio
import ipaddress
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from cleanroom.backends.base import DoorSockets, Sandbox
from cleanroom.backends.namespaces import NamespacesBackend
from tests.backends.machines import KeptDoor, small_spec, within
from tests.escape.hostile import report

pytestmark = [pytest.mark.escape, pytest.mark.usefixtures("programs")]

Watch = Callable[[DoorSockets, Sandbox], Awaitable[None]]


def at_the_door(folder: Path, watch: Watch) -> None:
    """Start a sandbox and give its door's sockets to `watch`."""

    async def scenario() -> None:
        door = KeptDoor()
        sandbox = await NamespacesBackend(folder / "state").start(small_spec(folder), door)
        try:
            assert door.sockets is not None
            await watch(door.sockets, sandbox)
        finally:
            await sandbox.stop()
            door.close()

    within(20, scenario())


def own(descriptor: int) -> socket.socket:
    """A socket object over a copy of a descriptor."""
    return socket.socket(fileno=os.dup(descriptor))


@pytest.mark.parametrize(
    ("address", "port"),
    [
        ("198.18.0.5", 443),
        ("1.2.3.4", 22),
        ("169.254.169.254", 80),
        ("10.0.0.1", 53),
        ("192.168.1.1", 65535),
        ("2001:db8::7", 443),
        ("fd00:ec2::254", 80),
        ("fe80::1", 80),
        ("64:ff9b::7f00:1", 443),
    ],
)
def test_a_connection_arrives_with_its_address(short_path: Path, address: str, port: int) -> None:
    version = ipaddress.ip_address(address).version

    async def watch(door: DoorSockets, sandbox: Sandbox) -> None:
        scope = ", 0, 1" if address.startswith("fe80") else ""  # of `lo`
        program = f"""
s = socket.socket({2 if version == 4 else 10})
s.connect(({address!r}, {port}{scope}))
s.sendall(b"hello")
result = s.recv(9).decode()
"""
        loop = asyncio.get_running_loop()
        with own(door.tcp4 if version == 4 else door.tcp6) as listener:
            async with asyncio.TaskGroup() as group:
                inside = group.create_task(report(sandbox, program))
                accepted, _ = await loop.sock_accept(listener)
                with accepted:
                    assert accepted.getsockname()[:2] == (address, port)
                    assert await loop.sock_recv(accepted, 9) == b"hello"
                    await loop.sock_sendall(accepted, b"answer")
            assert inside.result() == "answer"

    at_the_door(short_path, watch)


@pytest.mark.parametrize("address", ["8.8.8.8", "198.18.0.1", "2001:db8::53", "fd00:c1ea::1"])
def test_a_dns_query_arrives_and_is_answered_from_the_address_it_asked(
    short_path: Path, address: str
) -> None:
    v4 = ipaddress.ip_address(address).version == 4

    async def watch(door: DoorSockets, sandbox: Sandbox) -> None:
        program = f"""
s = socket.socket({2 if v4 else 10}, 2)
s.settimeout(5)
s.sendto(b"query", ({address!r}, 53))
data, sender = s.recvfrom(99)
result = [data.decode(), sender[0], sender[1]]
"""
        with own(door.dns4 if v4 else door.dns6) as server:
            async with asyncio.TaskGroup() as group:
                inside = group.create_task(report(sandbox, program))
                await readable(server)
                data, ancillary, _, client = server.recvmsg(99, 99)
                assert data == b"query"
                ((level, kind, info),) = ancillary
                where = info[8:12] if v4 else info[:16]  # ipi_addr of in_pktinfo; ipi6_addr
                assert ipaddress.ip_address(where) == ipaddress.ip_address(address)
                source = struct.pack("=i4s4s", 0, where, bytes(4)) if v4 else where + bytes(4)
                server.sendmsg([b"answer"], [(level, kind, source)], 0, client)
            assert inside.result() == ["answer", address, 53]

    at_the_door(short_path, watch)


@pytest.mark.parametrize(
    ("address", "port"), [("1.2.3.4", 443), ("198.18.0.1", 123), ("2001:db8::7", 443)]
)
def test_other_datagrams_arrive_to_be_refused(short_path: Path, address: str, port: int) -> None:
    v4 = ipaddress.ip_address(address).version == 4

    async def watch(door: DoorSockets, sandbox: Sandbox) -> None:
        program = f"""
s = socket.socket({2 if v4 else 10}, 2)
result = s.sendto(b"quic", ({address!r}, {port}))
"""
        with own(door.udp4 if v4 else door.udp6) as server:
            assert await report(sandbox, program) == 4
            await readable(server)
            data, ancillary, _, _ = server.recvmsg(99, 99)
            assert data == b"quic"
            ((_, kind, meant),) = ancillary
            assert kind == (20 if v4 else 74)  # IP_ORIGDSTADDR, IPV6_ORIGDSTADDR
            assert struct.unpack_from(">H", meant, 2) == (port,)
            where = meant[4:8] if v4 else meant[8:24]
            assert ipaddress.ip_address(where) == ipaddress.ip_address(address)

    at_the_door(short_path, watch)


def test_the_sandbox_can_speak_with_itself(short_path: Path) -> None:
    """Servers of tests, also below port 1024, and by both families; none of it passes the door."""
    program = """
def through(family, bind, connect, port):
    server = socket.socket(family)
    server.bind((bind, port))
    server.listen()
    client = socket.create_connection((connect, port))
    client.sendall(b"own")
    return server.accept()[0].recv(9).decode()
datagram = socket.socket(2, 2)
datagram.bind(("127.0.0.1", 123))
socket.socket(2, 2).sendto(b"own", ("127.0.0.1", 123))
result = [through(2, "127.0.0.1", "127.0.0.1", 80), through(2, "0.0.0.0", "127.0.0.7", 8080),
          through(10, "::1", "::1", 443), datagram.recv(9).decode()]
"""

    async def watch(door: DoorSockets, sandbox: Sandbox) -> None:
        assert await report(sandbox, program) == ["own"] * 4
        for descriptor in (door.tcp4, door.tcp6, door.dns4, door.udp4):
            with own(descriptor) as quiet, pytest.raises(BlockingIOError):
                quiet.recv(1) if quiet.type == socket.SOCK_DGRAM else quiet.accept()

    at_the_door(short_path, watch)


def test_the_hosts_own_servers_are_not_behind_any_address(short_path: Path) -> None:
    """E31: a server of the host on loopback is reached by the host, and never from inside."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        socket.create_connection(("127.0.0.1", port)).close()  # the control
        program = f'result = attempt(socket.create_connection, ("127.0.0.1", {port}), 5)'

        async def watch(door: DoorSockets, sandbox: Sandbox) -> None:
            assert await report(sandbox, program) == "ECONNREFUSED"

        at_the_door(short_path, watch)


def test_pings_are_not_possible(short_path: Path) -> None:
    """E28."""
    program = """
def ping(family, protocol):
    return attempt(lambda: socket.socket(family, socket.SOCK_DGRAM, protocol))
result = [ping(2, 1), ping(10, 58)]
"""

    async def watch(door: DoorSockets, sandbox: Sandbox) -> None:
        assert set(await report(sandbox, program)) == {"EPROTONOSUPPORT"}

    at_the_door(short_path, watch)


def test_names_are_asked_for_both_families(short_path: Path) -> None:
    """Resolvers ask only for families that have an address that is not loopback."""
    program = """
v6 = [line.split()[0] for line in open("/proc/net/if_inet6")]
v4 = open("/proc/net/fib_trie").read().split()
result = ["198.18.0.1" in v4, "fd00c1ea000000000000000000000001" in v6]
"""

    async def watch(door: DoorSockets, sandbox: Sandbox) -> None:
        assert await report(sandbox, program) == [True, True]

    at_the_door(short_path, watch)


async def readable(server: socket.socket) -> None:
    """Wait for a datagram without taking it."""
    loop = asyncio.get_running_loop()
    came = asyncio.Event()
    loop.add_reader(server, came.set)
    try:
        await came.wait()
    finally:
        loop.remove_reader(server)
