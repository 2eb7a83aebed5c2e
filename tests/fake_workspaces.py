"""Workspaces without a file system. Never: a mock; one that drifts from its Protocol fails mypy."""

import asyncio
import contextlib
from dataclasses import dataclass, field, replace
from pathlib import Path

from cleanroom.api.change_types import ApplyReport, ApplyRequest, Change, ChangeSet
from cleanroom.backends.base import (
    Command,
)
from cleanroom.backends.base import Sandbox as Machine
from cleanroom.daemon import parts
from cleanroom.daemon.parts import (
    Follower,
    Order,
    Prepared,
    Side,
    Synced,
    Wanted,
)
from cleanroom.errors import Fault
from cleanroom.sandbox.build import CommandOptions, command_for
from cleanroom.sandbox.environment import override
from tests.fake_follower import FakeFollower
from tests.fakes import FakeBackend, empty_spec


@dataclass
class FakeWorkspaces:
    """Workspaces whose changes are what `touch` of the fake backend said."""

    backend: FakeBackend
    notes: tuple[str, ...] = ()
    prepared: list[Order] = field(default_factory=list)
    forgotten: list[Path] = field(default_factory=list)
    mended: list[Path] = field(default_factory=list)
    marks: dict[str, str] = field(default_factory=dict)
    edits: list[list[Synced] | Fault] = field(default_factory=list)
    followers: list[FakeFollower] = field(default_factory=list)

    async def mark(self, workspace: str) -> str:
        """Return a mark that a test may change."""
        return self.marks.get(workspace, f"mark of {workspace}")

    async def prepare(self, order: Order, folder: Path) -> Prepared:
        """Return an empty plan."""
        self.prepared.append(order)
        spec = empty_spec(order.sandbox_id, order.needs)
        environment = override(spec.environment, order.placeholders)
        return Prepared(replace(spec, environment=environment), self.notes)

    async def renew(self, prepared: Prepared, workspace: str, folder: Path) -> Prepared:
        """Return the plan as it was."""
        return prepared

    def command(self, prepared: Prepared, wanted: Wanted) -> Command:
        """Return the command as sandbox/build.py makes it."""
        options = CommandOptions(
            cwd=wanted.options.cwd,
            subfolder=wanted.subfolder,
            extra=tuple(wanted.options.environment.items()),
            tty=wanted.options.tty,
        )
        return command_for(wanted.command, prepared.spec.environment, options)

    def missing_tool(self, order_workspace: str, path: str, wanted: Wanted) -> str:
        """Say that the caller's own folder has it, if the caller has any."""
        return f"add to config.yaml:  tools: [{path}]" if path else ""

    def follower(
        self, prepared: Prepared, side: Side, machine: Machine, *, watch: bool
    ) -> Follower:
        """Return one whose edits a test puts into a queue."""
        return FakeFollower(self.edits, self.followers)

    async def changes(self, folder: Path) -> ChangeSet:
        """Return what was touched."""
        if self.backend.changes_fault is not None:
            raise self.backend.changes_fault
        touched = self.backend.changed.get(folder.name, ())
        changes = [Change(path=path, kind="added", size=1) for path in touched]
        return ChangeSet(run_id="", sandbox_id="", changes=changes)

    async def count(self, folder: Path) -> parts.Counted:
        """Return how many were touched."""
        return parts.Counted(len((await self.changes(folder)).changes))

    async def patch(self, folder: Path) -> str:
        """Return one line a touched file."""
        return "".join(f"+++ b/{path}\n" for path in self.backend.changed.get(folder.name, ()))

    async def apply(self, folder: Path, request: ApplyRequest) -> ApplyReport:
        """Say that everything wanted was applied."""
        touched = self.backend.changed.get(folder.name, ())
        return ApplyReport(applied=[path for path in touched if path in (request.paths or touched)])

    async def mend(self, folder: Path) -> None:
        """Note that it was asked, or fail."""
        self.mended.append(folder)
        if self.backend.changes_fault is not None:
            raise self.backend.changes_fault

    async def forget(self, folder: Path) -> None:
        """Remove the folder."""
        self.forgotten.append(folder)
        with contextlib.suppress(FileNotFoundError):
            await asyncio.to_thread(folder.rmdir)

    async def size(self, folder: Path) -> int:
        """Return a size for each changed file."""
        return 1000 * len(self.backend.changed.get(folder.name, ()))
