"""The content cache: shown, verified, pruned; and what lock files pin of it.

In: sizes, policy texts. Out: counts, pins. Never: a file served from here: only a sandbox's own
policy does that, at the gateway.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from typing import TypeVar

from aiohttp import web

from cleanroom.api.cache_types import (
    CacheInfo,
    CachePruned,
    CachePruning,
    CacheVerification,
    PinnedArtifact,
    PinnedArtifacts,
    PinnedRegistry,
)
from cleanroom.api.policy_types import PolicyRequest
from cleanroom.cache.store import Store
from cleanroom.daemon.call import Call, answer
from cleanroom.daemon.policies import MAX_POLICY_BODY
from cleanroom.errors import Code, Fault
from cleanroom.policy.model import CompiledPolicy

Result = TypeVar("Result")


async def info(call: Call) -> web.StreamResponse:
    """Show what the cache holds."""
    return answer(await _with_store(call, lambda store: _info(call, store)))


async def verify(call: Call) -> web.StreamResponse:
    """Read every file; those that are not what their name says are removed."""
    checked = await _with_store(call, lambda store: store.verify())
    if checked.damaged:
        await asyncio.to_thread(call.host.content.tell_removed)
    return answer(CacheVerification(right=checked.right, damaged=list(checked.damaged)))


async def prune(call: Call) -> web.StreamResponse:
    """Remove the longest unused files."""
    wanted = await call.read(CachePruning)

    def work(store: Store) -> CachePruned:
        limit = store.info().limit if wanted.keep_bytes is None else wanted.keep_bytes
        removed = store.prune(limit)
        return CachePruned(removed_bytes=removed, left=_info(call, store))

    pruned = await _with_store(call, work)
    await asyncio.to_thread(call.host.content.tell_removed)
    return answer(pruned)


async def artifacts(call: Call) -> web.StreamResponse:
    """Return what the lock files of a policy pin: what `cache warm` asks for."""
    request = await call.read(PolicyRequest, MAX_POLICY_BODY)
    policy, _, _ = await call.host.policies.compile(request.policy)
    return answer(await asyncio.to_thread(pinned_artifacts, policy))


def pinned_artifacts(policy: CompiledPolicy) -> PinnedArtifacts:
    """Return the pins of each enabled registry."""
    return PinnedArtifacts(
        registries=[
            PinnedRegistry(
                manager=registry.manager,
                hosts=list(registry.allowed_hosts),
                artifacts=[
                    PinnedArtifact(
                        name=pin.name,
                        version=pin.version,
                        file=pin.file,
                        url=pin.url,
                        digests=list(pin.digests),
                    )
                    for pin in registry.artifact_allowlist
                ],
                held=registry.lockfile.in_force == "deny_unknown",
            )
            for registry in policy.registries
            if registry.enabled
        ]
    )


def _info(call: Call, store: Store) -> CacheInfo:
    found = store.info()
    return CacheInfo(
        folder=str(call.host.paths.content),
        entries=found.entries,
        files=found.blobs,
        bytes=found.bytes,
        git_bytes=store.bytes_of_git(),
        limit=found.limit,
    )


async def _with_store(call: Call, work: Callable[[Store], Result]) -> Result:
    """Run in a thread. Raises Fault(internal) for a cache that does not work."""

    def blocking() -> Result:
        try:
            return work(call.host.content.store())
        except (OSError, sqlite3.Error) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            message = f"cannot use the content cache {call.host.paths.content}: {reason or error}"
            raise Fault(Code.INTERNAL, message, "cleanroom doctor") from error

    return await asyncio.to_thread(blocking)
