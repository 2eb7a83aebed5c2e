"""When a sandbox ends by the clock: its time is over, or nothing has run in it for too long.

In: sandboxes that are ready, what happens in them. Out: the order to stop one. Never: the wall
clock, or the end of a sandbox in which a command runs for want of use.
"""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from cleanroom.api.types import Failure
from cleanroom.daemon.clock import Clock
from cleanroom.daemon.executions import Ending
from cleanroom.daemon.sandbox import LiveSandbox
from cleanroom.daemon.tasks import Tasks
from cleanroom.errors import Code

WARNING_S: Final = 120  # before the end of a sandbox's time
TTL: Final = "ttl"  # the names of the two watchers
IDLE: Final = "idle"


@dataclass(frozen=True, slots=True)
class Expiry:
    """Two timers a sandbox. `warn` tells who is inside, `stop` ends it."""

    clock: Clock
    tasks: Tasks
    warn: Callable[[LiveSandbox], None]
    stop: Callable[[LiveSandbox, Ending], Awaitable[None]]

    def live_for(self, sandbox: LiveSandbox, ttl_s: float, said: str) -> None:
        """From now on it lives this long; `said` is who wanted that. Replaces what was before."""
        self._watch(sandbox, TTL, self._expire(sandbox, ttl_s, said))

    def rest(self, sandbox: LiveSandbox) -> None:
        """A command has ended, or none was there yet: perhaps nothing runs in it now."""
        idle_s = sandbox.record.idle_s
        busy = sandbox.runs or sandbox.helpers
        if idle_s is None or busy or sandbox.record.state != "ready":
            return
        self._watch(sandbox, IDLE, self._idle(sandbox, idle_s))

    def wake(self, sandbox: LiveSandbox) -> None:
        """A command is about to run in it. `rest` follows when it has ended, or does not start."""
        watcher = sandbox.watchers.pop(IDLE, None)
        if watcher is not None:
            watcher.cancel()

    def _watch(self, sandbox: LiveSandbox, name: str, work: Coroutine[Any, Any, None]) -> None:
        before = sandbox.watchers.pop(name, None)
        if before is not None:
            before.cancel()
        sandbox.watchers[name] = self.tasks.start(work, f"sandbox {sandbox.record.id} {name}")

    async def _expire(self, sandbox: LiveSandbox, ttl_s: float, said: str) -> None:
        if ttl_s > WARNING_S:
            await self.clock.sleep(ttl_s - WARNING_S)
            self.warn(sandbox)
        await self.clock.sleep(min(ttl_s, WARNING_S))
        reason = f"the sandbox's time is over ({said})"
        hint = "raise sandbox.ttl_minutes, or in time: cleanroom sandboxes extend"
        over = Failure(code=Code.TIMED_OUT, reason=reason, hint=hint)
        await self.stop(sandbox, Ending("timed_out", over))

    async def _idle(self, sandbox: LiveSandbox, idle_s: float) -> None:
        await self.clock.sleep(idle_s)
        reason = f"nothing ran in the sandbox for {idle_s:g} s (--idle)"
        await self.stop(sandbox, Ending("timed_out", Failure(code=Code.TIMED_OUT, reason=reason)))
