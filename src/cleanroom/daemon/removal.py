"""Sandboxes that have ended are forgotten: changes, executions, output, at last the record.

In: a person's order. Out: ids that are found no more. Never: a running sandbox removed, its audit
lines touched, or a record gone while something of it is still on disk.
"""

import asyncio
import contextlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cleanroom.api.types import Sandbox
from cleanroom.daemon.host import Host
from cleanroom.daemon.sandbox import LiveSandbox
from cleanroom.daemon.sandboxes import STOPPED
from cleanroom.daemon.store import Page
from cleanroom.errors import Code, Fault, UserError

RECORDED_S: Final = 10.0  # for the results of commands whose sandbox was ended
_EVERY: Final = Page(limit=1_000_000)


async def end_wholly(host: Host, sandbox: LiveSandbox) -> None:
    """End a sandbox, and wait until what ran in it is recorded."""
    runs = list(sandbox.runs.values())
    await host.sandboxes.stop(sandbox, STOPPED)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(RECORDED_S):
            for run in runs:
                await run.finished.wait()


async def forget_sandbox(host: Host, record: Sandbox) -> None:
    """Remove all that is kept of an ended sandbox. Raises Fault; then it can be tried again.

    Raises UserError(conflict) if it has not ended: another of its name was made meanwhile.
    """
    if host.sandboxes.find(record.id) is not None:
        message = f"cannot remove the sandbox '{record.id}': it is {record.state}"
        raise UserError(Code.CONFLICT, message, "name it by its id")
    host.journal.daemon("sandbox.removed", [("name", record.name or "")], record.id)
    executions = await host.store.executions(record.id, _EVERY)
    folder = Path(await host.store.folder_of(record.id))
    if folder.name == record.id:
        try:
            await host.workspaces.forget(folder)
        except OSError as error:
            message = f"cannot remove the changes of {record.id}: {error.strerror}"
            raise Fault(Code.INTERNAL, message, "try again") from error
    for execution in executions:
        host.recent.forget(execution.id)
    await host.outputs.remove([execution.id for execution in executions])
    await host.store.remove_sandbox(record.id)


async def forget_older(host: Host, older_than_s: float) -> list[str]:
    """Remove the sandboxes that ended at least so long ago; return their ids, oldest first."""
    latest = host.clock.now() - timedelta(seconds=older_than_s)
    every = await host.store.sandboxes(_EVERY, every=True)
    ended = [
        each
        for each in reversed(every)
        if each.state in ("stopped", "failed")
        and host.sandboxes.find(each.id) is None
        and datetime.fromisoformat(each.finished_at or each.created_at) <= latest
    ]
    for record in ended:
        await forget_sandbox(host, record)
    return [record.id for record in ended]
