"""The gateway's end of the content cache's store.

In: packets and descriptors of the daemon. Out: calls, one for each thing asked. Never: a path; a
call for a request that was dropped; an answer when the daemon's end is closed but `failed`.
"""

import os
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, assert_never

from cleanroom.gateway import store_wire as wire
from cleanroom.gateway.reactor import HUNG_UP, READABLE, WRITABLE, Reactor

_GONE: Final = "the daemon's end of the content cache is closed"

Place = tuple[str, str, str, str]  # host, path, form, identity
FoundCall = Callable[[wire.Found, int], None]  # the descriptor is -1 when nothing is kept
RoomCall = Callable[[int], None]
KeptCall = Callable[[str], None]  # what binds as the first seen, "" if nothing does
FailedCall = Callable[[str], None]


@dataclass(slots=True)
class _Waiting:
    """Whom to call about a request's last question."""

    found: FoundCall | None = None
    room: RoomCall | None = None
    space: Callable[[], None] | None = None
    kept: KeptCall | None = None
    failed: FailedCall | None = None


class Ticket:
    """One request at the store: `find` first, one question at a time, `drop` in the end."""

    def __init__(self, shelf: "Shelf", number: int) -> None:
        self._shelf = shelf
        self._number = number
        self._has_room = False

    def find(self, place: Place, found: FoundCall, failed: FailedCall) -> None:
        """Ask what is kept at a place; a descriptor given to `found` is its own."""
        message = wire.Find(self._number, *place, self._shelf.take_over())
        self._shelf.ask(message, _Waiting(found=found, failed=failed))

    def need_room(self, room: RoomCall, failed: FailedCall) -> None:
        """Ask for a file to write to."""
        self._has_room = True
        self._shelf.ask(wire.NeedRoom(self._number), _Waiting(room=room, failed=failed))

    def need_space(self, size: int, space: Callable[[], None], failed: FailedCall) -> None:
        """Have old files go, as the disk is full."""
        self._shelf.ask(wire.NeedSpace(self._number, size), _Waiting(space=space, failed=failed))

    def keep(
        self, message: tuple[str, wire.Said, bool], kept: KeptCall, failed: FailedCall
    ) -> None:
        """Have what is in the file kept: its SHA-256, what was said of it, only if first seen."""
        sha256, said, first_seen = message
        self._shelf.ask(
            wire.Keep(self._number, sha256, said, first_seen), _Waiting(kept=kept, failed=failed)
        )

    def validated(self) -> None:
        """Say that what was found is still the upstream's answer."""
        self._shelf.tell(wire.Validated(self._number))

    def damaged(self) -> None:
        """Say that what was found is damaged."""
        self._shelf.tell(wire.Damaged(self._number))

    def drop(self) -> None:
        """Nobody waits any more. Idempotent."""
        self._shelf.drop(self._number, at_once=self._has_room)


class Shelf:
    """All requests at the store. `link` is a packet socket to the daemon; None: there is none."""

    def __init__(self, reactor: Reactor, link: socket.socket | None) -> None:
        self._reactor = reactor
        self._link = link
        self._last = 0
        self._live: set[int] = set()
        self._waiting: dict[int, _Waiting] = {}
        self._over: list[int] = []  # of those that hold nothing, which the daemon hears of later
        self._unsent: deque[bytes] = deque()
        self.removed: Callable[[], None] = _nothing  # called when files went
        if link is not None:
            link.settimeout(0)
            reactor.watch(link.fileno(), self)

    def ticket(self) -> Ticket:
        """Begin a request."""
        self._last += 1
        self._live.add(self._last)
        return Ticket(self, self._last)

    def close(self) -> None:
        """Release the socket; whoever waits is told. Idempotent."""
        if self._link is None:
            return
        self._reactor.forget(self._link.fileno())
        self._link.close()
        self._link = None
        self._unsent.clear()
        waiting, self._waiting = self._waiting, {}
        for each in waiting.values():
            if each.failed is not None:
                each.failed(_GONE)

    # --- what tickets ask for -------------------------------------------------------------

    def ask(self, message: wire.ToStore, waiting: _Waiting) -> None:
        """Send a question. Who waits is called from a later turn."""
        failed = waiting.failed
        if self._link is None:
            if failed is not None:
                self._reactor.soon(lambda: failed(_GONE))
            return
        self._waiting[message.request] = waiting
        self.tell(message)

    def tell(self, message: wire.ToStore) -> None:
        """Send what needs no answer."""
        if self._link is not None:
            self._unsent.append(wire.encode(message))
            self._send()

    def drop(self, number: int, *, at_once: bool) -> None:
        """Forget a request on both sides; the daemon's may wait for the next question.

        A packet of its own would wake the daemon a second time for each file that is kept.
        """
        if number not in self._live:
            return
        self._live.remove(number)
        self._waiting.pop(number, None)
        if at_once or len(self._over) >= wire.MOST_OVER:
            self.tell(wire.Drop(number))
        else:
            self._over.append(number)

    def take_over(self) -> tuple[int, ...]:
        """Return the requests that a question is to say the end of."""
        over, self._over = tuple(self._over), []
        return over

    # --- the socket -----------------------------------------------------------------------

    def ready(self, events: int) -> None:
        """Implement Watcher."""
        if events & WRITABLE:
            self._send()
        if events & (READABLE | HUNG_UP):
            self._receive()

    def _send(self) -> None:
        try:
            while self._unsent and self._link is not None:
                self._link.send(self._unsent[0])
                self._unsent.popleft()
        except BlockingIOError:
            return
        except OSError:
            self._reactor.soon(self.close)

    def _receive(self) -> None:
        while self._link is not None:
            try:
                packet, descriptors, _, _ = socket.recv_fds(self._link, wire.MAX_PACKET_BYTES, 4)
            except BlockingIOError:
                return
            except OSError:
                packet, descriptors = b"", []
            if not packet:
                self.close()
                return
            self._take(packet, descriptors)

    def _take(self, packet: bytes, descriptors: list[int]) -> None:
        try:
            message = wire.decode_for_gateway(packet)
        except wire.PacketError:
            _close_all(descriptors)
            self.close()
            return
        if isinstance(message, wire.Removed):
            _close_all(descriptors)
            self.removed()
            return
        waiting = self._waiting.pop(message.request, None)
        descriptor = descriptors.pop() if descriptors else -1
        _close_all(descriptors)
        if waiting is None or not _answer(waiting, message, descriptor):
            _close_all([descriptor])


def _answer(waiting: _Waiting, message: wire.Answer, descriptor: int) -> bool:
    """Call who waits; False: the descriptor was not taken."""
    match message:
        case wire.Found() if waiting.found is not None:
            waiting.found(message, descriptor)
            return True
        case wire.Room() if waiting.room is not None and descriptor >= 0:
            waiting.room(descriptor)
            return True
        case wire.Space() if waiting.space is not None:
            waiting.space()
        case wire.Kept(first_seen=first_seen) if waiting.kept is not None:
            waiting.kept(first_seen)
        case wire.Failed(why=why) if waiting.failed is not None:
            waiting.failed(why)
        case wire.Found() | wire.Room() | wire.Space() | wire.Kept() | wire.Failed():
            if waiting.failed is not None:
                waiting.failed("the content cache gave an answer to another question")
        case _:
            assert_never(message)
    return False


def _nothing() -> None:
    """Nobody holds anything."""


def _close_all(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        if descriptor >= 0:
            os.close(descriptor)
