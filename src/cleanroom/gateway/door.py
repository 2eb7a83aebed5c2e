"""One sandbox at the gateway: its sockets, names, connections, and what it may cost.

In: the six sockets of its door, its policy. Out: connections, answers, reports. Never: a thing of
one sandbox in another's.
"""

import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from ipaddress import ip_address
from typing import Final, Protocol

from cleanroom.decide.address import Guard
from cleanroom.decide.match import Address
from cleanroom.decide.mirror import Mirrors
from cleanroom.decide.model import Allow, Deny
from cleanroom.decide.registries import Judged
from cleanroom.decide.secret import Foreign
from cleanroom.decide.tcp import decide_dial
from cleanroom.errors import Code
from cleanroom.events import NetworkEvent
from cleanroom.events import Protocol as Speech
from cleanroom.gateway.budgets import SWEEP_S, Allowances, Folder, TokenBucket
from cleanroom.gateway.ca import Authority
from cleanroom.gateway.connection import Connection
from cleanroom.gateway.datagrams import DatagramSocket, DnsSocket, RefusedSocket
from cleanroom.gateway.dialer import Cancellable, Failed, NotDialled, Reached
from cleanroom.gateway.endpoint import close_with_reset
from cleanroom.gateway.layers.bound import Bound, Searched
from cleanroom.gateway.layers.custody import Custody, Untouched, Watched
from cleanroom.gateway.layers.dns import DNS_PORT, DnsAnswerer, DnsOverTcp
from cleanroom.gateway.layers.http import HttpLayer
from cleanroom.gateway.layers.lending import Lending
from cleanroom.gateway.layers.mirroring import Mirrored, Mirroring
from cleanroom.gateway.layers.opened import OpenedLayer, Sessions
from cleanroom.gateway.layers.registry import RegistryLayer
from cleanroom.gateway.layers.report import verdict_event
from cleanroom.gateway.layers.tcp import Inner, TcpLayer
from cleanroom.gateway.layers.tls_session import TlsSession
from cleanroom.gateway.layers.visit import Visit
from cleanroom.gateway.layers.watched_relay import WatchedRelay
from cleanroom.gateway.listener import Listener
from cleanroom.gateway.minting import Minting
from cleanroom.gateway.narrowing import Narrowing, in_parts
from cleanroom.gateway.reactor import Reactor, Timer
from cleanroom.gateway.source import Fetching, Source, Taker, Want
from cleanroom.gateway.vault import SandboxSecrets
from cleanroom.gateway.wire import Answerer, Layer, Target
from cleanroom.policy.model import CompiledPolicy
from cleanroom.policy.opened import bindings_of, is_told, registries_of

_UNJUDGED_S: Final = 15.0  # for a connection to say what it wants
_DIAL_S: Final = 15.0  # for an upstream to be found and to answer


class Surroundings(Protocol):
    """What all doors of a gateway share."""

    @property
    def reactor(self) -> Reactor: ...

    @property
    def guard(self) -> Guard: ...

    @property
    def foreign(self) -> Mapping[str, Foreign]:
        """What the operator says of other credentials to bound hosts."""
        ...

    @property
    def mirrors(self) -> Mirrors: ...

    @property
    def allowances(self) -> Allowances: ...

    @property
    def upstream_tls(self) -> ssl.SSLContext:
        """What verifies the upstreams of opened connections."""
        ...

    @property
    def source(self) -> Source:
        """What answers the requests to registries."""
        ...

    def write(self, sandbox_id: str, event: NetworkEvent, written: Callable[[], None]) -> None:
        """Have the daemon write one event; `written` is called when it has."""
        ...

    def unwritten(self, sandbox_id: str) -> int:
        """Return how many events of this sandbox the daemon has not written yet."""
        ...

    def dial(
        self,
        sandbox_id: str,
        target: Target,
        judge: Callable[[Address], Deny | None],
        done: Callable[[Reached | Failed], None],
    ) -> Cancellable:
        """Begin to connect to a target."""
        ...


@dataclass(slots=True)
class Given:
    """What a sandbox gave into the gateway's hands before its door was opened, and later."""

    secrets: SandboxSecrets
    authority: Authority | None = None
    offline: bool = False  # nothing is asked of any upstream
    mintings: list[Minting] = field(default_factory=list)

    def close(self) -> None:
        """Mint no more, wipe everything. Idempotent."""
        for minting in self.mintings:
            minting.close()
        self.secrets.close()


@dataclass(slots=True)
class _Spent:
    """What the sandbox uses now."""

    head_bytes: int = 0
    connections: int = 0  # ever, to number them


class Door:
    """Serves one sandbox from construction until `close`."""

    def __init__(
        self,
        around: Surroundings,
        sandbox_id: str,
        judged: Judged,
        sockets: Sequence[socket.socket],
        given: Given | None = None,
    ) -> None:
        self.reactor = around.reactor
        self._around = around
        self._sandbox_id = sandbox_id
        self._policy, self.registries = judged
        self._given = given or Given(SandboxSecrets(self.reactor.now))
        self._secrets = self._given.secrets
        self._inner = Inner(self._plain, self._opened, self._relayed, self._secrets.why_ended)
        self._dns = DnsAnswerer(self._policy, keyring=self._secrets)
        self._folder = Folder()
        self._spent = _Spent()
        self._live: set[Connection] = set()
        self._unjudged: dict[Connection, float] = {}  # in the order of their deadlines
        limits = around.allowances
        self._dials = TokenBucket(limits.connections_rate, limits.connections_burst)
        self._queries = TokenBucket(limits.queries_rate, limits.queries_burst)
        tcp4, tcp6, dns4, dns6, udp4, udp6 = sockets
        self._listeners = [Listener(self, sock) for sock in (tcp4, tcp6)]
        self._datagrams: list[DatagramSocket] = [DnsSocket(self, sock) for sock in (dns4, dns6)]
        self._datagrams += [RefusedSocket(self, sock) for sock in (udp4, udp6)]
        self._sweep: Timer = self.reactor.later(SWEEP_S, self._swept)

    @property
    def answerer(self) -> Answerer:
        """Implement datagrams.Keeper."""
        return self._dns

    def narrow(self, judged: Judged, done: Callable[[], None]) -> None:
        """Judge by that from now on; cut what it judges otherwise than before, then call `done`.

        What is cut may be allowed yet: its client begins again, and is judged by `judged`.
        """
        narrowing = Narrowing(Judged(self._policy, self.registries), judged)
        self._policy, self.registries = judged
        self._dns.narrow(self._policy)
        self._secrets.narrow(self._policy.secrets)
        self._revoke()
        in_parts(self.reactor, list(self._live), partial(self._hold_to, narrowing), done)

    def close(self) -> None:
        """Cut everything; what was folded is reported."""
        self._sweep.cancel()
        for listener in self._listeners:
            listener.close()
        for datagrams in self._datagrams:
            datagrams.close()
        for connection in list(self._live):
            connection.cut()
        self._write_all(self._folder.flush())

    # --- what connections and sockets ask for ---------------------------------------------

    def wait_before_accepting_s(self) -> float:
        """Spend one connection of the budget; if there is none, return when to ask again."""
        limit = self._around.allowances.unwritten_reports
        if self._around.unwritten(self._sandbox_id) > limit:
            return SWEEP_S
        if self._dials.take(self.reactor.now()):
            return 0.0
        return max(self._dials.wait_s(), 0.001)

    def accepted(self, sock: socket.socket) -> None:
        """Serve one accepted connection. Its own name is where the workload wanted to go."""
        target = self._target(sock)
        if len(self._live) >= self._around.allowances.connections:
            reason = f"the sandbox has {len(self._live)} connections open, as many as it may"
            self._complain(target, reason)
            close_with_reset(sock)
            return
        try:
            connection = Connection(self, sock, target, self._layer(target))
        except OSError as error:  # no memory left to watch it
            self._complain(target, f"the gateway cannot serve one more: {error.strerror}")
            close_with_reset(sock)
            return
        self._live.add(connection)
        self._unjudged[connection] = self.reactor.now() + _UNJUDGED_S
        connection.start()

    def may_ask(self) -> bool:
        """Spend one query of the budget, if there is one."""
        limit = self._around.allowances.unwritten_reports
        if self._around.unwritten(self._sandbox_id) > limit:
            return False
        if self._queries.take(self.reactor.now()):
            return True
        self._complain(Target("", "", DNS_PORT, 0), "the sandbox asks more often than it may")
        return False

    def report(self, event: NetworkEvent, written: Callable[[], None]) -> bool:
        """Have it written; False: it was folded into others and nobody needs to wait."""
        if not event.ends_sandbox and (event.protocol is Speech.DNS or not event.allowed):
            offered = self._folder.offer(event, self.reactor.now())
            if offered is None:
                return False
            event = offered
        self._around.write(self._sandbox_id, event, written)
        return True

    def dial(self, connection: Connection, done: Callable[[Reached | Failed], None]) -> Cancellable:
        """Connect to a target that its layer found allowed."""
        target = connection.target
        self._unjudged.pop(connection, None)  # the new deadline goes to the end
        self._unjudged[connection] = self.reactor.now() + _DIAL_S

        if self._given.offline:
            where = f"{target.name or target.address}:{target.port}"
            deny = Deny(Code.OFFLINE_MISS, f"{where} is not asked: the sandbox is offline")
            return NotDialled(self.reactor, deny, done)
        judge = self.judge(target.name, target.port)
        return self._around.dial(self._sandbox_id, target, judge, done)

    def fetch(self, want: Want, taker: Taker) -> Fetching:
        """Have a registry's request answered that its layer found allowed."""
        return self._around.source.fetch(want, taker)

    def judge(self, name: str, port: int) -> Callable[[Address], Deny | None]:
        """Return what judges each address that `name` resolves to."""
        return lambda address: decide_dial(self._policy, self._around.guard, name, address, port)

    def judge_of_operator(self, name: str, port: int) -> Callable[[Address], Deny | None]:
        """Return what judges each address of a mirror or its storage, by the operator's word."""
        guard = self._around.guard
        named = replace(guard, private_names=guard.private_names | {name})
        return lambda address: decide_dial(self._policy, named, name, address, port)

    def hold(self, size: int) -> bool:
        """Account bytes of unjudged heads and bodies."""
        self._spent.head_bytes += size
        if size <= 0 or self._spent.head_bytes <= self._around.allowances.head_bytes:
            return True
        reason = "the sandbox has too many bytes in connections that did not say what they want"
        self._complain(Target("", "", 0, 0), reason)
        return False

    def settled(self, connection: Connection) -> None:
        """Lift the deadline of a connection that was allowed."""
        self._unjudged.pop(connection, None)

    def gone(self, connection: Connection) -> None:
        """Forget a closed connection."""
        self._unjudged.pop(connection, None)
        self._live.discard(connection)

    # --- inside ---------------------------------------------------------------------------

    def _hold_to(self, narrowing: Narrowing, connection: Connection) -> None:
        verdict = narrowing.judge(connection.target) if connection in self._live else None
        if isinstance(verdict, Deny):
            event = verdict_event(connection.target, Speech.TCP, verdict)
            self._around.write(self._sandbox_id, event, _nothing)
        if verdict is not None:
            connection.cut()

    def _revoke(self) -> None:
        """Cut the connections to hosts that were told a secret which is over."""
        lost = self._secrets.take_lost()
        for connection in [each for each in self._live if each.target.name in lost]:
            deny = self._secrets.why_ended(connection.target.name)
            if deny is not None:
                event = verdict_event(connection.target, Speech.TCP, deny)
                self._around.write(self._sandbox_id, event, _nothing)
            connection.cut()

    def _target(self, sock: socket.socket) -> Target:
        address, port = sock.getsockname()[:2]
        if "." not in address:
            address = str(ip_address(address))
        self._spent.connections += 1
        return Target(self._dns.name_of(address), address, port, self._spent.connections)

    def _layer(self, target: Target) -> Layer:
        if target.port == DNS_PORT:
            return DnsOverTcp(self._dns)
        return TcpLayer(self._policy, target, self._inner)

    def _plain(self, policy: CompiledPolicy, target: Target) -> Layer:
        return HttpLayer(policy, target, Speech.HTTP, self._custody(target, verified=False))

    def _relayed(self, target: Target) -> Layer | None:
        return WatchedRelay(target, self._secrets) if self._secrets.found.refs else None

    def _opened(self, policy: CompiledPolicy, target: Target, allow: Allow) -> Layer | Deny | None:
        authority = self._given.authority
        try:
            context = None if authority is None else authority.context_for(target.name)
        except OSError as error:  # no descriptor left: `ssl` reads a leaf's key from a file only
            reason = f"the gateway cannot make a certificate for it: {error.strerror}"
            return Deny(Code.RESOURCE_LIMIT, reason)
        if context is None:
            return None
        sessions = Sessions(
            lambda: TlsSession(context),
            lambda: TlsSession(self._around.upstream_tls, target.name),
        )
        custody = self._custody(target, verified=True)
        inside: Layer = HttpLayer(policy, target, Speech.HTTPS, custody)
        if registries_of(policy, target.name):
            visit = Visit(
                self._sandbox_id,
                policy,
                self.registries,
                self.reactor.today,
                self._given.offline,
                self._mirroring(),
            )
            inside = RegistryLayer(visit, target, allow, self._registry_custody(target))
        return OpenedLayer(target, allow, sessions, inside)

    def _mirroring(self) -> Mirroring | None:
        mirrors = self._around.mirrors
        return Mirroring(self._secrets, mirrors) if mirrors else None

    def _registry_custody(self, target: Target) -> Custody:
        bindings = bindings_of(self._policy, target.name, target.port)
        if target.name in self._around.mirrors:
            return Mirrored(self._secrets, target, verified=True)
        if bindings:
            # The request is built anew there: a credential that is not lent cannot pass.
            stripped = self._foreign(target) is Foreign.STRIP
            foreign = Foreign.STRIP if stripped else Foreign.BLOCK
            return Lending(self._secrets, target, bindings, foreign)
        return Watched(self._secrets, target, verified=True)

    def _custody(self, target: Target, *, verified: bool) -> Custody:
        bindings = bindings_of(self._policy, target.name, target.port)
        if bindings and verified:
            return Bound(self._secrets, target, bindings, self._foreign(target))
        if self._secrets.found.refs:
            # SECURITY: what a host was told at one port it may repeat at another.
            kind = Searched if is_told(self._policy, target.name) else Watched
            return kind(self._secrets, target, verified=verified)
        return Untouched()

    def _foreign(self, target: Target) -> Foreign:
        return self._around.foreign.get(target.name, Foreign.BLOCK)

    def _complain(self, target: Target, reason: str) -> None:
        deny = Deny(Code.RESOURCE_LIMIT, reason)
        self.report(verdict_event(target, Speech.TCP, deny), _nothing)

    def _swept(self) -> None:
        now = self.reactor.now()
        self._write_all(self._folder.due(now))
        self._revoke()
        for connection in [late for late, until in self._unjudged.items() if until <= now]:
            del self._unjudged[connection]
            connection.expire()
        self._sweep = self.reactor.later(SWEEP_S, self._swept)

    def _write_all(self, events: Sequence[NetworkEvent]) -> None:
        for event in events:
            self._around.write(self._sandbox_id, event, _nothing)


def _nothing() -> None:
    """Nobody waits."""
