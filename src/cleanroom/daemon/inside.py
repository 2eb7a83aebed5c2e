"""Small commands of cleanroom's own in a sandbox: they move files and bytes, and are no runs.

In: a ready sandbox, an argv. Out: a Process, ended when its user is done with it. Never: believed
(they run among hostile processes, with no more rights than those), or left running.
"""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from cleanroom.backends.base import Process
from cleanroom.backends.base import Sandbox as Machine
from cleanroom.daemon.host import Host
from cleanroom.daemon.sandbox import LiveSandbox
from cleanroom.errors import Code, UserError
from cleanroom.sandbox.host import WORKSPACE
from cleanroom.sandbox.spec import Command

# Folders that no workload can write to come first.
ENVIRONMENT: Final = (("PATH", "/usr/bin:/bin:/usr/local/bin"), ("LC_ALL", "C"))
MOST: Final = 32  # at once in one sandbox, beside its commands
ENDS_S: Final = 5.0


Start = Callable[[Machine], Awaitable[Process]]


def helper(
    host: Host, sandbox: LiveSandbox, *argv: str
) -> contextlib.AbstractAsyncContextManager[Process]:
    """Start a helper in the workspace; as `reached`."""
    command = Command(argv, ENVIRONMENT, WORKSPACE)
    return reached(host, sandbox, lambda machine: machine.execute(command))


@contextlib.asynccontextmanager
async def reached(host: Host, sandbox: LiveSandbox, start: Start) -> AsyncIterator[Process]:
    """Start something small inside; whatever happens, it has ended afterwards.

    Raises UserError(conflict) if the sandbox is not ready or too many run, Fault.
    """
    if sandbox.record.state != "ready" or sandbox.helpers >= MOST:
        why = f"it is {sandbox.record.state}" if sandbox.helpers < MOST else "too much is under way"
        message = f"cannot reach into the sandbox: {why}"
        raise UserError(Code.CONFLICT, message, "cleanroom sandboxes list --all")
    _, machine = sandbox.parts()
    sandbox.helpers += 1
    host.sandboxes.expiry.wake(sandbox)
    try:
        process = await start(machine)
        try:
            yield process
        finally:
            await _end(process)
    finally:
        sandbox.helpers -= 1
        host.sandboxes.expiry.rest(sandbox)


async def answer_of(process: Process, most: int) -> tuple[bytes, bytes, int | None]:
    """Return both streams, at most so many bytes of each, and the status; None: there was more."""
    kept = {1: b"", 2: b""}
    async for piece in process.output():
        kept[piece.stream] += piece.data[: most - len(kept[piece.stream])]
        if len(kept[1]) >= most:
            return kept[1], kept[2], None
    return kept[1], kept[2], (await process.wait()).status


def said(text: bytes) -> str:
    """Return the last line of what a helper said of its failure, fit to be shown."""
    lines = text.decode("utf-8", "replace").strip().splitlines()
    return "".join(char for char in (lines or [""])[-1] if char.isprintable())[:300]


async def _end(process: Process) -> None:
    """Kill it. What it has written is thrown away: unread, it would never be done."""
    await process.signal(signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(ENDS_S):
            async for _ in process.output():
                pass
