"""The second half of the main path: from a running command to its recorded result.

In: a run whose command was started. Out: its record, complete, in the store, in the audit and as
run-observability.json. Never: a run that does not reach its end, whatever fails on the way.
"""

import asyncio
import logging
from dataclasses import dataclass

import msgspec

from cleanroom.api.types import Denial, Failure
from cleanroom.backends.base import Exit
from cleanroom.daemon import records
from cleanroom.daemon.executions import Ending, Outcome
from cleanroom.daemon.host import Host
from cleanroom.daemon.parts import Wanted
from cleanroom.daemon.sandbox import LiveRun, LiveSandbox
from cleanroom.daemon.sandboxes import FINISHED
from cleanroom.daemon.stopwatch import Stopwatch
from cleanroom.errors import CleanroomError, Code
from cleanroom.sandbox.mise import separator_missing
from cleanroom.sandbox.tools import NOT_EXECUTABLE, NOT_FOUND, not_started

_log = logging.getLogger(__name__)

USAGE = 2  # of mise, and most others
UNKNOWN = Outcome("failed", None, Failure(code=Code.INTERNAL, reason="cleanroom failed: a bug"))
NOBODY = Ending(
    "canceled",
    Failure(
        code=Code.CANCELED,
        reason="nobody attached to it in time",
        hint="attach, or set detach: true",
    ),
)


@dataclass(frozen=True, slots=True)
class Rest:
    """What is still needed of the start."""

    wanted: Wanted
    watch: Stopwatch


async def carry_through(host: Host, sandbox: LiveSandbox, run: LiveRun, rest: Rest) -> None:
    """Follow the command to its end, tidy up, record the result."""
    outcome = UNKNOWN
    try:
        outcome = await _follow(host, run, rest)
        rest.watch.lap("command_ms")
        _command_ended(host, sandbox, run, outcome)
        _explain(host, sandbox, run, rest.wanted, outcome.exit)
        await _tidy_up(host, sandbox, run, rest)
    finally:
        if sandbox.record.ephemeral:  # it has ended, unless something failed above
            await host.sandboxes.stop(sandbox, FINISHED)
        await record_end(host, sandbox, run, outcome, rest.watch)


async def record_end(
    host: Host,
    sandbox: LiveSandbox,
    run: LiveRun,
    outcome: Outcome,
    watch: Stopwatch | None = None,
) -> None:
    """Write down how a run ended, and tell those who wait. Never raises on purpose."""
    _command_ended(host, sandbox, run, outcome)
    run.record = msgspec.structs.replace(
        run.record,
        denied=run.denials,
        cache=run.cache,
        timings=watch.timings() if watch is not None else {},
        environment=host.observability.environment(),
    )
    try:
        await host.store.put_execution(run.execution)
        await host.store.put_run(run.record)
        await host.observability.write(run.record)
    except CleanroomError as error:
        _not_recorded(run, error)
    finally:
        host.recent.keep(run)
        sandbox.runs.pop(run.record.id, None)
        host.sandboxes.expiry.rest(sandbox)
        run.notices.end()
        run.finished.set()


def _command_ended(host: Host, sandbox: LiveSandbox, run: LiveRun, outcome: Outcome) -> None:
    """Bring the records to their end and audit it, once."""
    if run.execution.finished_at is not None:
        return
    records.ended(run, host.clock.now(), outcome)
    host.recent.keep(run)  # before its sandbox is forgotten: a late client finds it without a gap
    details = records.end_details(run)
    try:
        host.journal.lifecycle(sandbox, "execution.finished", details, run=run.record.id)
    except CleanroomError as error:
        _not_recorded(run, error)
    run.ended.set()


def _not_recorded(run: LiveRun, error: CleanroomError) -> None:
    run.note(f"the run is not recorded: {error.message}")
    _log.error("cannot record the end of %s: %s", run.record.id, error.message)


async def _follow(host: Host, run: LiveRun, rest: Rest) -> Outcome:
    live = run.started()
    async with asyncio.TaskGroup() as group:
        timed = group.create_task(_time_first_output(run, rest.watch))
        beside = [
            group.create_task(_expect_client(host, run)),
            group.create_task(_keep_denials(host, run)),
            timed,
        ]
        outcome = await live.follow(rest.wanted.options.timeout_s)
        for task in beside:
            task.cancel()
    if timed.cancelled():  # a short command's output and end may come in one moment
        _note_output(run, rest.watch)
    return outcome


def _explain(
    host: Host, sandbox: LiveSandbox, run: LiveRun, wanted: Wanted, exit_: Exit | None
) -> None:
    """Say why a command could not start, and which of the caller's folders would help."""
    if exit_ is None:
        return
    if exit_.error:
        run.note(exit_.error)
    if exit_.status == USAGE and (told := separator_missing(wanted.command)):
        run.note(told)
    why = ""
    if exit_.status == NOT_FOUND:
        workspace, path = sandbox.record.workspace, sandbox.facts.path
        why = host.workspaces.missing_tool(workspace, path, wanted)
    if not why and exit_.error and exit_.status in (NOT_EXECUTABLE, NOT_FOUND):
        why = not_started(wanted.command[0][:80], exit_.status)
    if why:
        run.note(why)


async def _tidy_up(host: Host, sandbox: LiveSandbox, run: LiveRun, rest: Rest) -> None:
    watch, keep_on_failure = rest.watch, rest.wanted.options.keep_on_failure
    if sandbox.machine is not None:
        watch.add(sandbox.machine.timings, sandbox.workspace_ms)
    if keep_on_failure and run.execution.state != "succeeded" and sandbox.ending is None:
        await host.sandboxes.keep(sandbox)
        run.note(f"the sandbox is kept: cleanroom exec --sandbox {sandbox.record.id} -- COMMAND")
    if sandbox.record.ephemeral:
        await host.sandboxes.stop(sandbox, FINISHED)
        watch.lap("network_cleanup_ms")
    elif sandbox.ending is None:
        for share in sandbox.shares:
            await share.settle()
        await host.sandboxes.count_changes(sandbox)
    else:
        await sandbox.stopped.wait()  # whoever stops it counts, and may remove what was counted
    if sandbox.changes is not None:
        run.record = msgspec.structs.replace(run.record, changed_files=sandbox.changes.changed)
        if sandbox.changes.commits:
            run.note("commits were made inside: cleanroom apply --branch NAME")


async def _expect_client(host: Host, run: LiveRun) -> None:
    """A client that was killed before it attached must not leave its command running."""
    if not run.foreground:
        return
    wait_s = host.config.settings.daemon.attach_wait
    async with asyncio.TaskGroup() as group:
        late = group.create_task(host.clock.sleep(wait_s))
        came = group.create_task(run.attached.wait())
        await asyncio.wait((late, came), return_when=asyncio.FIRST_COMPLETED)
        late.cancel()
        came.cancel()
    if not run.attached.is_set():
        await run.started().end(NOBODY)


async def _keep_denials(host: Host, run: LiveRun) -> None:
    """Store each new refusal at once: a killed daemon's run still shows what it was refused."""
    while True:
        while fresh := run.take_fresh_denials():
            await _store_denials(host, run, fresh)
        await run.notices.changed()


async def _store_denials(host: Host, run: LiveRun, fresh: list[Denial]) -> None:
    try:
        for denial in fresh:
            await host.store.add_denial(run.record.id, denial)
    except CleanroomError as error:  # the end of the run says so again
        _log.error("cannot record a refusal of %s: %s", run.record.id, error.message)


async def _time_first_output(run: LiveRun, watch: Stopwatch) -> None:
    output = run.started().output
    if not sum(output.totals.values()):
        await output.changed()
    _note_output(run, watch)


def _note_output(run: LiveRun, watch: Stopwatch) -> None:
    if sum(run.started().output.totals.values()):
        watch.since_begin("first_output_ms")
