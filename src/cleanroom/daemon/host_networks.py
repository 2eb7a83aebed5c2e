"""Every address of this host and every network it is directly on, from the kernel.

In: an rtnetlink socket (rtnetlink(7)). Out: CIDR text. Never: a guess; if the kernel does not
answer, OSError.
"""

import socket
import struct
from collections.abc import Iterator
from ipaddress import ip_address, ip_interface
from typing import Final

_GETADDR: Final = 22
_NEWADDR: Final = 20
_GETROUTE: Final = 26
_NEWROUTE: Final = 24
_ERROR: Final = 2
_DONE: Final = 3
_DUMP: Final = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_HEADER: Final = struct.Struct("=IHHII")
_IFA_ADDRESS: Final = 1
_IFA_LOCAL: Final = 2
_RTA_DST: Final = 1
_RTA_GATEWAY: Final = 5
_RTA_MULTIPATH: Final = 9
_RTA_VIA: Final = 18
_UNICAST: Final = 1
_INDIRECT: Final = frozenset({_RTA_GATEWAY, _RTA_MULTIPATH, _RTA_VIA})

# A tunnel may take half the Internet (0.0.0.0/1) for its link; no neighbourhood is that wide.
_SHORTEST: Final = {4: 8, 6: 16}


def read_host_networks() -> tuple[str, ...]:
    """Return CIDR blocks, sorted: addresses with their prefixes, and routes without a gateway."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as link:
        found = set(_networks_of_addresses(_dump(link, _GETADDR, _NEWADDR, 8)))
        found.update(_networks_of_routes(_dump(link, _GETROUTE, _NEWROUTE, 12)))
    return tuple(sorted(found))


def _networks_of_addresses(messages: Iterator[bytes]) -> Iterator[str]:
    for body in messages:
        attributes = dict(_attributes(body[8:]))
        for kind in (_IFA_ADDRESS, _IFA_LOCAL):
            if kind in attributes:
                yield str(ip_interface((attributes[kind], body[1])).network)
                yield str(ip_interface(attributes[kind]).network)


def _networks_of_routes(messages: Iterator[bytes]) -> Iterator[str]:
    for body in messages:
        attributes = dict(_attributes(body[12:]))
        # struct rtmsg: destination prefix length at 1, type at 7.
        if _RTA_DST in attributes and body[7] == _UNICAST and _INDIRECT.isdisjoint(attributes):
            address = ip_address(attributes[_RTA_DST])
            if body[1] >= _SHORTEST[address.version]:
                yield f"{address}/{body[1]}"


def _dump(link: socket.socket, request: int, wanted: int, header_bytes: int) -> Iterator[bytes]:
    body = bytes(header_bytes)
    link.send(_HEADER.pack(_HEADER.size + len(body), request, _DUMP, 1, 0) + body)
    while True:
        data = link.recv(1 << 18)
        while data:
            size, kind, *_ = _HEADER.unpack_from(data)
            if kind == _DONE:
                return
            if kind == _ERROR:
                number = -struct.unpack_from("=i", data, _HEADER.size)[0]
                raise OSError(number, "the kernel does not list its addresses")
            if kind == wanted:
                yield data[_HEADER.size : size]
            data = data[(size + 3) & ~3 :]


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 4:
        size, kind = struct.unpack_from("=HH", data)
        yield kind & 0x3FFF, data[4:size]
        data = data[(max(size, 4) + 3) & ~3 :]
