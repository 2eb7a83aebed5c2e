"""The gateway process: one control socket to the daemon, and the doors it serves.

In: control messages with the sockets of doors. Out: reports, answers. Never: service without the
daemon; when the control socket ends, everything ends.
"""

import contextlib
import os
import socket
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, assert_never

from cleanroom.decide.address import Guard, make_guard
from cleanroom.decide.artifact import Grant, Refusal, decide_request
from cleanroom.decide.match import Address
from cleanroom.decide.mirror import NO_MIRRORS, Mirrors, make_mirrors
from cleanroom.decide.model import Deny
from cleanroom.decide.secret import Foreign, SecretRef
from cleanroom.decide.services import read_services
from cleanroom.events import NetworkEvent
from cleanroom.gateway import control
from cleanroom.gateway.budgets import Allowances
from cleanroom.gateway.ca import Authority, Validity, upstream_context
from cleanroom.gateway.cached import CachedSource
from cleanroom.gateway.dialer import Cancellable, Dialling, Failed, Reached
from cleanroom.gateway.door import Door, Given
from cleanroom.gateway.handover import read_policy
from cleanroom.gateway.http1.write import printable
from cleanroom.gateway.ledger import Ledger
from cleanroom.gateway.minting import Minting, Whose
from cleanroom.gateway.places import place_of
from cleanroom.gateway.reactor import HUNG_UP, READABLE, WRITABLE, Reactor, Timer
from cleanroom.gateway.resolver import Lookup, Resolver, ask_host
from cleanroom.gateway.resolvers import OwnResolvers, parse_place
from cleanroom.gateway.shelf import Shelf
from cleanroom.gateway.source import Source, Want
from cleanroom.gateway.tunnel import Tunnelling, parse_proxy
from cleanroom.gateway.upstream import Upstream
from cleanroom.gateway.vault import SandboxSecrets, Secret
from cleanroom.gateway.wire import Target
from cleanroom.policy.hosts import InvalidHostError

_ENDS_S: Final = 0.02  # nobody waits for the report of an end: it goes with others
_READ_BYTES: Final = 256 * 1024
_MOST_UNSENT: Final = 64 * 1024 * 1024  # a daemon this far behind does not write the audit
_MOST_DESCRIPTORS: Final = 60  # in one recvmsg; the kernel's own limit is 253


class Gateway:
    """Serves until the daemon is gone. `run` it once."""

    def __init__(
        self,
        link: socket.socket,
        lookup: Lookup = ask_host,
        allowances: Allowances | None = None,
        cache: socket.socket | None = None,
    ) -> None:
        self.reactor = Reactor()
        self.guard = Guard()
        self.foreign: Mapping[str, Foreign] = {}
        self.mirrors: Mirrors = NO_MIRRORS
        self.allowances = allowances or Allowances()
        self._link = link
        self._inbox = control.Inbox()
        self._descriptors: deque[int] = deque()
        self._unsent = bytearray()
        self._ledger = Ledger()
        self._is_flush_due = False
        self._ends = Timer(_nothing)
        self._ends.cancel()
        self.upstream_tls = upstream_context("")  # verifies nobody before Trust came
        self._upstream = Upstream(self)
        # SECURITY: what the upstream sends is verified there; doors never ask it directly.
        self._shelf = Shelf(self.reactor, cache)
        self.source: Source = CachedSource(self.reactor, self._shelf, self._upstream)
        self._given: dict[str, Given] = {}
        self._doors: dict[str, Door] = {}
        self._lookup = lookup
        self._resolver = Resolver(self.reactor, lookup)
        self._proxy: tuple[str, int] | None = None
        link.settimeout(0)
        self.reactor.watch(link.fileno(), self)

    def run(self) -> None:
        """Serve. Returns when the control socket has ended, with everything closed."""
        try:
            self.reactor.run()
        finally:
            for door in self._doors.values():
                door.close()
            for given in self._given.values():
                given.close()
            self._shelf.close()
            self._resolver.close()
            self.reactor.forget(self._link.fileno())
            self._link.close()
            self.reactor.close()

    # --- what doors ask for ---------------------------------------------------------------

    def write(self, sandbox_id: str, event: NetworkEvent, written: Callable[[], None]) -> None:
        """Implement Surroundings: reports of one turn go out together, ends may wait a little."""
        self._ledger.add(sandbox_id, event, written)
        if event.phase != "verdict":
            if not self._ends.is_pending:
                self._ends = self.reactor.later(_ENDS_S, self._flush_reports)
        elif not self._is_flush_due:
            self._is_flush_due = True
            self.reactor.after_turn(self._flush_reports)

    def unwritten(self, sandbox_id: str) -> int:
        """Implement Surroundings."""
        return self._ledger.unwritten(sandbox_id)

    def dial(
        self,
        sandbox_id: str,
        target: Target,
        judge: Callable[[Address], Deny | None],
        done: Callable[[Reached | Failed], None],
    ) -> Cancellable:
        """Implement Surroundings."""
        service = self.guard.services.get((target.name, target.port))
        if service is not None:
            # As it is dialled; the policy was asked for the name, and the audit says it.
            place = replace(target, name="", address=str(service.address), port=service.port)
            dialling = Dialling(self.reactor, place, judge, done)
            dialling.start(sandbox_id, self._resolver)
            return dialling
        if self._proxy is not None:
            tunnelling = Tunnelling(self.reactor, self._proxy, target, done)
            tunnelling.start(sandbox_id, self._resolver, judge)
            return tunnelling
        dialling = Dialling(self.reactor, target, judge, done)
        dialling.start(sandbox_id, self._resolver)
        return dialling

    def dial_registry(
        self, want: Want, done: Callable[[Reached | Failed], None]
    ) -> Cancellable | None:
        """Implement Doors of gateway/upstream.py."""
        sandbox_id, place = want.sandbox_id, place_of(want)
        door = self._doors.get(sandbox_id)
        if door is None or self._given_to(sandbox_id).offline:
            return None
        target = Target(place.host, "", place.port, 0)
        judge = door.judge_of_operator if place.is_of_operator else door.judge
        return self.dial(sandbox_id, target, judge(place.host, place.port), done)

    def judge_redirect(self, want: Want, host: str, target: str) -> Grant | Refusal:
        """Implement Doors of gateway/upstream.py."""
        door = self._doors.get(want.sandbox_id)
        registries = door.registries if door is not None else {}
        return decide_request(registries, host, want.method, target, self.reactor.today())

    # --- the control socket ---------------------------------------------------------------

    def ready(self, events: int) -> None:
        """Implement Watcher."""
        try:
            if events & WRITABLE:
                self._send_unsent()
            if events & (READABLE | HUNG_UP):
                self._receive()
        except (OSError, control.ControlError):
            self.reactor.stop()

    def _receive(self) -> None:
        while True:
            try:
                data, descriptors, _, _ = socket.recv_fds(
                    self._link, _READ_BYTES, _MOST_DESCRIPTORS
                )
            except BlockingIOError:
                return
            self._descriptors.extend(descriptors)
            if not data:
                self.reactor.stop()
                return
            for body in self._inbox.bodies(data):
                self._obey(control.decode_for_gateway(body))
            if len(data) < _READ_BYTES and not descriptors:
                return  # epoll(7): a short read means empty; only descriptors end one early

    def _obey(self, message: control.ToGateway) -> None:
        match message:
            case control.Configure() | control.Trust():
                self._configure(message)
            case control.MakeAuthority() | control.HoldSecret():
                self._prepare(message)
            case control.OpenDoor():
                self._open(message)
            case control.NarrowPolicy(sandbox_id=sandbox_id):
                self._narrow(sandbox_id)
            case control.CloseDoor(sandbox_id=sandbox_id):
                self._close(sandbox_id)
            case control.Acknowledge(sequence=sequence):
                self._ledger.acknowledge(sequence)
            case _:
                assert_never(message)

    def _configure(self, message: control.Configure | control.Trust) -> None:
        """Take the operator's words; but for Trust they come again before each door."""
        if isinstance(message, control.Trust):
            self.upstream_tls = upstream_context(message.roots)
            return
        try:
            guard = make_guard(message.private_hosts, message.host_networks)
            self.guard = replace(guard, services=read_services(message.host_services))
            self.foreign = {host: Foreign(word) for host, word in message.foreign_credentials}
            self._proxy = parse_proxy(message.proxy) if message.proxy else None
            self.mirrors = make_mirrors(message.mirrors)
            places = tuple(parse_place(text) for text in message.resolvers)
        except (ValueError, InvalidHostError) as error:
            raise control.ControlError(str(error)) from error
        self._resolver.ask(OwnResolvers(places) if places else self._lookup)

    def _prepare(self, message: control.MakeAuthority | control.HoldSecret) -> None:
        if isinstance(message, control.MakeAuthority):
            self._authorise(message)
        else:
            self._hold(message)

    def _hold(self, message: control.HoldSecret) -> None:
        (descriptor,) = self._take_descriptors(1)
        given = self._given_to(message.sandbox_id)

        def answer(held: str | SecretRef) -> None:
            self._send(_answer(message, held))

        try:
            secret = Secret(descriptor)
        except OSError:
            answer("it did not come in an anonymous file")
            return
        finally:
            os.close(descriptor)
        at = message.binding.oauth2
        if at is None or message.offline:
            answer(given.secrets.add(message.binding, secret))
            return
        whose = Whose(message.sandbox_id, message.binding, at)
        given.mintings.append(Minting(self, whose, given.secrets, answer))
        given.mintings[-1].start(secret)

    def _given_to(self, sandbox_id: str) -> Given:
        if sandbox_id not in self._given:
            self._given[sandbox_id] = Given(SandboxSecrets(self.reactor.now))
        return self._given[sandbox_id]

    def _open(self, message: control.OpenDoor) -> None:
        sandbox_id = message.sandbox_id
        if sandbox_id in self._doors:
            error = "a door came twice"
            raise control.ControlError(error)
        file, *door = self._take_descriptors(1 + control.DOOR_DESCRIPTORS)
        sockets = [socket.socket(fileno=each) for each in door]
        judged = read_policy(file)
        given = self._given_to(sandbox_id)
        given.offline = message.offline
        self._doors[sandbox_id] = Door(self, sandbox_id, judged, sockets, given)
        self._send(control.DoorOpened(sandbox_id))

    def _narrow(self, sandbox_id: str) -> None:
        judged = read_policy(self._take_descriptors(1)[0])

        def narrowed() -> None:
            self._upstream.close_idle(sandbox_id)
            self._flush_reports()
            self._send(control.PolicyNarrowed(sandbox_id))

        if sandbox_id in self._doors:
            self._doors[sandbox_id].narrow(judged, narrowed)
        else:
            narrowed()

    def _take_descriptors(self, count: int) -> list[int]:
        if len(self._descriptors) < count:
            error = "a message came without its descriptors"
            raise control.ControlError(error)
        return [self._descriptors.popleft() for _ in range(count)]

    def _authorise(self, message: control.MakeAuthority) -> None:
        given = self._given_to(message.sandbox_id)
        if given.authority is not None:
            error = "an authority was asked for twice"
            raise control.ControlError(error)
        authority = Authority(message.names, Validity(message.since, message.until))
        given.authority = authority
        self._send(control.AuthorityMade(message.sandbox_id, authority.certificate))

    def _close(self, sandbox_id: str) -> None:
        given = self._given.pop(sandbox_id, None)
        door = self._doors.pop(sandbox_id, None)
        if door is not None:
            door.close()
        if given is not None:
            given.close()
        self._upstream.forget(sandbox_id)
        self._flush_reports()
        self._send(control.DoorClosed(sandbox_id))

    def _flush_reports(self) -> None:
        self._is_flush_due = False
        batch = self._ledger.take()
        if batch is not None:
            self._send(batch)

    def _send(self, message: control.ToDaemon) -> None:
        self._unsent += control.encode(message)
        if len(self._unsent) > _MOST_UNSENT:
            self.reactor.stop()
        try:
            self._send_unsent()
        except OSError:
            self.reactor.stop()

    def _send_unsent(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._unsent:
                del self._unsent[: self._link.send(self._unsent)]


def _answer(message: control.HoldSecret, outcome: str | SecretRef) -> control.SecretHeld:
    """Return the answer: a text is why nothing is kept."""
    sandbox_id, secret_id = message.sandbox_id, message.binding.secret_id
    if isinstance(outcome, str):
        return control.SecretHeld(
            sandbox_id, secret_id, why_not=printable(outcome, control.MOST_REASON)
        )
    return control.SecretHeld(sandbox_id, secret_id, outcome.placeholder)


def _nothing() -> None:
    """Do nothing: a timer that never was."""
