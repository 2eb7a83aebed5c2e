"""What runs changed: shown, as a patch, brought onto the host."""

import asyncio
from pathlib import Path

import msgspec
from aiohttp import web

from cleanroom.api.types import ApplyRequest
from cleanroom.daemon import ids
from cleanroom.daemon.call import Call, answer, no_sandbox
from cleanroom.daemon.handlers import runs
from cleanroom.errors import Code, UserError


async def get(call: Call) -> web.StreamResponse:
    """List the changes of a run's sandbox."""
    run_id, sandbox_id, folder = await _find(call)
    changes = await call.host.workspaces.changes(folder)
    return answer(msgspec.structs.replace(changes, run_id=run_id, sandbox_id=sandbox_id))


async def patch(call: Call) -> web.StreamResponse:
    """Return the changes as a unified diff."""
    _, _, folder = await _find(call)
    return web.Response(
        body=await call.host.workspaces.patch(folder),
        content_type="text/plain",
        charset="utf-8",
    )


async def apply(call: Call) -> web.StreamResponse:
    """Bring changes onto the host, all or nothing."""
    request = await call.read(ApplyRequest)
    _, _, folder = await _find(call)
    return answer(await call.host.workspaces.apply(folder, request))


async def _find(call: Call) -> tuple[str, str, Path]:
    """Return run, sandbox and folder for a run's id, `last`, or `sandbox:` and a sandbox's word."""
    word = call.request.match_info["run_id"]
    if word.startswith("sandbox:"):
        named = ids.sandbox_word(word.removeprefix("sandbox:"))
        sandbox = await call.host.store.sandbox(named)
        if sandbox is None:
            raise no_sandbox(named)
        last = await call.host.store.last_run_of(sandbox.id)
        run_id, sandbox_id = last.id if last is not None else "", sandbox.id
    else:
        run = await runs.find(call, word)
        run_id, sandbox_id = run.id, run.sandbox_id
    kept = await call.host.store.folder_of(sandbox_id)
    folder = Path(kept)
    if not kept or not await asyncio.to_thread(folder.is_dir):
        message = "cannot show the changes of this run: they are no longer kept"
        hint = "limits.keep_changes_for and limits.kept_changes in config.yaml say how long"
        raise UserError(Code.EXECUTION_NOT_FOUND, message, hint)
    return run_id, sandbox_id, folder
