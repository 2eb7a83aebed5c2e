"""A listening TPROXY socket of a door: accepts in turns, as fast as the sandbox's budget allows.

In: a listening socket. Out: accepted ones, to its door. Never: a connection dropped because
others came first; what the budget does not allow yet waits in the kernel's own queue.
"""

import socket
from typing import Final, Protocol

from cleanroom.gateway.dialer import set_stream_options
from cleanroom.gateway.reactor import READABLE, Reactor

# Connections of one sandbox before others have their turn. With many, all that came together wait
# for the audit together, and the gateway idles meanwhile (bench/relay.py: 16 is a fifth slower).
_A_TURN: Final = 4
_EXHAUSTED_S: Final = 0.1  # when no descriptor is left


class Keeper(Protocol):
    """What a listener needs of its door."""

    @property
    def reactor(self) -> Reactor: ...

    def wait_before_accepting_s(self) -> float:
        """Spend one connection of the budget (0.0), or return when to ask again."""
        ...

    def accepted(self, sock: socket.socket) -> None:
        """Take over one accepted, non-blocking socket."""
        ...


class Listener:
    """Owns one listening socket."""

    def __init__(self, keeper: Keeper, sock: socket.socket) -> None:
        self._keeper = keeper
        self._socket = sock
        self._is_closed = False
        self._is_resting = False
        sock.settimeout(0)
        set_stream_options(sock)  # accepted sockets inherit them
        keeper.reactor.watch(sock.fileno(), self)

    def ready(self, events: int) -> None:
        """Implement Watcher."""
        if events & READABLE and not self._is_resting:
            self._accept_some()

    def close(self) -> None:
        """Close the socket. Idempotent."""
        if not self._is_closed:
            self._is_closed = True
            self._keeper.reactor.forget(self._socket.fileno())
            self._socket.close()

    def _accept_some(self) -> None:
        self._is_resting = False
        for _ in range(_A_TURN):
            if self._is_closed:
                return
            wait_s = self._keeper.wait_before_accepting_s()
            if wait_s:
                self._rest(wait_s)
                return
            try:
                accepted, _ = self._socket.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError:  # no descriptor or memory left: it stays in the kernel's queue
                self._rest(_EXHAUSTED_S)
                return
            accepted.settimeout(0)
            self._keeper.accepted(accepted)
        self._rest(0.0)

    def _rest(self, for_s: float) -> None:
        self._is_resting = True
        if for_s:
            self._keeper.reactor.later(for_s, self._accept_some)
        else:
            self._keeper.reactor.soon(self._accept_some)
