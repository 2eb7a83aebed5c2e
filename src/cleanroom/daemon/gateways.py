"""The gateway process in force: started when first needed, replaced when it was lost.

In: doors to be served. Out: Doors of a living gateway, or Fault(gateway_lost). Never: a sandbox
whose network outlives its gateway; the sandboxes of a lost one stay without network.
"""

import asyncio
import logging
import os
from collections.abc import Mapping
from typing import Final

from cleanroom.daemon.parts import GatewayLink, Lost, RecordEvent, Service, StartGateway
from cleanroom.decide.mirror import binding_of, is_of_operator
from cleanroom.errors import CleanroomError
from cleanroom.policy.model import CompiledPolicy

NO_VALUES: Final[Mapping[str, int]] = {}

_log = logging.getLogger(__name__)


class Gateways:
    """At most one gateway serves new sandboxes."""

    def __init__(self, start: StartGateway, record: RecordEvent, lost: Lost) -> None:
        self._start = start
        self._record = record
        self._lost = lost
        self._link: GatewayLink | None = None
        self._starting = asyncio.Lock()
        self._serving: dict[str, GatewayLink] = {}

    @property
    def state(self) -> str:
        """One word for doctor: "not started", "running" or "lost"."""
        if self._link is None:
            return "not started"
        return "running" if self._link.alive else "lost"

    async def warm_up(self) -> None:
        """Start the process before anyone waits for it; a failure shows at the first sandbox."""
        try:
            await self._living()
        except CleanroomError as error:
            _log.warning("the gateway did not start: %s", error.message)

    async def serve(
        self,
        sandbox_id: str,
        policy: CompiledPolicy,
        values: Mapping[str, int] = NO_VALUES,
        *,
        offline: bool = False,
    ) -> Service:
        """Return the door of a sandbox about to start, and what it must trust.

        `values` are descriptors of secrets; they stay the caller's. Raises Fault(gateway_lost),
        Refused(secret_unavailable). `close_door` ends it, whatever became of the sandbox.
        """
        link = await self._living()
        self._serving[sandbox_id] = link
        authority = await link.authority(sandbox_id, policy)
        placeholders = [
            (
                binding.env,
                await link.hold_secret(sandbox_id, binding, os.dup(value), offline=offline),
            )
            for binding in policy.secrets
            if (value := values.get(binding.secret_id)) is not None
        ]
        for name in filter(is_of_operator, values):
            await link.hold_secret(sandbox_id, binding_of(name), os.dup(values[name]))
        door = link.door(sandbox_id, policy, offline=offline)
        return Service(door, authority, tuple(placeholders))

    async def narrow(self, sandbox_id: str, policy: CompiledPolicy) -> None:
        """Hold a sandbox to a narrower policy at once. Without its gateway it has no network."""
        link = self._serving.get(sandbox_id)
        if link is not None:
            await link.narrow(sandbox_id, policy)

    async def close_door(self, sandbox_id: str) -> None:
        """Cut the sandbox's connections; its last events are recorded by then. Idempotent."""
        link = self._serving.pop(sandbox_id, None)
        if link is not None and link.alive:
            await link.close_door(sandbox_id)

    async def stop(self) -> None:
        """End the process. Idempotent."""
        async with self._starting:
            if self._link is not None:
                await self._link.stop()

    async def _living(self) -> GatewayLink:
        async with self._starting:
            if self._link is None or not self._link.alive:
                self._link = await self._start(self._record, self._lost)
            return self._link
