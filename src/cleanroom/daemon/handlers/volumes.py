"""Volumes: listed, removed.

In: names. Out: VolumeLists. Never: one removed that a sandbox has.
"""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime

from aiohttp import web

from cleanroom.api.mount_types import Volume, VolumeList, VolumeRemoval
from cleanroom.daemon.call import Call, answer
from cleanroom.daemon.clock import timestamp
from cleanroom.daemon.sandbox import LiveSandbox, volumes_in_use
from cleanroom.daemon.volumes import Kept
from cleanroom.daemon.workspace_mark import workspace_mark
from cleanroom.errors import Code, UserError


async def show_list(call: Call) -> web.StreamResponse:
    """List all volumes."""
    return answer(await _list(call, await asyncio.to_thread(call.host.volumes.every)))


async def remove(call: Call) -> web.StreamResponse:
    """Remove one, those of workspaces that are gone, or all that are unused; list what went."""
    wanted = await call.read(VolumeRemoval)
    every = await asyncio.to_thread(call.host.volumes.every)
    if wanted.name is not None:
        chosen = [each for each in every if (each.of.path, each.name) == _named(wanted)]
        if not chosen:
            message = f"cannot find the volume '{wanted.name}' of {wanted.workspace}"
            raise UserError(Code.REQUEST_INVALID, message, "run: cleanroom volumes list")
        _refuse_in_use(chosen, call.host.sandboxes.live)
    else:
        gone = await asyncio.to_thread(lambda: [each for each in every if _is_gone(each)])
        used = volumes_in_use(call.host.sandboxes.live)
        free = [each for each in every if (each.of.path, each.name) not in used]
        chosen = [each for each in free if wanted.unused or each in gone]
    told = await _list(call, chosen)
    _refuse_in_use(chosen, call.host.sandboxes.live)  # one may have started; nothing waits below
    for each in chosen:
        call.host.volumes.put_aside(each)
    await asyncio.to_thread(call.host.volumes.clear)
    return answer(told)


def _named(wanted: VolumeRemoval) -> tuple[str, str | None]:
    return wanted.workspace, wanted.name


def _refuse_in_use(chosen: Iterable[Kept], live: Iterable[LiveSandbox]) -> None:
    used = volumes_in_use(live)
    for each in chosen:
        holder = used.get((each.of.path, each.name))
        if holder is not None:
            message = f"cannot remove the volume '{each.name}': the sandbox {holder} has it"
            hint = f"run: cleanroom sandboxes stop {holder}"
            raise UserError(Code.CONFLICT, message, hint)


async def _list(call: Call, kept: list[Kept]) -> VolumeList:
    used = volumes_in_use(call.host.sandboxes.live)
    return await asyncio.to_thread(
        lambda: VolumeList(volumes=[_shown(each, used) for each in kept])
    )


def _shown(kept: Kept, used: dict[tuple[str, str], str]) -> Volume:
    return Volume(
        name=kept.name,
        workspace=kept.of.path,
        bytes=kept.size,
        used_at=timestamp(datetime.fromtimestamp(kept.used_at, UTC)),
        gone=_is_gone(kept),
        sandbox_id=used.get((kept.of.path, kept.name)),
    )


def _is_gone(kept: Kept) -> bool:
    """Whether its workspace is no more, or another folder stands in its place."""
    try:
        return workspace_mark(kept.of.path) != kept.of.mark
    except UserError:
        return True
