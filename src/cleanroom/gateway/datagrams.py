"""The UDP sockets of one door: DNS, which is answered, and everything else, which is refused.

In: datagrams. Out: answers from the address that was asked; events. Never: a datagram passed on,
or an answer before its event is written.
"""

import contextlib
import socket
import struct
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Final, Protocol

from cleanroom.events import NetworkEvent
from cleanroom.gateway.layers.udp import refuse_datagram
from cleanroom.gateway.reactor import READABLE, Reactor
from cleanroom.gateway.wire import Answerer

_QUERY_BYTES: Final = 4096
_ANCILLARY_BYTES: Final = 256
_A_TURN: Final = 32  # datagrams of one socket before others have their turn
_IP_PKTINFO: Final = 8  # <linux/in.h>; Python names none of these three
_IP_ORIGDSTADDR: Final = 20
_IPV6_ORIGDSTADDR: Final = 74  # <linux/in6.h>

_Sender = tuple[str | int, ...]
_Ancillary = list[tuple[int, int, bytes]]


class Keeper(Protocol):
    """What the sockets need of their door."""

    @property
    def reactor(self) -> Reactor: ...

    @property
    def answerer(self) -> Answerer: ...

    def may_ask(self) -> bool:
        """Spend one query of the sandbox's budget, if there is one."""
        ...

    def report(self, event: NetworkEvent, written: Callable[[], None]) -> bool:
        """Have it written; False: it need not be waited for, `written` is not called."""
        ...


class DatagramSocket:
    """One UDP socket of a door, read in turns. Owns it."""

    def __init__(self, keeper: Keeper, sock: socket.socket) -> None:
        self._keeper = keeper
        self._socket = sock
        self._is_closed = False
        sock.settimeout(0)
        keeper.reactor.watch(sock.fileno(), self)

    def ready(self, events: int) -> None:
        """Implement Watcher."""
        if events & READABLE:
            self._take()

    def close(self) -> None:
        """Close the socket. Idempotent."""
        if not self._is_closed:
            self._is_closed = True
            self._keeper.reactor.forget(self._socket.fileno())
            self._socket.close()

    def handle(self, data: bytes, ancillary: _Ancillary, sender: _Sender) -> None:
        """Deal with one datagram."""
        raise NotImplementedError

    def _take(self) -> None:
        for _ in range(_A_TURN):
            if self._is_closed:
                return
            try:
                received = self._socket.recvmsg(_QUERY_BYTES, _ANCILLARY_BYTES)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error of an earlier answer: the queue goes on behind it
                continue
            data, ancillary, _, sender = received
            self.handle(data, ancillary, sender)
        self._keeper.reactor.soon(self._take)


class DnsSocket(DatagramSocket):
    """UDP port 53: every query is answered from the address it was sent to."""

    def handle(self, data: bytes, ancillary: _Ancillary, sender: _Sender) -> None:
        """Answer one query, after its event is written."""
        if not self._keeper.may_ask():
            return  # a client asks again; silence costs the least
        answer = self._keeper.answerer.answer(data)
        reply = answer.reply
        if reply is None:
            if answer.report is not None:
                self._keeper.report(answer.report, _nothing)
            return

        def send() -> None:
            self._send(reply, ancillary, sender)

        if answer.report is None or not self._keeper.report(answer.report, send):
            send()

    def _send(self, reply: bytes, ancillary: _Ancillary, sender: _Sender) -> None:
        if self._is_closed:
            return
        # A query sent to a group address cannot be answered from it (EINVAL), and a full buffer
        # is the sandbox's own: in both cases it gets nothing, and nobody else is disturbed.
        with contextlib.suppress(OSError):
            self._socket.sendmsg([reply], [_source_of(item) for item in ancillary], 0, sender)


class RefusedSocket(DatagramSocket):
    """All other UDP: only said."""

    def handle(self, data: bytes, ancillary: _Ancillary, sender: _Sender) -> None:
        """Report where one datagram was sent."""
        del data, sender
        destination = _destination(ancillary)
        if destination is not None and self._keeper.may_ask():
            address, port = destination
            name = self._keeper.answerer.name_of(address)
            self._keeper.report(refuse_datagram(name, address, port), _nothing)


def _source_of(item: tuple[int, int, bytes]) -> tuple[int, int, bytes]:
    """Turn "sent to this address" into "send from this address": ip(7), ipv6(7)."""
    level, kind, data = item
    if (level, kind) == (socket.IPPROTO_IP, _IP_PKTINFO):
        return level, kind, struct.pack("=I4s4s", 0, data[8:12], bytes(4))
    return level, kind, data[:16] + bytes(4)  # IPV6_PKTINFO, any interface


def _destination(ancillary: _Ancillary) -> tuple[str, int] | None:
    for level, kind, data in ancillary:
        port = int.from_bytes(data[2:4], "big")
        if (level, kind) == (socket.IPPROTO_IP, _IP_ORIGDSTADDR):
            return str(IPv4Address(data[4:8])), port
        if (level, kind) == (socket.IPPROTO_IPV6, _IPV6_ORIGDSTADDR):
            return str(IPv6Address(data[8:24])), port
    return None


def _nothing() -> None:
    """Nobody waits."""
