"""Upstream names -> addresses, by the host's own resolver, in a bounded number of threads.

In: canonical names of allowed targets. Out: addresses as the resolver ordered them (RFC 6724), or
why there are none. Never: a name no rule allows, or a judgement of an address (the dialer's).
"""

import socket
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, Protocol

from cleanroom.decide.match import Address
from cleanroom.gateway.reactor import Reactor

_THREADS: Final = 16
_PER_OWNER: Final = 4  # look-ups of one sandbox at a time: slow names of one hold up no other
_KEPT_S: Final = 5.0  # answers; every use is judged anew
_FAILURES_KEPT_S: Final = 1.0
_MOST_KEPT: Final = 1024


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a name has; no addresses: `why` is a phrase."""

    addresses: tuple[Address, ...]
    why: str = ""


Done = Callable[[Resolved], None]


class Lookup(Protocol):
    """Asks somebody, blocking, in a thread of the resolver."""

    def __call__(self, name: str) -> Resolved:
        """Return the answer. Never raises."""
        ...


class Resolver:
    """Look-ups, shared when equal, remembered for seconds, fair between sandboxes."""

    def __init__(self, reactor: Reactor, lookup: Lookup) -> None:
        self._reactor = reactor
        self._lookup = lookup
        self._threads = ThreadPoolExecutor(_THREADS, "resolve")
        self._kept: dict[str, tuple[float, Resolved]] = {}
        self._asked: dict[str, list[Done]] = {}
        self._under_way: set[str] = set()
        self._busy: dict[str, int] = {}
        self._queues: dict[str, deque[str]] = {}

    def ask(self, lookup: Lookup) -> None:
        """Ask `lookup` from now on."""
        self._lookup = lookup

    def resolve(self, owner: str, name: str, done: Done) -> None:
        """Call `done` later with what `name` has, asked on behalf of sandbox `owner`."""
        kept = self._kept.get(name)
        if kept is not None and kept[0] > self._reactor.now():
            resolved = kept[1]
            self._reactor.soon(lambda: done(resolved))
        elif name in self._under_way:
            self._asked[name].append(done)
        else:
            # SECURITY: a name that waits behind another sandbox's slow ones is queued here as well;
            # whoever's turn comes first asks for both.
            self._asked.setdefault(name, []).append(done)
            self._queues.setdefault(owner, deque()).append(name)
            self._start_some(owner)

    def close(self) -> None:
        """Start no more look-ups; does not wait for those under way."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _start_some(self, owner: str) -> None:
        queue = self._queues[owner]
        while queue and self._busy.get(owner, 0) < _PER_OWNER:
            name = queue.popleft()
            if name in self._under_way or name not in self._asked:
                continue  # it was another's turn first
            self._under_way.add(name)
            self._busy[owner] = self._busy.get(owner, 0) + 1
            self._threads.submit(self._in_thread, owner, name)

    def _in_thread(self, owner: str, name: str) -> None:
        resolved = self._lookup(name)
        self._reactor.post(lambda: self._answered(owner, name, resolved))

    def _answered(self, owner: str, name: str, resolved: Resolved) -> None:
        self._keep(name, resolved)
        waiting = self._asked.pop(name)
        self._under_way.remove(name)
        self._busy[owner] -= 1
        self._start_some(owner)
        if not self._busy[owner]:
            del self._busy[owner], self._queues[owner]
        for done in waiting:
            done(resolved)

    def _keep(self, name: str, resolved: Resolved) -> None:
        while len(self._kept) >= _MOST_KEPT:
            del self._kept[next(iter(self._kept))]  # the oldest
        for_s = _KEPT_S if resolved.addresses else _FAILURES_KEPT_S
        self._kept.pop(name, None)
        self._kept[name] = (self._reactor.now() + for_s, resolved)


def ask_host(name: str) -> Resolved:
    """Ask getaddrinfo; implements Lookup."""
    try:
        # As bytes: a str would go through the idna codec, which raises other things than OSError.
        found = socket.getaddrinfo(name.encode("ascii"), None, type=socket.SOCK_STREAM)
    except OSError as error:
        return Resolved((), f"cannot be resolved on this host: {error.strerror}")
    texts = dict.fromkeys(str(entry[4][0]) for entry in found)
    return Resolved(tuple(ip_address(text) for text in texts))
