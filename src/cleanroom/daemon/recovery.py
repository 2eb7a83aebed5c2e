"""After a killed daemon: what it left is ended, and said to have ended.

In: the store's unfinished records, the folders on disk. Out: nothing alive that this daemon does
not know. Never: an acknowledged sandbox or run forgotten, or one shown as living that is not.
"""

import asyncio
import logging
from pathlib import Path

import msgspec

from cleanroom.api.types import Failure, Sandbox
from cleanroom.daemon import records
from cleanroom.daemon.clock import timestamp
from cleanroom.daemon.host import Host
from cleanroom.errors import CleanroomError, Code

_log = logging.getLogger(__name__)

KILLED = Failure(
    code=Code.OUTCOME_UNKNOWN, reason="the daemon ended before it did", hint="create another one"
)


async def recover(host: Host) -> int:
    """End everything a killed daemon left; return how many sandboxes that were.

    Raises Fault if the store or the audit log cannot be written: then nothing may be started.
    """
    sandboxes, executions, runs = await host.store.unfinished()
    now = host.clock.now()
    for sandbox in sandboxes:
        await _reclaim(host, sandbox)
        host.journal.daemon("sandbox.reclaimed", [("code", KILLED.code)], sandbox.id)
        await host.store.put_sandbox(
            msgspec.structs.replace(
                sandbox, state="failed", failure=KILLED, finished_at=timestamp(now)
            )
        )
    for execution in executions:
        await host.store.put_execution(records.lost_execution(execution, now))
    for run in runs:
        denied = await host.store.denials(run.id)
        lost = msgspec.structs.replace(records.lost_run(run, now), denied=denied)
        await host.store.put_run(lost)
        await host.observability.write(lost)
    for folder, _ in await asyncio.to_thread(_folders, host.paths.sandboxes):
        try:
            await host.workspaces.mend(folder)
        except CleanroomError as error:
            _log.error("cannot mend %s: %s", folder.name, error.message)
    return len(sandboxes)


async def _reclaim(host: Host, sandbox: Sandbox) -> None:
    backend = host.backends.present.get(sandbox.backend)
    if backend is None:
        return
    try:
        await backend.reclaim(sandbox.id)
    except CleanroomError as error:
        _log.error("cannot reclaim %s: %s", sandbox.id, error.message)


async def clean_outputs(host: Host) -> None:
    """Remove the output of commands that is no longer to be kept."""
    live = {run.execution.id for each in host.sandboxes.live for run in each.runs.values()}
    await host.outputs.clean(host.clock.now().timestamp(), frozenset(live))


async def clean_folders(host: Host) -> None:
    """Remove the folders of sandboxes whose changes are no longer to be kept."""
    limits = host.config.settings.limits
    kept: list[tuple[float, Path]] = []
    for folder, modified in await asyncio.to_thread(_folders, host.paths.sandboxes):
        if host.sandboxes.find(folder.name) is not None:
            continue
        if host.clock.now().timestamp() - modified > limits.keep_changes_for:
            await host.workspaces.forget(folder)
        else:
            kept.append((modified, folder))
    await host.mise.clean(host.clock.now().timestamp())
    room = limits.kept_changes
    for _, folder in sorted(kept, reverse=True):  # newest first
        room -= await host.workspaces.size(folder)
        if room < 0:
            await host.workspaces.forget(folder)


def _folders(root: Path) -> list[tuple[Path, float]]:
    if not root.is_dir():
        return []
    return [(folder, folder.stat().st_mtime) for folder in root.iterdir() if folder.is_dir()]
