"""A follower whose edits a test says. Never: a file."""

import asyncio

from cleanroom.daemon.parts import Synced
from cleanroom.errors import Fault


class FakeFollower:
    """Brings what a test said, one list each time."""

    def __init__(self, edits: "list[list[Synced] | Fault]", every: "list[FakeFollower]") -> None:
        self.edits = edits
        self.change = asyncio.Event()
        self.closed = False
        self.written = ""  # what the sandbox wrote
        self.restless = False
        self.looks = 0
        self.carried: list[str] = []
        self.was_carried = asyncio.Event()
        self.stays: list[tuple[str, str]] | Fault = []
        self.asked = asyncio.Event()  # `bring` was called
        every.append(self)

    async def bring(self) -> list[Synced]:
        """Return the next edits, or fail."""
        self.asked.set()
        found = self.edits.pop(0) if self.edits else []
        if isinstance(found, Fault):
            raise found
        return found

    async def changed(self) -> None:
        """Return when a test says so."""
        await self.change.wait()
        self.change.clear()

    async def touched(self) -> str:
        """Return what a test says; something else each time, if it is restless."""
        self.looks += 1
        return f"{self.written}{self.looks}" if self.restless else self.written

    async def carry(self) -> list[tuple[str, str]]:
        """Note it, and say what stays inside."""
        self.carried.append(self.written)
        self.was_carried.set()
        if isinstance(self.stays, Fault):
            raise self.stays
        return self.stays

    def close(self) -> None:
        """Note it."""
        self.closed = True
