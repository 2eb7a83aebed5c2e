"""What a run would be: everything decided, nothing started (`exec --dry-run`).

In: a RunRequest. Out: RunPlan. Never: a process, a mount, or a folder that stays.
"""

from cleanroom.api.types import RunPlan, RunRequest
from cleanroom.daemon.approvals import NEXT, Workspace
from cleanroom.daemon.host import Host
from cleanroom.daemon.ids import new_id
from cleanroom.daemon.parts import Order, Wanted
from cleanroom.daemon.secrets import check_options
from cleanroom.daemon.settle import sandbox_stays, settle
from cleanroom.sandbox.spec import Bind, File, Mount, Overlay, Symlink, Tmpfs


async def plan_run(request: RunRequest, host: Host, who: str) -> RunPlan:
    """Return the plan. Raises as a run would, but for capabilities: those are listed."""
    policy, notes, written = await host.policies.study(request.policy)
    options = settle(request.options, host.config.settings)
    sandbox_stays(options)
    place = await host.backends.place(policy, options)
    check_options(policy, options)
    finding = await host.approvals.look(Workspace(request.workspace, who), written)
    asked = [f"{finding.reason}: {NEXT}"] if finding.reason else []
    asked += [
        f"port {each.port} would be at 127.0.0.1:{each.host_port or '(any that is free)'}"
        for each in options.publish
    ]
    identifier = new_id("sbx")
    order = Order(
        identifier,
        request.workspace,
        policy,
        place.needs,
        options,
        request.facts,
        only_planned=True,
        placeholders=tuple(
            (binding.env, f"(the placeholder of '{binding.secret_id}')")
            for binding in policy.secrets
        ),
    )
    folder = host.paths.sandboxes / identifier
    folder.mkdir(mode=0o700, parents=True)
    try:
        prepared = await host.workspaces.prepare(order, folder)
    finally:
        await host.workspaces.forget(folder)
    wanted = Wanted(tuple(request.command), request.subfolder, options)
    command = host.workspaces.command(prepared, wanted)
    return RunPlan(
        backend=place.name,
        policy_hash=policy.policy_hash,
        argv=list(command.argv),
        cwd=command.cwd,
        environment=dict(command.environment),
        mounts=[mount_text(mount) for mount in prepared.spec.mounts],
        required_capabilities=sorted(place.needs),
        missing_capabilities=place.missing,
        notes=[*notes, *asked, *prepared.notes],
    )


def mount_text(mount: Mount) -> str:
    """Return a mount in words."""
    match mount:
        case Bind():
            return f"{mount.target}: {mount.source}, {_access(writable=mount.writable)}"
        case Overlay():
            writable = "copy-on-write" if mount.upper is not None else "read-only"
            return f"{' and '.join(mount.targets)}: {mount.lowers[-1]}, {writable}"
        case Tmpfs():
            return f"{mount.target}: empty, at most {mount.size_bytes} bytes in memory"
        case Symlink():
            return f"{mount.target}: link to {mount.points_to}"
        case File():
            return f"{mount.target}: {len(mount.content)} bytes made by cleanroom, read-only"


def _access(*, writable: bool) -> str:
    return "writable" if writable else "read-only"
