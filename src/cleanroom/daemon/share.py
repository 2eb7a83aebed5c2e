"""`--workspace live`, `--mount DIR:rw`: a view and its folder of the host, kept in step both ways.

In: a sandbox, its follower. Out: the same files on both sides, but for what `apply` would not bring
out. Never: the folder itself shown writable: what comes out is judged first, as `apply` judges it.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from cleanroom.daemon.clock import Clock
from cleanroom.daemon.parts import Follower
from cleanroom.errors import CleanroomError

LOOK_S: Final = 0.1  # how often the sandbox's side is looked at
SHARE: Final = 10  # a look may take this part of the time, however much there is to see
PATIENCE: Final = 5  # looks; whoever writes without a pause is carried in the middle of it
TOLD: Final = 50  # sentences


class Share:
    """Both directions, one at a time. `tell` is given sentences for the person."""

    def __init__(self, follower: Follower, clock: Clock, tell: Callable[[str], None]) -> None:
        self._follower = follower
        self._clock = clock
        self._tell = tell
        self._told: set[str] = set()
        self._one = asyncio.Lock()
        self._seen = self._carried = ""
        self._waited = 0
        self._over = False

    async def keep(self, ended: asyncio.Event) -> None:
        """Keep both sides in step until the sandbox has ended; `settle` is the last word."""
        with contextlib.closing(self._follower):
            async with asyncio.TaskGroup() as group:
                both = [group.create_task(self._inward()), group.create_task(self._outward())]
                await ended.wait()
                async with self._one:  # not in the middle of one
                    for each in both:
                        each.cancel()

    def paused(self) -> asyncio.Lock:
        """Return what nothing is carried while it is held: for a view that is mounted anew."""
        return self._one

    async def settle(self) -> None:
        """Bring out all that is there now: before a run is said to have ended."""
        async with self._one:
            await self._carry(await self._follower.touched())

    async def end(self) -> None:
        """Do the same for the last time: the sandbox's side may be removed after it."""
        async with self._one:
            await self._carry(await self._follower.touched())
            self._over = True

    async def bring(self) -> None:
        """Bring inside all that is new on the host now: before a command starts."""
        async with self._one:
            if not self._over:
                await self._bring()

    async def _inward(self) -> None:
        while not self._over:
            await self.bring()
            await self._follower.changed()

    async def _outward(self) -> None:
        while True:
            begun = self._clock.monotonic()
            async with self._one:
                if self._over:
                    return
                now = await self._follower.touched()
                self._waited = 0 if now == self._carried else self._waited + 1
                if now != self._carried and (now == self._seen or self._waited > PATIENCE):
                    await self._carry(now)
                self._seen = now
            took = self._clock.monotonic() - begun
            await self._clock.sleep(max(LOOK_S, SHARE * took))

    async def _bring(self) -> None:
        try:
            edits = await self._follower.bring()
        except CleanroomError as error:  # the sandbox ends, or takes nothing more
            self._say(error.message)
            return
        for edit in edits:
            if edit.what == "conflict":
                self._say(f"the host's {edit.path} is not brought inside: {edit.reason}")

    async def _carry(self, now: str) -> None:
        self._carried = now
        try:
            stays = await self._follower.carry()
        except CleanroomError as error:
            self._say(error.message)
            return
        for path, reason in stays:
            self._say(f"{path} stays inside: {reason}")

    def _say(self, text: str) -> None:
        """Once; a sandbox cannot make it say more than so many."""
        if text not in self._told and len(self._told) < TOLD:
            self._told.add(text)
            self._tell(text)
