"""mise for sandboxes: planned, its tools installed once, its environment asked before a command.

In: a sandbox that is to be made, a command that is to start. Out: Equipment, environments.
Never: code of a project run on the host; a volume written by anything but its own bootstrap, which
has a sandbox to itself under the same policy.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cleanroom.api.types import ExecutionRequest, RunOptions
from cleanroom.backends.base import Command, Process
from cleanroom.backends.base import Sandbox as Machine
from cleanroom.daemon.mise_files import Program, Programs, read_files
from cleanroom.daemon.mise_volumes import Volume, Volumes
from cleanroom.daemon.observability import system
from cleanroom.daemon.output import Chunk
from cleanroom.daemon.sandbox import Creation, LiveRun, LiveSandbox
from cleanroom.daemon.sandboxes import FINISHED, Sandboxes
from cleanroom.daemon.settings import MiseSettings
from cleanroom.daemon.workspace_mark import workspace_mark
from cleanroom.decide.mirror import is_of_operator
from cleanroom.errors import Code, Fault, Refused
from cleanroom.policy.model import MisePolicy
from cleanroom.sandbox import mise
from cleanroom.sandbox.environment import Environment
from cleanroom.sandbox.host import WORKSPACE
from cleanroom.sandbox.mise import Equipment, MisePlan, Origin

BOOTSTRAP_S: Final = 570.0  # less than a client waits for an answer
ENVIRONMENT_S: Final = 60.0
STAGES_FOR_S: Final = 86_400.0  # what a killed daemon left
_TOLD_LINES: Final = 4  # of what mise said

# Runs one command in a sandbox that is there (run.start_execution).
Starter = Callable[[ExecutionRequest, LiveSandbox], Awaitable[LiveRun]]


@dataclass(frozen=True, slots=True)
class Equipped:
    """A creation with its equipment, if it needs any, and what the person should be told."""

    creation: Creation
    notes: tuple[str, ...] = ()


class Mise:
    """mise of one daemon."""

    def __init__(self, settings: MiseSettings, folder: Path, sandboxes: Sandboxes) -> None:
        self._programs = Programs(settings)
        self._volumes = Volumes(folder, settings.kept_tools)
        self._sandboxes = sandboxes
        self._making: dict[str, asyncio.Lock] = {}

    async def equip(self, creation: Creation, start: Starter) -> Equipped:
        """Return the creation with what its workspace's mise files ask for.

        The tools are installed first, if they are not there. Raises UserError for a file that
        cannot be read, Refused or Fault if the policy or the host does not let it be done.
        """
        policy = creation.policy.sandbox.mise
        if policy.enabled is False:
            return Equipped(creation)
        names = mise.files_to_read(policy)
        found = await asyncio.to_thread(read_files, creation.workspace, names)
        if not any(name in found for name in policy.config_files):
            return Equipped(creation, tuple(_no_files(policy)))
        program = await self._programs.find(creation.facts.path)
        if program is None:
            return Equipped(creation, (_no_program(policy),))
        plan = mise.plan_mise(policy, found, _origin(creation, program))
        if plan is None:
            return Equipped(creation)
        equipment = Equipment(plan, program.path)
        if plan.tools and plan.applies:
            volume = await self._volume(creation, equipment, start)
            equipment = replace(equipment, volume=volume.path, owner=volume.owner)
        return Equipped(replace(creation, equipment=equipment))

    async def environment(
        self, equipment: Equipment | None, machine: Machine, environment: Environment
    ) -> Environment:
        """Return the environment for a command: what mise answers inside, if it is to be applied.

        Raises Fault if mise fails: the command would run with other tools than the files say.
        """
        if equipment is None or not equipment.applies:
            return environment
        asked = mise.untrusting(environment)
        process = await machine.execute(Command(mise.environment_command(), asked, WORKSPACE))
        await process.close_stdin()
        try:
            async with asyncio.timeout(ENVIRONMENT_S):
                answer, said, status = await _answer_of(process)
        except TimeoutError as error:
            await process.signal(9)
            late = f"it took longer than {ENVIRONMENT_S:g} s"
            raise _not_applied(late) from error
        if status != 0:
            raise _not_applied(_last_lines(said))
        return tuple(sorted((dict(environment) | dict(mise.read_environment(answer))).items()))

    async def clean(self, now: float) -> None:
        """Remove the volumes that are too much, and what killed daemons left."""
        live = (each.equipment for each in self._sandboxes.live)
        in_use = frozenset(each.volume for each in live if each is not None)
        await asyncio.to_thread(self._volumes.prune, in_use, now - STAGES_FOR_S)

    async def _volume(self, creation: Creation, equipment: Equipment, start: Starter) -> Volume:
        key = equipment.plan.key
        async with self._only_one(key):
            volume = await asyncio.to_thread(self._volumes.find, key)
            if volume is None:
                volume = await self._make(creation, equipment, start)
        return volume

    @contextlib.asynccontextmanager
    async def _only_one(self, key: str) -> AsyncIterator[None]:
        """Several runs at once want the same tools: one installs them."""
        lock = self._making.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                yield
        finally:
            if not lock.locked():
                self._making.pop(key, None)

    async def _make(self, creation: Creation, equipment: Equipment, start: Starter) -> Volume:
        stage = await asyncio.to_thread(self._volumes.stage)
        try:
            making = replace(equipment, layers=str(stage), is_bootstrap=True)
            asked = creation.options
            options = RunOptions(backend=asked.backend, isolation=asked.isolation)
            # Of values only those of mirrors: nothing stands for them inside.
            values = {
                name: creation.values[name] for name in filter(is_of_operator, creation.values)
            }
            own = replace(creation, options=options, ephemeral=True, equipment=making)
            own = replace(own, values=values)
            run = await self._bootstrap(own, start)
            if run.record.exit_code != 0:
                raise await _not_installed(equipment.plan, run)
            return await asyncio.to_thread(self._volumes.publish, stage, equipment.plan.key)
        finally:
            await asyncio.to_thread(self._volumes.discard, stage)

    async def _bootstrap(self, creation: Creation, start: Starter) -> LiveRun:
        """Run `mise install` in a sandbox of its own; nothing of it lives when this returns."""
        sandbox = await self._sandboxes.create(creation)
        try:
            options = RunOptions(detach=True, timeout_s=BOOTSTRAP_S)
            command = list(mise.install_command())
            run = await start(ExecutionRequest(command=command, options=options), sandbox)
            await run.finished.wait()
        finally:
            await self._sandboxes.stop(sandbox, FINISHED)
        return run


def _origin(creation: Creation, program: Program) -> Origin:
    facts = system()
    return Origin(
        workspace=f"{creation.workspace} {workspace_mark(creation.workspace)}",
        platform=f"{facts['machine']} {facts['os']}",
        policy_hash=creation.policy.policy_hash,
        program_digest=program.digest,
    )


def _no_files(policy: MisePolicy) -> list[str]:
    if not policy.enabled:
        return []
    return [f"sandbox.mise is enabled, and there is none of: {', '.join(policy.config_files)}"]


def _no_program(policy: MisePolicy) -> str:
    """Return what to say of a missing program. Raises Refused if the policy counts on it."""
    hint = "install mise, or say mise.program in config.yaml"
    if policy.enabled:
        message = "cannot set up tools by mise (sandbox.mise.enabled): this host has no mise"
        raise Refused(Code.BACKEND_CAPABILITY_MISMATCH, message, hint)
    return f"mise files are not applied: this host has no mise; {hint}"


async def _answer_of(process: Process) -> tuple[bytes, bytes, int]:
    """Return both streams of a short command, bounded, and its status."""
    kept = {1: b"", 2: b""}
    async for piece in process.output():
        room = mise.MAX_ENVIRONMENT_BYTES - len(kept[piece.stream])
        kept[piece.stream] += piece.data[:room]
    return kept[1], kept[2], (await process.wait()).status


async def _not_installed(plan: MisePlan, run: LiveRun) -> Refused | Fault:
    tools = ", ".join(f"{name} {version}" for name, version in plan.tools)[:200]
    what = f"cannot install the repository's tools ({tools})"
    if run.refusals:
        refused = ", ".join(sorted({f"{each.name or each.address}" for each in run.refusals}))
        message = f"{what}: the policy refuses {refused[:300]}"
        hint = f"run: cleanroom policy suggest --run-id {run.record.id}"
        return Refused(Code(run.refusals[0].code), message, hint)
    said = b""
    if run.live is not None:
        reader = run.live.output.reader()
        while (piece := await reader.next()) is not None:
            said += piece.data if isinstance(piece, Chunk) and piece.stream == 2 else b""
    reason = _last_lines(said) or (run.record.failure.reason if run.record.failure else "")
    hint = f"run: cleanroom executions logs {run.record.execution_id}"
    return Fault(Code.RUNTIME_LAUNCH_FAILED, f"{what}: {reason}", hint)


def _not_applied(why: str) -> Fault:
    message = f"cannot apply the environment of the repository's mise files: {why}"
    hint = "correct them, or say sandbox.mise.auto_bootstrap: false"
    return Fault(Code.RUNTIME_LAUNCH_FAILED, message, hint)


def _last_lines(said: bytes) -> str:
    """Return what mise said of its error, as one line; the sandbox may have written it."""
    text = said.decode("utf-8", "replace")
    lines = [line.strip() for line in text.splitlines() if "ERROR" in line]
    told = [line.partition("ERROR")[2].strip() for line in lines[:_TOLD_LINES]]
    shown = "; ".join(
        line for line in told if line and not line.startswith(("Version:", "Run with"))
    )
    return "".join(char for char in shown if char.isprintable())[:600]
