"""THE MAIN PATH: a policy text and a command in, a running command out.

In: requests that were decoded. Out: LiveRun, left to finish.py. Never: a command that runs before
the audit and the store say so.
"""

from dataclasses import dataclass

from cleanroom.api.problem import failure_of
from cleanroom.api.types import ExecutionRequest, RunRequest
from cleanroom.daemon import finish, records
from cleanroom.daemon.executions import CANCELED, Bounds, LiveExecution, Outcome
from cleanroom.daemon.host import Host
from cleanroom.daemon.output import OutputLog
from cleanroom.daemon.parts import Wanted
from cleanroom.daemon.policies import notes_of
from cleanroom.daemon.sandbox import Creation, LiveRun, LiveSandbox
from cleanroom.daemon.sandboxes import FINISHED
from cleanroom.daemon.stopwatch import Stopwatch
from cleanroom.errors import CleanroomError, Code, Refused, UserError


@dataclass(frozen=True, slots=True)
class Start:
    """A command that is to start in a sandbox."""

    wanted: Wanted
    notes: list[str]
    watch: Stopwatch


async def start_run(request: RunRequest, host: Host, who: str) -> LiveRun:
    """Policy text in, a running command out: every `exec` goes through here, in this order."""
    watch = Stopwatch(host.clock)
    policy = host.policies.compile(request.policy)
    place = await host.backends.that_proves(policy, request.options)  # refuses; never downgrades
    watch.lap("policy_resolution_ms")
    options = request.options
    stays = options.keep or options.sandbox is not None
    creation = Creation(
        request.workspace, policy, place, options, request.facts, who, ephemeral=not stays
    )
    sandbox = await _take_sandbox(creation, host)
    watch.lap("sandbox_ms")
    wanted = Wanted(tuple(request.command), request.subfolder, options)
    start = Start(wanted, notes_of(request.policy), watch)
    return await _start_command(host, sandbox, start)


async def start_execution(request: ExecutionRequest, host: Host, sandbox: LiveSandbox) -> LiveRun:
    """Run one more command in a living sandbox. Raises UserError for options of a new one."""
    options = request.options
    if options.backend or options.isolation or options.keep or options.sandbox:
        message = "cannot change a living sandbox: backend, isolation, keep or sandbox is set"
        raise UserError(Code.REQUEST_INVALID, message, "create another one")
    wanted = Wanted(tuple(request.command), request.subfolder, options)
    return await _start_command(host, sandbox, Start(wanted, [], Stopwatch(host.clock)))


async def _take_sandbox(creation: Creation, host: Host) -> LiveSandbox:
    name = creation.options.sandbox
    sandbox = host.sandboxes.find(name) if name is not None else None
    if sandbox is None:
        return await host.sandboxes.create(creation)
    same_policy = sandbox.record.policy_hash == creation.policy.policy_hash
    if not same_policy or sandbox.record.workspace != creation.workspace:
        differs = "workspace" if same_policy else "policy"
        message = f"cannot run in the sandbox '{name}': it was made for another {differs}"
        raise UserError(Code.CONFLICT, message, f"run: cleanroom sandboxes stop {name}")
    return sandbox


async def _start_command(host: Host, sandbox: LiveSandbox, start: Start) -> LiveRun:
    """Record the run, start its command, leave both to their own task."""
    run: LiveRun | None = None
    try:
        async with sandbox.opening:
            run = await _admit(host, sandbox, start)
        await _record_start(host, sandbox, run)
        start.watch.mark()
        run.live = await _execute(host, sandbox, start.wanted, lossless=run.foreground)
    except CleanroomError as error:
        if run is not None:
            await finish.record_end(host, sandbox, run, Outcome("failed", None, failure_of(error)))
        raise
    finally:
        if (run is None or run.live is None) and sandbox.record.ephemeral:
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
    if sandbox.used and not sandbox.runs:
        # A mounted overlay does not follow the host: what was edited there shows from now on.
        at = sandbox.record.workspace
        prepared = await host.workspaces.renew(prepared, at, sandbox.folder)
        await machine.refresh()
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


async def _execute(
    host: Host, sandbox: LiveSandbox, wanted: Wanted, *, lossless: bool
) -> LiveExecution:
    prepared, machine = sandbox.parts()
    command = host.workspaces.command(prepared, wanted)
    process = await machine.execute(command)
    if not wanted.options.stdin:
        await process.close_stdin()
    limits = host.config.settings.limits
    output = OutputLog(limits.kept_output, limits.output_window, lossless=lossless)

    async def stop_sandbox() -> None:
        await host.sandboxes.stop(sandbox, CANCELED)

    grace_s = host.config.settings.daemon.stop_grace
    bounds = Bounds(grace_s, sandbox.policy.sandbox.limits.output_bytes)
    return LiveExecution(process, output, host.clock, bounds, stop_sandbox)
