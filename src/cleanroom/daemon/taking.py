"""Which sandbox a run goes into: a new one, the one that was named, or one used again.

In: what would make a sandbox. Out: LiveSandbox. Never: a run in a sandbox of another policy,
workspace or place, or a difference that is not said.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from cleanroom.api.types import Failure, RunOptions
from cleanroom.daemon.executions import Ending
from cleanroom.daemon.host import Host
from cleanroom.daemon.sandbox import Creation, LiveSandbox
from cleanroom.errors import Code, UserError
from cleanroom.policy.living import hold
from cleanroom.policy.model import CompiledPolicy
from cleanroom.policy.widening import difference

RECREATED: Final = Ending(
    "canceled", Failure(code=Code.CANCELED, reason="its sandbox was made anew")
)
_SHOWN: Final = 5
_POLICY: Final = "policy"


Create = Callable[[Creation], Awaitable[LiveSandbox]]


async def take_sandbox(creation: Creation, host: Host, create: Create) -> LiveSandbox:
    """Return the sandbox to run in. Raises UserError(conflict) if the one meant differs."""
    options = creation.options
    if options.sandbox is None and not options.reuse:
        return await create(creation)
    # Between the look and the new one's name there are waits: one at a time for each.
    meant = f"name {options.sandbox}" if options.sandbox else f"newest of {creation.workspace}"
    async with host.sandboxes.turn(meant):
        return await _take(creation, host, create)


async def _take(creation: Creation, host: Host, create: Create) -> LiveSandbox:
    options, policy_hash = creation.options, creation.policy.policy_hash
    while (found := _meant(options, creation.workspace, policy_hash, host)) is not None:
        if found.record.state == "provisioning":
            await found.begun.wait()
        elif found.ending is not None:
            await found.stopped.wait()  # its name is free then
        elif options.recreate:
            await host.sandboxes.stop(found, RECREATED)
            break
        else:
            await _check_same(found, creation)
            return found
    if options.sandbox is not None and options.sandbox.startswith("sbx_"):
        message = f"cannot run in the sandbox '{options.sandbox}': it is not running"
        raise UserError(Code.SANDBOX_NOT_FOUND, message, "run: cleanroom sandboxes list")
    return await create(creation)


def is_there(options: RunOptions, workspace: str, policy_hash: str, host: Host) -> bool:
    """Tell whether a run with these options goes into a sandbox that was made before."""
    found = _meant(options, workspace, policy_hash, host)
    return found is not None and found.ending is None and not options.recreate


def _meant(options: RunOptions, workspace: str, policy_hash: str, host: Host) -> LiveSandbox | None:
    """Return the living sandbox that was named, or the one to be used again."""
    if options.sandbox is not None:
        return host.sandboxes.find(options.sandbox)
    if not options.reuse:
        return None
    mine = [
        each
        for each in host.sandboxes.live
        if each.record.workspace == workspace and not each.record.ephemeral and each.ending is None
    ]
    same = [each for each in mine if each.record.policy_hash == policy_hash]
    newest_last = same or mine
    return newest_last[-1] if newest_last else None


async def _check_same(found: LiveSandbox, creation: Creation) -> None:
    """Raise UserError(conflict) if it differs. No wait if it is the same: it lives on return."""
    differs = _differs(found, creation)
    if not differs:
        return
    name = found.record.name or found.record.id
    hint = f"--recreate ends it and makes a new one; or: cleanroom sandboxes stop {name}"
    if differs == _POLICY:
        # With all their pins: in a thread, nobody else waits for it.
        said, is_narrower = await asyncio.to_thread(_compare, found.policy, creation.policy)
        differs = f"{_POLICY}: {said}".removesuffix(": ")
        if is_narrower:
            hint = f"the policy permits less by now: cleanroom policy reload {name}; or --recreate"
    message = f"cannot run in the sandbox '{name}': it was made for another {differs}"
    raise UserError(Code.CONFLICT, message, hint)


def _compare(had: CompiledPolicy, wanted: CompiledPolicy) -> tuple[str, bool]:
    """Return what differs, and whether the sandbox would be the one meant, were it held to it."""
    changes = difference(had, wanted)
    said = [change.text() for change in (*changes.wider, *changes.narrower)]
    more = [f"and {len(said) - _SHOWN} more"] if len(said) > _SHOWN else []
    held = hold(had, wanted).policy
    return "; ".join([*said[:_SHOWN], *more]), held.policy_hash == wanted.policy_hash


def _differs(found: LiveSandbox, creation: Creation) -> str:
    """Return what the sandbox has that a new one would not have, or the reverse; "" for nothing."""
    if found.record.workspace != creation.workspace:
        return f"workspace: {found.record.workspace}"
    if found.record.backend != creation.place.name:
        return f"backend: {found.record.backend}"
    if found.record.policy_hash != creation.policy.policy_hash:
        return _POLICY
    idle_s = creation.options.idle_s
    if idle_s is not None and idle_s != found.record.idle_s:
        had = found.record.idle_s
        return f"idle time: {'none' if had is None else f'{had:g} s'}"
    if not creation.place.needs <= found.needs:
        return f"isolation: it lacks {', '.join(sorted(creation.place.needs - found.needs))}"
    return _shows_else(found.options, creation.options)


def _shows_else(had: RunOptions, wanted: RunOptions) -> str:
    """Return what of the outside it shows that is not wanted, or not; more mounts are fine."""
    if had.offline != wanted.offline:
        return f"network: it is {'offline' if had.offline else 'online'}"
    if had.workspace_mode != wanted.workspace_mode:
        return f"--workspace: {had.workspace_mode}"
    if any(mount not in had.mounts for mount in wanted.mounts):
        return f"--mount: {', '.join(mount.text() for mount in had.mounts) or 'none'}"
    if any(volume not in had.volumes for volume in wanted.volumes):
        return f"--volume: {', '.join(volume.name for volume in had.volumes) or 'none'}"
    return ""
