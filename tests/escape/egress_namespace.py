"""A network of the test's own, in which the daemon under attack runs: no packet leaves it.

In: `python -P egress_namespace.py FD COMMAND...`, FD a unix socket. Out: over FD the descriptors of
SOCKETS, all made inside; then this process becomes COMMAND. Never: a right kept across that.

The namespace has `lo` only, and every address is local to it, so that servers on 0.0.0.0 and :: are
whatever address the gateway dials: a guard that fails shows as a connection that arrives. OWN is an
address of "this host"; all others count as the Internet. An ordinary user gets the same by a user
namespace in which only the own id exists.
"""

import ctypes
import fcntl
import os
import socket
import struct
import sys
from typing import Final

OWN: Final = "198.51.100.7"  # with its /24, this host's own network (RFC 5737)
TCP_PORTS: Final = (80, 443, 853, 5000, 8080)
# The descriptors, in this order: TCP by port over IPv4 and IPv6, DNS, everything seen on lo.
SOCKETS: Final = (*((port, family) for port in TCP_PORTS for family in (4, 6)), "dns", "packets")

_CLONE_NEWUSER: Final = 0x10000000
_CLONE_NEWNET: Final = 0x40000000
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_NEWADDR, _NEWROUTE, _REQUEST_CREATE_ACK = 20, 24, 0x405
_LOCAL, _SCOPE_HOST, _DST, _OIF = 2, 254, 1, 4
_RT_TABLE_LOCAL, _RTPROT_BOOT = 255, 3
_ETH_P_ALL: Final = 3


def main(link_number: int, command: list[str]) -> None:
    """Make the namespace, hand its sockets over, become the command."""
    _enter()
    _bring_up_lo()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        _tell(kernel, _NEWADDR, struct.pack("=BBBBI", 2, 24, 0, 0, 1), (_LOCAL, OWN))
        for family, zero in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):  # noqa: S104
            route = struct.pack(
                "=BBBBBBBBI", family, 0, 0, 0, _RT_TABLE_LOCAL, _RTPROT_BOOT, _SCOPE_HOST, 2, 0
            )
            _tell(kernel, _NEWROUTE, route, (_DST, zero), (_OIF, 1))
    sockets = _sockets()
    with socket.socket(fileno=link_number) as link:
        socket.send_fds(link, [b"x"], [made.fileno() for made in sockets])
    for made in sockets:
        made.close()
    os.execv(command[0], command)  # noqa: S606 -- the daemon, as tests started it


def _enter() -> None:
    uid, gid = os.geteuid(), os.getegid()
    kinds = _CLONE_NEWNET | (_CLONE_NEWUSER if uid else 0)
    if ctypes.CDLL(None, use_errno=True).unshare(kinds):
        raise OSError(ctypes.get_errno(), "cannot make a network namespace for the test")
    if uid:
        for name, text in (
            ("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1"),
        ):  # fmt: skip
            with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123
                file.write(text)


def _bring_up_lo() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = fcntl.ioctl(any_socket, _SIOCGIFFLAGS, request)[16:18]
        up = int.from_bytes(flags, sys.byteorder) | _IFF_UP
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", up))


def _tell(
    kernel: socket.socket, kind: int, body: bytes, *attributes: tuple[int, str | int]
) -> None:
    for number, value in attributes:
        if isinstance(value, int):
            data = struct.pack("=I", value)
        else:
            data = socket.inet_pton(socket.AF_INET6 if ":" in value else socket.AF_INET, value)
        body += struct.pack("=HH", 4 + len(data), number) + data
    kernel.send(struct.pack("=IHHII", 16 + len(body), kind, _REQUEST_CREATE_ACK, 1, 0) + body)
    error = -struct.unpack_from("=i", kernel.recv(4096), 16)[0]
    if error:
        raise OSError(error, f"the kernel refuses netlink message {kind}")


def _sockets() -> list[socket.socket]:
    made: list[socket.socket] = []
    for port in TCP_PORTS:
        made.append(socket.create_server(("0.0.0.0", port), backlog=512))  # noqa: S104
        made.append(socket.create_server(("::", port), family=socket.AF_INET6, backlog=512))
    dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    dns.bind(("127.0.0.53", 53))
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
    packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    packets.bind(("lo", _ETH_P_ALL))
    return [*made, dns, packets]


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
