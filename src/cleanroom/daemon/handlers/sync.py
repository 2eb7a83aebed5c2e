"""Edits of the host brought into a living sandbox, once or for as long as somebody listens.

In: a sandbox's word. Out: a line for each edit. Never: two at once for one sandbox, or an edit
brought into a view that was promised to be read-only.
"""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

from aiohttp import web

from cleanroom.api import codec
from cleanroom.api.streams import ExitLine, SyncLine
from cleanroom.daemon.call import Call
from cleanroom.daemon.handlers import sandboxes
from cleanroom.daemon.parts import Follower, Side, Synced
from cleanroom.daemon.sandbox import LiveSandbox
from cleanroom.daemon.streams import NdjsonStream
from cleanroom.errors import Code, Fault, UserError


async def sync(call: Call) -> web.StreamResponse:
    """Bring edits inside; with `follow`, until the sandbox ends or the client goes."""
    follow = call.flag("follow")
    sandbox = call.live_sandbox()
    if sandbox is None:
        found = await sandboxes.find(call)
        message = f"cannot bring edits into the sandbox: it is {found.state}"
        raise UserError(Code.CONFLICT, message, "run: cleanroom sandboxes list")
    mode = sandbox.options.workspace_mode
    if mode != "cow":
        message = f"cannot bring edits into the sandbox: its workspace is {mode}"
        hint = "a live one is kept in step; a read-only one is mounted anew before a command"
        raise UserError(Code.CONFLICT, message, hint)
    if sandbox.syncing.locked():
        message = "cannot bring edits into the sandbox: somebody does that already"
        raise UserError(Code.CONFLICT, message, "end the other: cleanroom sandboxes sync --follow")
    prepared, machine = sandbox.parts()
    side = Side(sandbox.record.workspace, sandbox.folder)
    async with sandbox.syncing:
        follower = call.host.workspaces.follower(prepared, side, machine, watch=follow)
        with contextlib.closing(follower):
            async with NdjsonStream(call.request) as stream:
                count = await _lines(stream, await follower.bring())
                while follow and not sandbox.stopped.is_set():
                    await stream.until(first_of(follower.changed(), sandbox.stopped.wait()))
                    count += await _lines(stream, await bring_unless_ended(follower, sandbox))
                await stream.send(codec.encode_line(ExitLine(lines=count)))
    return stream.response


async def bring_unless_ended(follower: Follower, sandbox: LiveSandbox) -> list[Synced]:
    """Bring edits; none if the sandbox ends meanwhile. Raises Fault if it does not take them."""
    try:
        return [] if sandbox.stopped.is_set() else await follower.bring()
    except Fault as error:
        if error.code is not Code.BACKEND_TRANSPORT_ERROR:
            raise
        await sandbox.stopped.wait()  # its agent is gone, so its end is on its way
        return []


async def first_of(*waiting: Coroutine[Any, Any, object]) -> None:
    """Return when the first of them does; the others are given up."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each) for each in waiting]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()


async def _lines(stream: NdjsonStream, edits: list[Synced]) -> int:
    for edit in edits:
        line = SyncLine(path=edit.path, what=edit.what, reason=edit.reason)
        await stream.send(codec.encode_line(line))
    return len(edits)
