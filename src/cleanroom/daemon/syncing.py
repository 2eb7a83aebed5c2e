"""Edits of the host, written into a running sandbox through its agent.

In: a workspace, the sandbox's folder and machine. Out: what was written, removed, or is a conflict.
Never: a write into the upper layer behind the sandbox's back (its watchers would not see it), or
one over what the sandbox changed itself.

The sandbox's own tar unpacks, with the sandbox's own rights: whatever it does to the stream it
could have done to its files anyway.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from cleanroom.backends.base import Command, Exit, Process
from cleanroom.backends.base import Sandbox as Machine
from cleanroom.backends.workspace.applied import remember
from cleanroom.backends.workspace.apply import carry, forget
from cleanroom.backends.workspace.folders import FOLDER, opened
from cleanroom.backends.workspace.listing import Listing, list_host
from cleanroom.backends.workspace.parcel import pack
from cleanroom.backends.workspace.saved import Places
from cleanroom.backends.workspace.sync import Brought, Memory, Plan, gone_inside, make_plan, missing
from cleanroom.backends.workspace.touched import touched
from cleanroom.backends.workspace.watch import Watch
from cleanroom.daemon.parts import Side, Synced
from cleanroom.errors import Code, Fault

SETTLE_S: Final = 0.02  # editors save in several steps
POLL_S: Final = 1.0  # where the kernel lets us watch no more folders
_SAID: Final = 4096
_UNPACK: Final = ("tar", "-xpf", "-", "--no-same-owner", "--no-overwrite-dir")
_REMOVE: Final = ("xargs", "-0", "rm", "-df", "--")


@dataclass(frozen=True, slots=True)
class Sides:
    """Both sides of one view. `left_out` looks what must not be seen, anew each time."""

    at: Side
    machine: Machine
    environment: tuple[tuple[str, str], ...]
    left_out: Callable[[], frozenset[str]]


class Follower:
    """Brings edits of the host into one sandbox; implements parts.Follower."""

    def __init__(self, sides: Sides, watch: Watch | None) -> None:
        self._sides = sides
        self._watch = watch
        self._before: Listing | None = None
        self._told: set[tuple[str, str]] = set()  # conflicts are said once

    async def bring(self) -> list[Synced]:
        """Bring what is new on the host now. Raises Fault if the sandbox does not take it."""
        now = await asyncio.to_thread(self._look)
        memory = await asyncio.to_thread(Memory.read, self._sides.at.folder)
        plan = await asyncio.to_thread(make_plan, self._sides.at.folder, now, memory)
        await self._write(plan, memory)
        await self._remove(plan, memory)
        memory.seen = tuple(now)
        await asyncio.to_thread(memory.write)
        self._before = now
        if self._watch is not None:
            self._watch.add(self._folders(now))
        return self._said(plan)

    async def changed(self) -> None:
        """Return once something changed on the host since it was last looked at."""
        watch = self._watch
        if watch is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if watch.complete else POLL_S):
                    await watch.changed()
        await asyncio.sleep(SETTLE_S)

    async def touched(self) -> str:
        """Return what stands for all that the sandbox wrote so far."""
        return await asyncio.to_thread(touched, self._sides.at.folder)

    async def carry(self) -> list[tuple[str, str]]:
        """Bring what the sandbox wrote onto the host, as `apply` does, but for conflicts."""
        stays = await asyncio.to_thread(carry, self._sides.at.folder)
        shown = self._sides.at.shown
        return [(f"{shown}{each.path}", each.reason) for each in stays]

    def close(self) -> None:
        """End watching. Idempotent."""
        if self._watch is not None:
            self._watch.close()

    def _look(self) -> Listing:
        left_out = self._sides.left_out()
        now = list_host(self._sides.at.host, left_out)
        if self._watch is not None and self._before is not None:
            gone = missing(self._before, now)
            self._watch.forget(f"{self._sides.at.host}/{path}" for path in gone)
        return now

    def _folders(self, now: Listing) -> Iterator[str]:
        for path, entry in now.items():
            if entry.kind == "folder":
                yield f"{self._sides.at.host}/{path}".rstrip("/")

    async def _write(self, plan: Plan, memory: Memory) -> None:
        if not plan.writes:
            return
        packed: dict[str, Brought] = {}
        with opened(os.open(self._sides.at.host, FOLDER)) as root:
            await self._feed(_UNPACK, pack(root, plan.writes, packed))
        memory.brought.update(packed)
        written = {path: each.ctime_ns for path, each in packed.items()}
        await asyncio.to_thread(remember, Places(self._sides.at.folder), written)

    async def _remove(self, plan: Plan, memory: Memory) -> None:
        if plan.removals:
            names = b"".join(b"./" + os.fsencode(path) + b"\0" for path in plan.removals)
            with contextlib.suppress(Fault):  # a folder may hold what the sandbox wrote: it stays
                await self._feed(_REMOVE, iter((names,)))
            await asyncio.to_thread(self._forget, plan.removals)
        for path in plan.removals:
            memory.brought.pop(path, None)

    def _forget(self, removals: Sequence[str]) -> None:
        folder = self._sides.at.folder
        forget(folder, gone_inside(folder, removals))

    async def _feed(self, argv: tuple[str, ...], parts: Iterator[bytes]) -> None:
        process = await self._start(argv)
        try:
            async with asyncio.TaskGroup() as group:
                answer = group.create_task(_answer(process))
                while part := await asyncio.to_thread(_next, parts):
                    await process.write_stdin(part)
                await process.close_stdin()
        except ExceptionGroup as failed:  # a Fault comes as itself
            raise failed.exceptions[0] from None
        said, ended = answer.result()
        if ended.status != 0:
            words = [argv[0], *said.decode("utf-8", "replace").strip().splitlines()]
            message = f"cannot write into the sandbox: {ended.error or words[-1]}"
            raise Fault(Code.RUNTIME_LAUNCH_FAILED, message, "its disk or its limits may be full")

    async def _start(self, argv: tuple[str, ...]) -> Process:
        return await self._sides.machine.execute(
            Command(argv, self._sides.environment, self._sides.at.inside)
        )

    def _said(self, plan: Plan) -> list[Synced]:
        fresh = [each for each in plan.conflicts if each not in self._told]
        self._told = set(plan.conflicts)
        return [
            *(Synced(path, "written") for path in plan.writes),
            *(Synced(path, "removed") for path in plan.removals),
            *(Synced(f"{self._sides.at.shown}{path}", "conflict", why) for path, why in fresh),
        ]


def _next(parts: Iterator[bytes]) -> bytes:
    """Return the next pieces as one, of a size worth sending; b"" at the end."""
    data = b""
    for part in parts:
        data += part
        if len(data) >= 1 << 18:
            break
    return data


async def _answer(process: Process) -> tuple[bytes, Exit]:
    """Return the beginning of what it said, and how it ended."""
    kept = b""
    async for piece in process.output():
        kept += piece.data[: max(0, _SAID - len(kept))]
    return kept, await process.wait()
