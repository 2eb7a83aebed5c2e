"""The daemon's half of the gateway: starts the process, hands it doors, writes what it reports.

In: events of the gateway process, read as what a hostile process may send. Out: acknowledgements,
each after its events are recorded. Never: an acknowledgement of an event that was not written; if
writing fails the connection is closed, and with it every connection of every sandbox.
"""

import asyncio
import contextlib
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Self, assert_never

from cleanroom.backends.base import DoorSockets
from cleanroom.backends.process import Child, start
from cleanroom.daemon.clock import Clock
from cleanroom.daemon.content import Content
from cleanroom.daemon.gateway_answers import (
    checked_certificate,
    checked_secret,
    fail,
    finish,
    gone,
    placeholder_of,
)
from cleanroom.daemon.gateway_door import GatewayDoor, descriptors_of
from cleanroom.daemon.gateway_process import launch_of
from cleanroom.daemon.host_networks import read_host_networks
from cleanroom.daemon.policy_files import PolicyFiles
from cleanroom.daemon.settings import GatewaySettings
from cleanroom.daemon.tasks import Tasks
from cleanroom.decide.mirror import Mirror
from cleanroom.errors import Fault, Refused
from cleanroom.events import NetworkEvent
from cleanroom.gateway import control
from cleanroom.policy.model import CompiledPolicy, SecretBinding
from cleanroom.policy.opened import opened_names

Record = Callable[[str, NetworkEvent], None]
Lost = Callable[[frozenset[str]], None]

_READ_BYTES: Final = 256 * 1024
_ANSWER_S: Final = 10.0
_MINTED_S: Final = 30.0  # the gateway gives a token endpoint less
SKEW_S: Final = 86_400  # how wrong a sandbox's clock may be for its authority to be valid


@dataclass(frozen=True, slots=True)
class Supplies:
    """What every gateway is given; `roots` are PEM: by them upstreams are verified."""

    roots: str
    clock: Clock
    content: Content
    mirrors: tuple[Mirror, ...] = ()


class GatewayLink:
    """One gateway process. Use `start`."""

    def __init__(
        self, settings: GatewaySettings, record: Record, lost: Lost, supplies: Supplies
    ) -> None:
        self._settings = settings
        self._supplies = supplies
        self._is_trust_sent = False
        self._record = record
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._tasks = Tasks()
        self._inbox = control.Inbox()
        self._unsent: deque[tuple[bytes, tuple[int, ...]]] = deque()
        self._opening: dict[str, asyncio.Future[None]] = {}
        self._closing: dict[str, asyncio.Future[None]] = {}
        self._narrowing: dict[str, asyncio.Future[None]] = {}
        self._authorising: dict[str, asyncio.Future[str]] = {}
        self._holding: dict[tuple[str, str], asyncio.Future[control.SecretHeld]] = {}
        self._served: set[str] = set()
        self._files = PolicyFiles()
        self._socket: socket.socket | None = None
        self._child: Child | None = None
        self._cache = supplies.content.link()

    @classmethod
    async def start(
        cls, settings: GatewaySettings, record: Record, lost: Lost, supplies: Supplies
    ) -> Self:
        """Start a gateway process. `lost` is called once if it ends without `stop`.

        `record` is called for each event, in order; when it returns, the line must be written.
        Raises Fault(gateway_lost, runtime_launch_failed).
        """
        link = cls(settings, record, lost, supplies)
        link._launch()
        return link

    @property
    def alive(self) -> bool:
        """Whether the process can be given another door."""
        return self._socket is not None

    @property
    def pid(self) -> int:
        """The process; 0 before its start."""
        return self._child.pid if self._child else 0

    def door(
        self, sandbox_id: str, policy: CompiledPolicy, *, offline: bool = False
    ) -> GatewayDoor:
        """Return the door of one sandbox; nothing is sent before its `attach`."""
        return GatewayDoor(self, policy, control.OpenDoor(sandbox_id, offline))

    async def authority(self, sandbox_id: str, policy: CompiledPolicy) -> str:
        """Have the sandbox's own certificate authority made; return what it must trust, as PEM.

        "" if its policy opens no TLS. Raises Fault(gateway_lost).
        """
        names = opened_names(policy)
        if not names:
            return ""
        now = int(self._supplies.clock.now().timestamp())
        until = now + policy.sandbox.ttl_s + SKEW_S
        try:
            if not self._is_trust_sent:
                self._is_trust_sent = True
                self._send(control.Trust(self._supplies.roots))
            made: asyncio.Future[str] = self._loop.create_future()
            self._authorising[sandbox_id] = made
            self._served.add(sandbox_id)
            self._send(control.MakeAuthority(sandbox_id, names, now - SKEW_S, until))
            async with asyncio.timeout(_ANSWER_S):
                return await made
        except TimeoutError as error:
            raise gone() from error
        finally:
            self._authorising.pop(sandbox_id, None)

    async def hold_secret(
        self, sandbox_id: str, binding: SecretBinding, descriptor: int, *, offline: bool = False
    ) -> str:
        """Have the gateway keep a secret's value for a sandbox; return what stands for it inside.

        `descriptor`: an anonymous file, closed here. Raises Refused(secret_unavailable), Fault.
        """
        key = (sandbox_id, binding.secret_id)
        held: asyncio.Future[control.SecretHeld] = self._loop.create_future()
        descriptors: tuple[int, ...] = (descriptor,)
        try:
            self._holding[key] = held
            self._served.add(sandbox_id)
            if self._socket is None:
                raise gone()
            self._configure()  # a token may have to be minted
            self._send(control.HoldSecret(sandbox_id, binding, offline), descriptors)
            descriptors = ()  # closed when sent
            async with asyncio.timeout(_ANSWER_S if binding.oauth2 is None else _MINTED_S):
                return placeholder_of(await held)
        except TimeoutError as error:
            raise gone() from error
        finally:
            self._holding.pop(key, None)
            _close_all(descriptors)

    async def open_door(
        self, message: control.OpenDoor, policy: CompiledPolicy, sockets: DoorSockets
    ) -> None:
        """Give the sockets of a door to the gateway and wait until it serves them."""
        sandbox_id = message.sandbox_id
        descriptors: tuple[int, ...] = descriptors_of(sockets)
        try:
            self._served.add(sandbox_id)
            descriptors = (await self._files.file(policy), *descriptors)
            if sandbox_id not in self._served:  # closed meanwhile, or the gateway is gone
                raise gone()
            self._configure()
            done = self._opening[sandbox_id] = self._loop.create_future()
            self._send(message, descriptors)
            descriptors = ()  # closed when sent
            async with asyncio.timeout(_ANSWER_S):
                await done
        except (OSError, TimeoutError) as error:
            self._served.discard(sandbox_id)
            raise gone() from error
        finally:
            self._opening.pop(sandbox_id, None)
            _close_all(descriptors)

    async def narrow(self, sandbox_id: str, policy: CompiledPolicy) -> None:
        """Hold a live sandbox to a narrower policy; when this returns, nothing beyond it lives.

        Raises Refused(resource_limit) for one that is too large; the sandbox has no network then.
        """
        if not self.alive or sandbox_id not in self._served:
            return
        try:
            descriptor = await self._files.file(policy)
            if sandbox_id not in self._served:  # closed meanwhile, or the gateway is gone
                os.close(descriptor)
                return
            done = self._narrowing[sandbox_id] = self._loop.create_future()
            self._send(control.NarrowPolicy(sandbox_id), (descriptor,))
            async with asyncio.timeout(_ANSWER_S):
                await done
        except Fault:
            pass  # it is gone, and so is the sandbox's network
        except Refused:
            await self.close_door(sandbox_id)  # SECURITY: what no gateway can hold, nobody has
            raise
        except (OSError, TimeoutError):
            self._die()  # SECURITY: a gateway that does not narrow must not serve it
        finally:
            self._narrowing.pop(sandbox_id, None)

    async def close_door(self, sandbox_id: str) -> None:
        """Cut everything of this sandbox; all its events were recorded when this returns."""
        if not self.alive or sandbox_id not in self._served:
            return
        self._served.discard(sandbox_id)
        done = self._closing[sandbox_id] = self._loop.create_future()
        try:
            self._send(control.CloseDoor(sandbox_id))
            async with asyncio.timeout(_ANSWER_S):
                await done
        except Fault:
            pass  # it is gone, and so is the door
        except TimeoutError:
            self._die()  # SECURITY: a gateway that does not close a door must not serve it
        finally:
            self._closing.pop(sandbox_id, None)

    async def stop(self) -> None:
        """End the process and wait for its end. Idempotent; `lost` is not called."""
        self._served.clear()
        self._disconnect()
        await self._tasks.close(grace_s=2.0)
        await asyncio.to_thread(self._cache.close)

    # --- the process ----------------------------------------------------------------------

    def _launch(self) -> None:
        ours, theirs = socket.socketpair()
        try:
            self._child = start(launch_of(theirs.fileno(), self._cache.theirs.fileno()))
        except Fault:
            ours.close()
            self._cache.close()
            raise
        finally:
            theirs.close()
        self._cache.start()
        ours.setblocking(False)  # noqa: FBT003
        self._socket = ours
        self._loop.add_reader(ours.fileno(), self._readable)
        self._tasks.start(self._reap(self._child), "gateway process")

    async def _reap(self, child: Child) -> None:
        try:
            await child.wait()
        finally:
            if child.status is None:  # cancelled: stop() has waited long enough
                child.kill()
                await child.wait()
            self._die()

    def _die(self) -> None:
        """Take note that the gateway is gone, or see to it."""
        served = frozenset(self._served)
        was_alive = self.alive
        self._served.clear()
        self._disconnect()
        if self._child is not None and self._child.status is None:
            self._child.kill()
        if was_alive:
            self._lost(served)

    def _disconnect(self) -> None:
        if self._socket is not None:
            self._loop.remove_reader(self._socket.fileno())
            self._loop.remove_writer(self._socket.fileno())
            self._socket.close()
            self._socket = None
        self._files.close()
        while self._unsent:
            _close_all(self._unsent.popleft()[1])
        for waits in (self._opening, self._narrowing, self._closing):
            for waiting in waits.values():
                fail(waiting)
        for asked in self._authorising.values():
            fail(asked)
        for held in self._holding.values():
            fail(held)

    # --- messages -------------------------------------------------------------------------

    def _configure(self) -> None:
        settings = self._settings
        self._send(
            control.Configure(
                host_networks=read_host_networks(),
                private_hosts=settings.private_hosts,
                host_services=settings.host_services,
                resolvers=settings.resolvers,
                proxy=settings.proxy,
                foreign_credentials=settings.foreign_credentials,
                mirrors=self._supplies.mirrors,
            )
        )

    def _send(
        self,
        message: control.ToGateway,
        descriptors: tuple[int, ...] = (),
    ) -> None:
        if self._socket is None:
            raise gone()
        self._unsent.append((control.encode(message), descriptors))
        self._writable()

    def _writable(self) -> None:
        while self._unsent and self._socket is not None:
            data, descriptors = self._unsent.popleft()
            try:
                sent = socket.send_fds(self._socket, [data], descriptors)
            except BlockingIOError:
                self._unsent.appendleft((data, descriptors))
                self._loop.add_writer(self._socket.fileno(), self._writable)
                return
            except OSError:
                self._unsent.appendleft((data, descriptors))
                self._die()
                return
            _close_all(descriptors)
            if sent < len(data):
                self._unsent.appendleft((data[sent:], ()))
        if self._socket is not None:
            self._loop.remove_writer(self._socket.fileno())

    def _readable(self) -> None:
        if self._socket is None:
            return
        try:
            data = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        try:
            last = self._take(data) if data else None
        except control.ControlError:
            data = b""
            last = None
        except BaseException:
            # SECURITY: what could not be recorded must not happen. The traceback is the caller's.
            self._die()
            raise
        if not data:
            self._die()
        elif last is not None:
            with contextlib.suppress(Fault):
                self._send(control.Acknowledge(last))

    def _take(self, data: bytes) -> int | None:
        last: int | None = None
        for body in self._inbox.bodies(data):
            message = control.decode_for_daemon(body)
            match message:
                case control.Reports(reports=reports):
                    last = self._record_all(reports) or last
                case control.AuthorityMade(sandbox_id=sandbox_id, certificate=certificate):
                    finish(self._authorising.get(sandbox_id), checked_certificate(certificate))
                case control.SecretHeld(sandbox_id=sandbox_id, secret_id=secret_id):
                    waiting = self._holding.get((sandbox_id, secret_id))
                    finish(waiting, checked_secret(message))
                case control.DoorOpened(sandbox_id=sandbox_id):
                    finish(self._opening.get(sandbox_id), None)
                case control.PolicyNarrowed(sandbox_id=sandbox_id):
                    finish(self._narrowing.get(sandbox_id), None)
                case control.DoorClosed(sandbox_id=sandbox_id):
                    finish(self._closing.get(sandbox_id), None)
                case _:
                    assert_never(message)
        return last

    def _record_all(self, reports: Sequence[control.Report]) -> int | None:
        for report in reports:
            self._record(report.sandbox_id, report.event)
        return reports[-1].sequence if reports else None


def _close_all(descriptors: tuple[int, ...]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
