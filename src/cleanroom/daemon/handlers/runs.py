"""Runs: made, planned, listed, shown.

In: RunRequests, ids. Out: Run records. Never: a run answered before it is in the store.
"""

from aiohttp import web

from cleanroom.api.types import Run, RunList, RunRequest
from cleanroom.daemon import ids, planning
from cleanroom.daemon.call import Call, answer
from cleanroom.daemon.policies import MAX_POLICY_BODY
from cleanroom.daemon.run import start_run
from cleanroom.errors import CleanroomError, Code, UserError


async def create(call: Call) -> web.StreamResponse:
    """Start a command in a new sandbox, or in the named one."""
    request = await call.read(RunRequest, MAX_POLICY_BODY)
    turned_away = call.host.turned_away
    try:
        run = await start_run(request, call.host, call.who)
    except CleanroomError as error:
        turned_away.note(request.workspace, error.code)
        raise
    turned_away.forget(request.workspace)
    return answer(run.record, 201)


async def plan(call: Call) -> web.StreamResponse:
    """Show what `create` would start."""
    request = await call.read(RunRequest, MAX_POLICY_BODY)
    return answer(await planning.plan_run(request, call.host, call.who))


async def show_list(call: Call) -> web.StreamResponse:
    """List runs, newest first; of one workspace, if that is asked for."""
    page = call.page()
    found = await call.host.store.runs(page, call.request.query.get("workspace"))
    following = found[-1].id if len(found) == page.limit else None
    return answer(RunList(runs=[now(call, run) for run in found], next=following))


async def get(call: Call) -> web.StreamResponse:
    """Show one run, also while it runs."""
    return answer(now(call, await find(call, call.request.match_info["run_id"])))


async def find(call: Call, word: str) -> Run:
    """Return the run with this id, or the last one. Raises UserError(execution_not_found)."""
    run = await call.host.store.run(ids.run_word(word))
    if run is None:
        if word == "last":
            message = "cannot find a run: there is none"
            raise UserError(Code.EXECUTION_NOT_FOUND, message, "run: cleanroom exec -- COMMAND")
        message = "cannot find this run"
        raise UserError(Code.EXECUTION_NOT_FOUND, message, "run: cleanroom status")
    return run


def now(call: Call, stored: Run) -> Run:
    """Return the run as it is in memory if it has not finished: the newest notes and refusals."""
    sandbox = call.host.sandboxes.find(stored.sandbox_id)
    live = sandbox.runs.get(stored.id) if sandbox is not None else None
    return live.current() if live is not None else stored
