"""Executions: started, listed, shown, signalled, ended; their input. output.py has their output.

In: ExecutionRequests, ids. Out: Execution records. Never: an execution of another sandbox.
"""

import asyncio
import contextlib

from aiohttp import web

from cleanroom.api.types import Execution, ExecutionList, ExecutionRequest, SignalRequest
from cleanroom.daemon.call import Call, answer, no_execution, no_sandbox
from cleanroom.daemon.executions import CANCELED, signal_number
from cleanroom.daemon.run import start_execution
from cleanroom.daemon.sandbox import LiveRun
from cleanroom.errors import Code, UserError

MAX_WAIT_S = 60


async def create(call: Call) -> web.StreamResponse:
    """Run one more command in a living sandbox."""
    request = await call.read(ExecutionRequest)
    sandbox = call.live_sandbox()
    if sandbox is None:
        stored = await call.host.store.sandbox(call.sandbox_word)
        if stored is None:
            raise no_sandbox(call.sandbox_word)
        message = f"cannot run a command in this sandbox: it is {stored.state}"
        raise UserError(Code.CONFLICT, message, "create another one")
    run = await start_execution(request, call.host, sandbox)
    return answer(run.execution, 201)


async def show_list(call: Call) -> web.StreamResponse:
    """List a sandbox's executions, newest first."""
    stored = await call.host.store.sandbox(call.sandbox_word)
    if stored is None:
        raise no_sandbox(call.sandbox_word)
    page = call.page()
    found = await call.host.store.executions(stored.id, page)
    following = found[-1].id if len(found) == page.limit else None
    return answer(ExecutionList(executions=found, next=following))


async def get(call: Call) -> web.StreamResponse:
    """Show one execution; with `wait_s`, only once it has ended or that time is over."""
    wait_s = call.number("wait_s", 0, MAX_WAIT_S)
    run = call.live_run()
    if run is not None and wait_s:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await run.finished.wait()
    return answer(await find(call, run))


async def cancel(call: Call) -> web.StreamResponse:
    """TERM, a time of grace, KILL: begun when this answers. Idempotent."""
    run = call.live_run()
    if run is not None and run.live is not None:
        name = f"cancel {run.execution.id}"
        call.host.tasks.start(run.live.end(CANCELED), name)
    return answer(await find(call, run))


async def send_signal(call: Call) -> web.StreamResponse:
    """Send a signal to a workload; ignored after its end."""
    number = signal_number((await call.read(SignalRequest)).signal)
    run = call.live_run()
    if run is not None and run.live is not None:
        await run.live.signal(number)
    return answer(await find(call, run))


async def stdin(call: Call) -> web.StreamResponse:
    """Write the body to standard input; with `eof`, end it."""
    run = call.live_run()
    if run is None or run.live is None:
        await find(call, run)
        message = "cannot write to the command: it has ended"
        raise UserError(Code.CONFLICT, message, "how: cleanroom executions get SANDBOX EXECUTION")
    await run.live.write_stdin(await call.body())
    if call.flag("eof"):
        await run.live.close_stdin()
    return web.Response(status=204)


async def find(call: Call, run: LiveRun | None) -> Execution:
    """Return the execution that the path names, from memory or the store."""
    if run is not None:
        return run.execution
    stored = await call.host.store.execution(call.execution_id)
    sandbox = await call.host.store.sandbox(call.sandbox_word)
    if sandbox is None:
        raise no_sandbox(call.sandbox_word)
    if stored is None or stored.sandbox_id != sandbox.id:
        raise no_execution(call.execution_id)
    return stored
