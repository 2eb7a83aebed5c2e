"""The Workspaces of a real host: joins backends/workspace, backends/host and sandbox/build.

In: Orders, folders of sandboxes. Out: Prepared, Commands, change sets as messages. Never: file work
on the event loop, or a decision; those are its neighbours'.
"""

import asyncio
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from cleanroom.api.change_types import (
    ApplyReport,
    ApplyRequest,
    Change,
    ChangeSet,
    MergedPath,
    SkippedPath,
)
from cleanroom.api.types import ClientFacts, RunOptions
from cleanroom.backends.base import Command
from cleanroom.backends.base import Sandbox as Machine
from cleanroom.backends.host import find_program
from cleanroom.backends.workspace import apply as applying
from cleanroom.backends.workspace import patch as patching
from cleanroom.backends.workspace.apply import MergedFile
from cleanroom.backends.workspace.branch import bring_branch, has_commits
from cleanroom.backends.workspace.changes import Change as Found
from cleanroom.backends.workspace.changes import Skipped, change_set
from cleanroom.backends.workspace.merge import merge_conflicts
from cleanroom.backends.workspace.originals import keep_originals
from cleanroom.backends.workspace.prepare import prepare
from cleanroom.backends.workspace.scan import ScanCache, scan
from cleanroom.backends.workspace.sync import drop_copies
from cleanroom.backends.workspace.turn import turn
from cleanroom.backends.workspace.upkeep import remove_tree, tree_size
from cleanroom.backends.workspace.watch import Watch
from cleanroom.daemon.mise_volumes import DATA, make_layers
from cleanroom.daemon.mounts import NOTHING_CLOSED, Closed, mount_views
from cleanroom.daemon.parts import Counted, Order, Prepared, Side, Wanted
from cleanroom.daemon.syncing import Follower, Sides
from cleanroom.daemon.volumes import Identity, Volumes
from cleanroom.daemon.workspace_mark import workspace_mark
from cleanroom.daemon.workspace_rule import judge_workspace
from cleanroom.errors import Code, Refused, UserError
from cleanroom.sandbox.build import CommandOptions, build_spec, command_for
from cleanroom.sandbox.environment import override
from cleanroom.sandbox.git_settings import git_settings
from cleanroom.sandbox.host import ClientEnvironment, HostFacts, WorkspaceView, trusting
from cleanroom.sandbox.mise import Equipment, equip
from cleanroom.sandbox.places import add_places
from cleanroom.sandbox.spec import Overlay, SandboxSpec
from cleanroom.sandbox.tools import outside_view


class LocalWorkspaces:
    """Views of folders of this host. `host` was read once, at the daemon's start."""

    def __init__(
        self, host: HostFacts, closed: Closed = NOTHING_CLOSED, volumes: Volumes | None = None
    ) -> None:
        """`closed`: what no workspace may hold, and nobody may mount."""
        self._volumes = volumes
        self._host = host
        self._closed = closed
        self._cache = ScanCache()
        self._one_scan = asyncio.Lock()  # the cache is shared; scans are short

    async def mark(self, workspace: str) -> str:
        """Return what only this folder has. Raises UserError, Refused if it is no workspace."""

        def judged() -> str:
            judge_workspace(workspace, os.geteuid(), self._closed.homes)
            return workspace_mark(workspace)

        return await asyncio.to_thread(judged)

    async def prepare(self, order: Order, folder: Path) -> Prepared:
        """Make the view and the plan in `folder`. Raises UserError, Refused or Fault."""

        def judged() -> tuple[WorkspaceView, ...]:
            judge_workspace(order.workspace, os.geteuid(), self._closed.homes)
            return self._views(order.options, order.workspace, folder)

        async with self._one_scan:
            view, *mounts = await asyncio.to_thread(judged)
        client = client_environment(order.facts)
        host = trusting(self._host, order.authority)
        spec = build_spec(order.policy, order.sandbox_id, view, host, client)
        wanted = [overlay for mount in mounts for overlay in mount.overlays]
        if order.options.volumes:
            wanted += await asyncio.to_thread(self._volumes_of, order, make=False)
        spec = add_places(spec, wanted)
        if order.options.volumes and not order.only_planned:  # a refused place leaves no volume
            await asyncio.to_thread(self._volumes_of, order, make=True)
        if order.equipment is not None:
            spec = await asyncio.to_thread(_equipped, spec, order.equipment, folder)
        notes = tuple(note for each in (view, *mounts) for note in each.notes)
        settings = git_settings(order.policy, dict(order.placeholders))
        environment = override(spec.environment, (*order.placeholders, *settings))
        spec = replace(spec, environment=environment, needs=order.needs)
        return Prepared(spec, notes, order.options)

    async def renew(self, prepared: Prepared, workspace: str, folder: Path) -> Prepared:
        """Look again at what must not be seen; before the view is mounted anew. Raises Fault."""

        def anew() -> tuple[WorkspaceView, ...]:
            drop_copies(folder)
            return self._views(prepared.options, workspace, folder)

        async with self._one_scan:
            views = await asyncio.to_thread(anew)
        return replace(prepared, notes=tuple(note for each in views for note in each.notes))

    def _volumes_of(self, order: Order, *, make: bool) -> list[Overlay]:
        """Return how the sandbox has its volumes. Raises UserError for one that is taken."""
        found: list[Overlay] = []
        for volume in order.options.volumes:
            holder = order.taken.get((order.workspace, volume.name))
            if holder is not None:
                message = f"cannot use the volume '{volume.name}': the sandbox {holder} has it"
                hint = f"cleanroom exec --sandbox {holder} runs there; or stop it"
                raise UserError(Code.CONFLICT, message, hint)
            if self._volumes is None:
                message = "cannot use volumes: this daemon keeps none"
                raise Refused(Code.BACKEND_CAPABILITY_MISMATCH, message, "leave out --volume")
            of = Identity(order.workspace, workspace_mark(order.workspace))
            found.append(self._volumes.overlay(of, volume, make=make))
        return found

    def follower(
        self, prepared: Prepared, side: Side, machine: Machine, *, watch: bool
    ) -> Follower:
        """Return what brings edits of the host into a sandbox."""

        def left_out() -> frozenset[str]:
            return frozenset(scan(side.host, None, self._cache).left_out)

        sides = Sides(side, machine, prepared.spec.environment, left_out)
        return Follower(sides, Watch() if watch else None)

    def _views(
        self, options: RunOptions, workspace: str, folder: Path
    ) -> tuple[WorkspaceView, ...]:
        """Make the workspace's view, then those of the mounts; in a thread, one at a time."""
        into = folder, self._cache
        view = prepare(workspace, *into, writable=options.workspace_mode != "ro")
        return view, *mount_views(options.mounts, workspace, self._closed, into)

    def command(self, prepared: Prepared, wanted: Wanted) -> Command:
        """Return what the agent is to start. Raises UserError."""
        options = wanted.options
        return command_for(
            wanted.command,
            prepared.spec.environment,
            CommandOptions(
                cwd=options.cwd,
                subfolder=wanted.subfolder,
                extra=tuple(options.environment.items()),
                tty=options.tty,
                rows=options.rows,
                columns=options.columns,
            ),
        )

    def missing_tool(self, order_workspace: str, path: str, wanted: Wanted) -> str:
        """Why a command that was not found is there for the caller; "" if it is not.

        `path` is the caller's PATH (ClientFacts.path). Ask it when a command ended with 127.
        """
        word = wanted.command[0].split(maxsplit=1)[0] if wanted.command[0].strip() else ""
        found = find_program(word, path)
        view = WorkspaceView(order_workspace, ())
        why = outside_view(word, found, self._host, view)
        return f"{why}, then run it again" if why else ""  # which says if the daemon must end

    async def changes(self, folder: Path) -> ChangeSet:
        """Return what was changed; ids are left empty. Files git ignores are one skipped line."""
        found = await asyncio.to_thread(change_set, folder)
        skipped = [_skipped(each) for each in found.skipped]
        if found.ignored:
            skipped.append(_skipped(found.ignored_line("not listed")))
        return ChangeSet(
            run_id="",
            sandbox_id="",
            changes=[_change(each) for each in found.changes],
            skipped=skipped,
        )

    async def count(self, folder: Path) -> Counted:
        """Return how many files were changed; of those of the host the original is kept."""
        return await asyncio.to_thread(_count, folder)

    async def patch(self, folder: Path) -> str:
        """Return the changes as a unified diff."""
        return await asyncio.to_thread(patching.patch, folder)

    async def apply(self, folder: Path, request: ApplyRequest) -> ApplyReport:
        """Bring changes onto the host; all or nothing."""
        paths = tuple(request.paths)
        if request.branch:
            return await self._branch(folder, request)
        merged = await merge_conflicts(folder, paths) if request.three_way else None
        done = await asyncio.to_thread(
            applying.apply, folder, paths, check=request.check, merged=merged
        )
        return ApplyReport(
            applied=list(done.applied),
            merged=[_merged(each) for each in done.merged],
            conflicts=[_skipped(each) for each in done.conflicts],
            skipped=[_skipped(each) for each in done.skipped],
        )

    async def _branch(self, folder: Path, request: ApplyRequest) -> ApplyReport:
        if request.paths or request.three_way:
            message = "cannot bring a branch and single paths, or merged files, at once"
            hint = "leave out the paths and --3way, or --branch"
            raise UserError(Code.REQUEST_INVALID, message, hint)
        brought = await bring_branch(folder, request.branch, check=request.check)
        return ApplyReport(
            applied=[],
            branch=brought.branch,
            commit=brought.commit,
            commits=brought.count,
            skipped=[_skipped(each) for each in brought.notable],
        )

    async def mend(self, folder: Path) -> None:
        """Complete or undo an apply that a killed daemon had begun. Idempotent. Raises Fault."""
        for each in (folder, *sorted((folder / "mounts").glob("*"))):
            await asyncio.to_thread(applying.finish_interrupted, each)

    async def forget(self, folder: Path) -> None:
        """Remove the view and its changes, once nobody applies them. Idempotent."""
        await asyncio.to_thread(_forget, folder)

    async def size(self, folder: Path) -> int:
        """Return how many bytes the changes occupy."""
        return await asyncio.to_thread(tree_size, folder)


def _count(folder: Path) -> Counted:
    found = change_set(folder)
    with suppress(OSError), turn(folder):  # without them `apply --3way` marks all differences
        keep_originals(folder, found.changes)
    if found.changes or found.ignored or found.cut:  # what is too much to list is kept too
        return Counted(len(found.changes) or int(found.cut), len(found.ignored))
    return Counted(0, commits=has_commits(folder))


def _forget(folder: Path) -> None:
    with turn(folder):
        remove_tree(folder)


def _equipped(spec: SandboxSpec, equipment: Equipment, folder: Path) -> SandboxSpec:
    """Return the spec with mise in it, its layers made."""
    if not equipment.plan.tools:
        return equip(spec, equipment, "", "")
    layers = Path(equipment.layers) if equipment.layers else folder / "mise"
    make_layers(layers)
    return equip(spec, equipment, str(layers / DATA), str(layers / "work"))


def client_environment(facts: ClientFacts) -> ClientEnvironment:
    """The client's message as the value that the planner takes."""
    return ClientEnvironment(
        path=facts.path,
        term=facts.term,
        colorterm=facts.colorterm,
        lang=facts.lang,
        tz=facts.tz,
        no_color=facts.no_color,
        git_name=facts.git_name,
        git_email=facts.git_email,
        registries=tuple(sorted(facts.registries.items())),
    )


def _change(found: Found) -> Change:
    gone = found.kind == "deleted"
    path = f"{found.path}/" if found.type == "folder" else found.path
    size, mode = (None, None) if gone else (found.size, found.mode)
    return Change(path=path, kind=found.kind, size=size, mode=mode)


def _merged(found: MergedFile) -> MergedPath:
    return MergedPath(path=found.path, marks=found.marks, base_known=found.known)


def _skipped(found: Skipped) -> SkippedPath:
    return SkippedPath(path=found.path, reason=found.reason)
