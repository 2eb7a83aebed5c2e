"""What runs changed: shown, as a patch, brought onto the host.

In: a run's or sandbox's word. Out: change sets, a diff, a report. Never: a file of the host touched
by anything but `apply`, which the person asked for.
"""

import asyncio
from pathlib import Path

import msgspec
from aiohttp import web

from cleanroom.api.change_types import ApplyReport, ApplyRequest, ChangeSet
from cleanroom.daemon.call import Call, answer
from cleanroom.daemon.handlers import runs, sandboxes
from cleanroom.errors import Code, UserError


async def get(call: Call) -> web.StreamResponse:
    """List the changes of a run's sandbox."""
    run_id, sandbox_id, folder = await _find(call)
    changes = ChangeSet(run_id="", sandbox_id="", changes=[])
    if folder is not None:
        changes = await call.host.workspaces.changes(folder)
    return answer(msgspec.structs.replace(changes, run_id=run_id, sandbox_id=sandbox_id))


async def patch(call: Call) -> web.StreamResponse:
    """Return the changes as a unified diff."""
    _, _, folder = await _find(call)
    text = await call.host.workspaces.patch(folder) if folder is not None else ""
    return web.Response(body=text.encode(), content_type="text/plain", charset="utf-8")


async def apply(call: Call) -> web.StreamResponse:
    """Bring changes onto the host, all or nothing."""
    request = await call.read(ApplyRequest)
    _, _, folder = await _find(call)
    if folder is None and request.branch:
        message = "cannot make a branch: no commit was made inside"
        raise UserError(Code.REQUEST_INVALID, message, "git commit inside, then apply again")
    if folder is None:
        return answer(ApplyReport(applied=[]))
    return answer(await call.host.workspaces.apply(folder, request))


async def _find(call: Call) -> tuple[str, str, Path | None]:
    """Return run, sandbox and folder for a run's id, `last`, or `sandbox:` and a sandbox's word.

    No folder: nothing was changed. Raises UserError if the changes are no longer kept.
    """
    word = call.request.match_info["run_id"]
    if word.startswith("sandbox:"):
        sandbox = await sandboxes.find_word(call, word.removeprefix("sandbox:"))
        run = await call.host.store.last_run_of(sandbox.id)
        run_id, sandbox_id = run.id if run is not None else "", sandbox.id
    else:
        run = await runs.find(call, word)
        run_id, sandbox_id = run.id, run.sandbox_id
    folder = Path(await call.host.store.folder_of(sandbox_id))
    if folder.name == sandbox_id and await asyncio.to_thread(folder.is_dir):
        return run_id, sandbox_id, folder
    if run is None or run.changed_files == 0:
        return run_id, sandbox_id, None
    message = "cannot show the changes of this run: they are no longer kept"
    hint = "limits.keep_changes_for and limits.kept_changes in config.yaml say how long"
    raise UserError(Code.EXECUTION_NOT_FOUND, message, hint)
