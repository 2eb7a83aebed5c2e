"""The six sockets of a door on loopback, where no namespace is needed.

A connection's original destination is then the listening address itself, so a rule about 127.0.0.1
speaks for it, and no name does.
"""

import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

_KINDS = (
    (socket.AF_INET, socket.SOCK_STREAM, ()),
    (socket.AF_INET6, socket.SOCK_STREAM, ()),
    (socket.AF_INET, socket.SOCK_DGRAM, ((socket.IPPROTO_IP, 8),)),
    (socket.AF_INET6, socket.SOCK_DGRAM, ((socket.IPPROTO_IPV6, 49),)),
    (socket.AF_INET, socket.SOCK_DGRAM, ((socket.IPPROTO_IP, 20),)),
    (socket.AF_INET6, socket.SOCK_DGRAM, ((socket.IPPROTO_IPV6, 74),)),
)


def make_door_sockets() -> list[socket.socket]:
    """Return them in the order of DoorSockets; whoever takes them closes them."""
    made = []
    for family, kind, options in _KINDS:
        sock = socket.socket(family, kind)
        for level, option in options:
            sock.setsockopt(level, option, 1)
        sock.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        if kind == socket.SOCK_STREAM:
            sock.listen(1024)
        made.append(sock)
    return made


@contextmanager
def door_sockets() -> Iterator[Sequence[socket.socket]]:
    """Own them for a block."""
    with ExitStack() as stack:
        yield [stack.enter_context(sock) for sock in make_door_sockets()]
