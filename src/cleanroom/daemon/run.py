"""THE MAIN PATH: a policy text and a command in, a running command out.

In: requests that were decoded. Out: LiveRun, left to finish.py. Never: a command that runs before
the audit and the store say so.
"""

import contextlib
from dataclasses import dataclass, replace
from typing import Final

from cleanroom.api.problem import failure_of
from cleanroom.api.types import ExecutionRequest, RunRequest
from cleanroom.daemon import finish, records
from cleanroom.daemon.agent_files import write_files
from cleanroom.daemon.approvals import Workspace
from cleanroom.daemon.executions import (
    ASKS,
    CANCELED,
    TERMINAL_ASKS,
    Bounds,
    LiveExecution,
    Outcome,
)
from cleanroom.daemon.host import Host
from cleanroom.daemon.mounts import shared_mounts
from cleanroom.daemon.output import OutputLog
from cleanroom.daemon.parts import Side, Wanted
from cleanroom.daemon.ports import publish
from cleanroom.daemon.sandbox import Creation, LiveRun, LiveSandbox
from cleanroom.daemon.sandboxes import FINISHED
from cleanroom.daemon.secrets import check_given, check_options, sends_of
from cleanroom.daemon.settle import sandbox_stays, settle
from cleanroom.daemon.share import Share
from cleanroom.daemon.stopwatch import Stopwatch
from cleanroom.daemon.taking import take_sandbox
from cleanroom.errors import CleanroomError, Code, Refused, UserError

LIVE: Final = (
    "the workspace is live: what the command changes is changed in your folder, but for policies,"
    " CI files, lock files, tools' settings, git's folder and what git ignores"
)


@dataclass(frozen=True, slots=True)
class Start:
    """A command that is to start in a sandbox."""

    wanted: Wanted
    notes: list[str]
    watch: Stopwatch


async def start_run(request: RunRequest, host: Host, who: str) -> LiveRun:
    """Policy text in, a running command out: every `exec` goes through here, in this order."""
    watch = Stopwatch(host.clock)
    reloads = host.sandboxes.reloads.count
    policy, said, written = await host.policies.compile(request.policy)
    place = await host.backends.that_proves(policy, request.options)  # refuses; never downgrades
    options = settle(request.options, host.config.settings)
    check_options(policy, options)
    stays = sandbox_stays(options)
    at = Workspace(request.workspace, who)
    with host.handovers.values(options.handover) as values:
        sends = sends_of(policy, options, host.config.settings, values)
        notes = await host.approvals.admit(at, written, options.approved_policy, sends)
        watch.lap("policy_resolution_ms")
        creation = Creation(
            request.workspace,
            policy,
            place,
            options,
            request.facts,
            who,
            ephemeral=not stays,
            agent=request.policy.agent,
            written_hash=written.policy_hash,
            reloads=reloads,
            values=values,
        )
        sandbox, told = await _sandbox(creation, host, watch)
    watch.lap("sandbox_ms")
    wanted = Wanted(tuple(request.command), request.subfolder, options)
    start = Start(wanted, [*said, *notes, *told], watch)
    return await _start_command(host, sandbox, start)


async def _sandbox(
    creation: Creation, host: Host, watch: Stopwatch
) -> tuple[LiveSandbox, list[str]]:
    """Return the sandbox to run in, and what its making has to tell."""
    told: list[str] = []

    async def create(wanted: Creation) -> LiveSandbox:
        made, mise_notes = await create_sandbox(wanted, host, watch)
        told.extend(mise_notes)
        return made

    return await take_sandbox(creation, host, create), told


async def start_execution(request: ExecutionRequest, host: Host, sandbox: LiveSandbox) -> LiveRun:
    """Run one more command in a living sandbox. Raises UserError for options of a new one."""
    options = request.options
    of_new_one = (
        *("backend", "isolation", "keep", "sandbox", "reuse", "recreate", "keep_on_failure"),
        *("workspace_mode", "mounts", "volumes", "idle_s", "offline", "secrets", "handover"),
    )
    if any(getattr(options, name) for name in of_new_one):
        message = f"cannot change a living sandbox: one of {', '.join(of_new_one)} is set"
        raise UserError(Code.REQUEST_INVALID, message, "create another one")
    check_options(sandbox.policy, options)
    wanted = Wanted(tuple(request.command), request.subfolder, options)
    return await _start_command(host, sandbox, Start(wanted, [], Stopwatch(host.clock)))


async def create_sandbox(
    creation: Creation, host: Host, watch: Stopwatch
) -> tuple[LiveSandbox, tuple[str, ...]]:
    """Make a sandbox with the tools that its repository asks for; also what is to be told."""
    check_given(creation.policy, creation.values, host.config.settings.mirrors)

    async def start(request: ExecutionRequest, sandbox: LiveSandbox) -> LiveRun:
        return await start_execution(request, host, sandbox)

    equipped = await host.mise.equip(creation, start)
    if equipped.creation.equipment is not None:
        watch.lap("mise_bootstrap_ms")
    sandbox = await host.sandboxes.create(equipped.creation)
    await write_files(host, sandbox, creation)
    notes = [*equipped.notes]
    if sandbox.options.workspace_mode == "live":
        keep_in_step(sandbox, host, Side(sandbox.record.workspace, sandbox.folder))
        notes.append(LIVE)
    for side in shared_mounts(sandbox.options.mounts, sandbox.folder):
        keep_in_step(sandbox, host, side)
        notes.append(
            f"{side.inside} is writable: what the command changes is changed in your folder"
        )
    return sandbox, tuple(notes)


def keep_in_step(sandbox: LiveSandbox, host: Host, side: Side) -> None:
    """Begin to carry edits both ways, until the sandbox has ended."""
    prepared, machine = sandbox.parts()
    follower = host.workspaces.follower(prepared, side, machine, watch=True)

    def tell(text: str) -> None:
        for run in sandbox.runs.values():
            run.note(text)

    share = Share(follower, host.clock, tell)
    sandbox.shares.append(share)
    is_workspace = side.folder == sandbox.folder

    async def keep() -> None:
        # Nobody else may bring edits into a live workspace, and it is never mounted anew.
        async with sandbox.syncing if is_workspace else contextlib.nullcontext():
            await share.keep(sandbox.stopped)

    host.tasks.start(keep(), f"share {sandbox.record.id}")


async def _start_command(host: Host, sandbox: LiveSandbox, start: Start) -> LiveRun:
    """Record the run, start its command, leave both to their own task."""
    run: LiveRun | None = None
    try:
        async with sandbox.opening:
            host.sandboxes.expiry.wake(sandbox)
            run = await _admit(host, sandbox, start)
        for each in start.wanted.options.publish:
            made = await publish(host, sandbox, each)
            run.note(f"port {made.port} is at http://{made.address}")
        await _record_start(host, sandbox, run)
        start.watch.mark()
        run.live = await _execute(host, sandbox, start, run)
    except CleanroomError as error:
        if run is not None:
            await finish.record_end(host, sandbox, run, Outcome("failed", None, failure_of(error)))
        raise
    finally:
        if run is None or run.live is None:
            host.sandboxes.expiry.rest(sandbox)
            if sandbox.record.ephemeral:
                await host.sandboxes.stop(sandbox, FINISHED)
    work = finish.carry_through(host, sandbox, run, finish.Rest(start.wanted, start.watch))
    host.tasks.start(work, f"run {run.record.id}")
    return run


async def _admit(host: Host, sandbox: LiveSandbox, start: Start) -> LiveRun:
    if sandbox.record.state != "ready":
        message = f"cannot run a command in this sandbox: it is {sandbox.record.state}"
        raise UserError(Code.CONFLICT, message, "create another one")
    most = host.config.settings.limits.executions
    if len(sandbox.runs) >= most:
        message = f"cannot run a command in this sandbox: {most} run in it already"
        raise Refused(Code.RESOURCE_LIMIT, message, "wait for one of them to end")
    prepared, machine = sandbox.parts()
    if sandbox.used and sandbox.is_at_rest:
        # A mounted overlay does not follow the host: what was edited there shows from now on.
        async with contextlib.AsyncExitStack() as paused:
            for share in sandbox.shares:
                await paused.enter_async_context(share.paused())
            at = sandbox.record.workspace
            prepared = await host.workspaces.renew(prepared, at, sandbox.folder)
            await machine.refresh()
    for share in sandbox.shares:
        await share.bring()
    notes = [*start.notes, *prepared.notes]
    run = records.new_run(host.clock.now(), sandbox.record, start.wanted, notes)
    sandbox.runs[run.record.id] = run
    sandbox.used = True
    return run


async def _record_start(host: Host, sandbox: LiveSandbox, run: LiveRun) -> None:
    await host.store.put_run(run.record)
    await host.store.put_execution(run.execution)
    details = records.start_details(run)
    host.journal.lifecycle(sandbox, "execution.started", details, run=run.record.id)


async def _execute(host: Host, sandbox: LiveSandbox, start: Start, run: LiveRun) -> LiveExecution:
    prepared, machine = sandbox.parts()
    if sandbox.equipment is not None:
        spec = prepared.spec
        applied = await host.mise.environment(sandbox.equipment, machine, spec.environment)
        prepared = replace(prepared, spec=replace(spec, environment=applied))
        start.watch.lap("mise_environment_ms")
    command = host.workspaces.command(prepared, start.wanted)
    process = await machine.execute(command)
    if not start.wanted.options.stdin:
        await process.close_stdin()
    limits = host.config.settings.limits
    output = OutputLog(
        limits.kept_output,
        limits.output_window,
        lossless=run.foreground,
        disk=host.outputs.spool(run.execution.id, run.note),
    )

    async def stop_sandbox() -> None:
        await host.sandboxes.stop(sandbox, CANCELED)

    grace_s = host.config.settings.daemon.stop_grace
    asks = TERMINAL_ASKS if start.wanted.options.tty else ASKS
    bounds = Bounds(grace_s, sandbox.policy.sandbox.limits.output_bytes, asks)
    return LiveExecution(process, output, host.clock, bounds, stop_sandbox)
