"""Where a run's time went, in the mission's words.

In: laps of the daemon, timings of the backend. Out: milliseconds by name, None where a backend has
no such step. Never: a name that is missing; readers can rely on all of them.
"""

from typing import Final

from cleanroom.backends.base import StartTimings
from cleanroom.daemon.clock import Clock, milliseconds

NAMES: Final = (
    "policy_resolution_ms",
    "mise_bootstrap_ms",
    "rootfs_ms",
    "runtime_start_ms",
    "workspace_ms",
    "network_setup_ms",
    "ready_ms",
    "agent_wait_ms",
    "sandbox_ms",
    "mise_environment_ms",
    "first_output_ms",
    "command_ms",
    "network_cleanup_ms",
    "total_ms",
)


class Stopwatch:
    """One run's time; laps follow each other."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begin = self._mark = clock.monotonic()
        self._laps: dict[str, float | None] = dict.fromkeys(NAMES)

    def lap(self, name: str) -> None:
        """The time since the last lap was spent on `name`."""
        now = self._clock.monotonic()
        self._laps[name] = milliseconds(now - self._mark)
        self._mark = now

    def mark(self) -> None:
        """The time since the last lap belongs to nothing in particular."""
        self._mark = self._clock.monotonic()

    def since_begin(self, name: str) -> None:
        """`name` happened now; its time counts from the beginning of the run."""
        self._laps[name] = milliseconds(self._clock.monotonic() - self._begin)

    def add(self, timings: StartTimings, workspace_ms: float | None) -> None:
        """Add what the backend and the preparation of the workspace say."""
        both = [each for each in (timings.workspace_ms, workspace_ms) if each is not None]
        said = {
            "rootfs_ms": timings.rootfs_ms,
            "runtime_start_ms": timings.runtime_start_ms,
            "workspace_ms": sum(both) if both else None,
            "network_setup_ms": timings.network_ms,
            "ready_ms": timings.ready_ms,
            "agent_wait_ms": timings.agent_wait_ms,
        }
        for name, value in said.items():
            self._laps[name] = None if value is None else round(value, 3)

    def timings(self) -> dict[str, float | None]:
        """Return all of them; the total is until now."""
        self.since_begin("total_ms")
        return dict(self._laps)
