"""How each limit of a sandbox is enforced on this host.

In: what the spec asks for, and whether control groups may be used. Out: settings for the groups
and for the agent, and words for the record. Never: I/O, or a limit claimed that nothing enforces.
"""

from dataclasses import dataclass
from typing import Final

from cleanroom.policy.demands import Capability, Limits

DEFAULT_PIDS: Final = 4096
DEFAULT_OPEN_FILES: Final = 65536
DEFAULT_DISK_BYTES: Final = 20 * 1024**3

_GROUPED: Final = frozenset(
    {Capability.LIMIT_MEMORY, Capability.LIMIT_PIDS, Capability.LIMIT_CPU},
)
_ALWAYS: Final = frozenset(
    {Capability.LIMIT_PIDS, Capability.LIMIT_OPEN_FILES, Capability.LIMIT_DISK},
)


@dataclass(frozen=True, slots=True)
class LimitPlan:
    """`grouped` goes to control groups (all None: none is needed), `agent` to its options."""

    grouped: Limits
    agent: tuple[tuple[str, int], ...]
    disk_bytes: int
    limited: tuple[tuple[str, str], ...]  # ("memory", "cgroup v1")

    @property
    def needs_groups(self) -> bool:
        """Whether anything is to be limited by a control group."""
        return self.grouped != Limits()


def enforceable(*, groups: bool) -> frozenset[Capability]:
    """Return the limits that this host can enforce."""
    return _ALWAYS | _GROUPED if groups else _ALWAYS


def plan_limits(asked: Limits, how: str, open_files_max: int) -> LimitPlan:
    """Return who enforces what.

    `how` names the control groups ("cgroup v2"), "" if there are none; `open_files_max` is the
    daemon's own hard limit. A limit that nobody asked for is set by the cheapest way: moving a
    process into a control group costs milliseconds.
    """
    pids = asked.pids or DEFAULT_PIDS
    grouped = how != "" and (asked.memory_bytes, asked.cpus, asked.pids) != (None, None, None)
    files = min(asked.open_files or DEFAULT_OPEN_FILES, open_files_max)
    disk = asked.disk_bytes or DEFAULT_DISK_BYTES
    # One file stays below the whole, so that a file that hits its limit does not end the sandbox.
    agent = [("nofile", files), ("fsize", disk - disk // 64)]
    limited = [("open_files", f"rlimit {files} a process"), ("disk", f"counting, {disk} bytes")]
    if grouped:
        limited.append(("pids", f"{how}, {pids}"))
    else:
        agent.append(("nproc", pids))
        limited.append(("pids", f"rlimit {pids}"))
    if grouped and asked.memory_bytes is not None:
        limited.append(("memory", f"{how}, {asked.memory_bytes} bytes"))
    if grouped and asked.cpus is not None:
        limited.append(("cpu", f"{how}, {asked.cpus:g}"))
    return LimitPlan(
        Limits(memory_bytes=asked.memory_bytes, pids=pids, cpus=asked.cpus)
        if grouped
        else Limits(),
        tuple(agent),
        disk,
        tuple(limited),
    )
