"""Policies as files for the gateway, made where nobody waits and kept for the next sandbox.

In: compiled policies. Out: descriptors, each the caller's. Never: all pins of a policy looked at in
the daemon's loop; more kept than so many bytes.
"""

import asyncio
import errno
import os
from collections import OrderedDict
from functools import partial
from typing import Final, NamedTuple

from cleanroom.errors import Code, Refused
from cleanroom.gateway.handover import policy_file
from cleanroom.policy.model import CompiledPolicy

_MOST: Final = 8
_MOST_BYTES: Final = 64 * 1024 * 1024


class _Kept(NamedTuple):
    policy: CompiledPolicy  # so that no other one has its identity
    descriptor: int
    size: int


class PolicyFiles:
    """Those of one gateway. A policy is known by its identity: equal hashes name other lines."""

    def __init__(self) -> None:
        self._kept: OrderedDict[int, _Kept] = OrderedDict()
        self._is_closed = False

    async def file(self, policy: CompiledPolicy) -> int:
        """Return a descriptor of its sealed file. Raises OSError, Refused(resource_limit)."""
        kept = self._kept.get(id(policy))
        if kept is not None:
            self._kept.move_to_end(id(policy))
            return os.dup(kept.descriptor)
        if not any(each.artifact_allowlist or each.unpinned for each in policy.registries):
            return policy_file(policy)
        making = asyncio.get_running_loop().run_in_executor(None, policy_file, policy)
        try:
            made = await asyncio.shield(making)
        except asyncio.CancelledError:
            # Whoever tries again finds it, however slow this machine is.
            making.add_done_callback(partial(self._keep_late, policy))
            raise
        except OSError as error:
            if error.errno != errno.EFBIG:
                raise
            message = "cannot hold a sandbox to this policy: its lock files pin too much"
            raise Refused(Code.RESOURCE_LIMIT, message, "name fewer lock files") from error
        self._keep(policy, made)
        return made

    def close(self) -> None:
        """Keep none any more. Idempotent."""
        self._is_closed = True
        while self._kept:
            os.close(self._kept.popitem()[1].descriptor)

    def _keep_late(self, policy: CompiledPolicy, making: asyncio.Future[int]) -> None:
        if not making.cancelled() and making.exception() is None:
            self._keep(policy, making.result())
            os.close(making.result())

    def _keep(self, policy: CompiledPolicy, made: int) -> None:
        if self._is_closed or id(policy) in self._kept:
            return
        self._kept[id(policy)] = _Kept(policy, os.dup(made), os.fstat(made).st_size)
        while (
            len(self._kept) > _MOST or sum(each.size for each in self._kept.values()) > _MOST_BYTES
        ):
            os.close(self._kept.popitem(last=False)[1].descriptor)
