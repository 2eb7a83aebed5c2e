"""Numbers: repeat, sort, name; and what the processes of a tree hold.

In: something to call, or a process. Out: milliseconds, bytes, counts.
Never: an average, which hides what people wait for.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path


def milliseconds(action: Callable[[], object], times: int, warm: int = 2) -> list[float]:
    """Return the durations of `times` calls, sorted, after `warm` calls that do not count."""
    for _ in range(warm):
        action()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        action()
        taken.append((time.perf_counter() - began) * 1000)
    return sorted(taken)


def percentile(ordered: list[float], share: float) -> float:
    """Return the value below which `share` (0 to 1) of an ordered list lies."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def spread(ordered: list[float]) -> dict[str, float]:
    """Return p50, p90, the least and the number of an ordered list."""
    return {
        "p50_ms": round(percentile(ordered, 0.5), 2),
        "p90_ms": round(percentile(ordered, 0.9), 2),
        "min_ms": round(ordered[0], 2),
        "n": len(ordered),
    }


def children(pid: int) -> set[int]:
    """Return the process and all its descendants."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "stat").read_text()
            except OSError:
                continue
            parent = int(status.rpartition(")")[2].split()[1])
            parents.setdefault(parent, []).append(int(entry.name))
    found, waiting = set(), [pid]
    while waiting:
        one = waiting.pop()
        found.add(one)
        waiting += parents.get(one, [])
    return found


def resident_bytes(pids: set[int]) -> int:
    """Return the proportional set size of some processes: shared pages count once."""
    total = 0
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(
            int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:")
        )
    return total


def holdings(pid: int, folder: Path) -> dict[str, int]:
    """Return what a process tree holds: processes, descriptors, mounts, namespaces, files."""
    pids = children(pid)
    descriptors, namespaces = 0, set()
    for one in pids:
        try:
            descriptors += len(list(Path(f"/proc/{one}/fd").iterdir()))
            for kind in Path(f"/proc/{one}/ns").iterdir():
                namespaces.add(kind.readlink())
        except OSError:
            continue
    return {
        "processes": len(pids),
        "descriptors": descriptors,
        "namespaces": len(namespaces),
        "mounts": len(Path("/proc/self/mountinfo").read_text().splitlines()),
        "files": sum(len(files) for _, _, files in os.walk(folder)),
        "resident_bytes": resident_bytes(pids),
    }


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def whole_cpu_s(pid: int) -> float:
    """Return the processor time of a process and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
