"""What the kernel says of this host's networks."""

import ipaddress
import struct

import pytest

from cleanroom.daemon import host_networks
from cleanroom.daemon.host_networks import read_host_networks


def test_every_address_of_this_host_is_among_them() -> None:
    found = read_host_networks()
    assert "127.0.0.0/8" in found
    assert all(ipaddress.ip_network(text).prefixlen > 0 for text in found)
    assert list(found) == sorted(set(found))


def attribute(kind: int, data: bytes) -> bytes:
    """Return one netlink attribute."""
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def route(prefix: int, *attributes: bytes, kind: int = 1) -> bytes:
    """Return the body of a route message."""
    return bytes([2, prefix, 0, 0, 0, 0, 0, kind, 0, 0, 0, 0]) + b"".join(attributes)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (route(24, attribute(1, b"\x0a\1\2\0")), ["10.1.2.0/24"]),
        (route(24, attribute(1, b"\x0a\1\2\0"), attribute(5, b"\x0a\1\2\1")), []),  # by a gateway
        (route(24, attribute(1, b"\x0a\1\2\0"), kind=2), []),  # local: an address, known already
        (route(0), []),  # the default route
        (route(1, attribute(1, bytes(4))), []),  # half the Internet through a tunnel
        (route(64, attribute(1, b"\xfd" + bytes(15))), ["fd00::/64"]),
        (route(3, attribute(1, b"\x20" + bytes(15))), []),
    ],
)
def test_only_routes_without_a_gateway_are_neighbourhoods(
    message: bytes, expected: list[str]
) -> None:
    assert list(host_networks._networks_of_routes(iter([message]))) == expected


def test_both_ends_of_a_point_to_point_link_are_known() -> None:
    body = bytes([2, 32, 0, 0, 0, 0, 0, 0])
    body += attribute(1, b"\x0a\0\0\2") + attribute(2, b"\x0a\0\0\1")
    assert set(host_networks._networks_of_addresses(iter([body]))) == {"10.0.0.1/32", "10.0.0.2/32"}
