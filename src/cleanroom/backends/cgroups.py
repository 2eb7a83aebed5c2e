"""Control groups of sandboxes: version 2 where it is delegated, version 1 where it is writable.

In: this process's place in the hierarchies, limits. Out: folders to join, how each is limited.
Never: a limit reported that the kernel did not take (what is written is read back).
"""

import contextlib
import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cleanroom.policy.demands import Limits

_PERIOD_US: Final = 100_000
_PREFIX: Final = "cleanroom-"
_PROBE: Final = "probe-"


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Where sandboxes' groups are made: controller -> folder, and which version it is."""

    version: int
    folders: Mapping[str, Path]

    @property
    def how(self) -> str:
        """What `Sandbox.limited` says."""
        return f"cgroup v{self.version}"


def find(proc: Path = Path("/proc/self")) -> Hierarchy | None:
    """Return the hierarchy this process may use, or None. Decided by making a group and going."""
    try:
        places = list(_places(proc))
    except OSError:
        return None
    for candidate in (_version2(places), _version1(places)):
        if candidate is not None and _usable(candidate):
            return candidate
    return None


def _places(proc: Path) -> Iterator[tuple[int, str, Path]]:
    """Yield (version, controller, own folder); of version 2 the controller is ""."""
    own: dict[str, str] = {}
    for line in (proc / "cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            own[controller] = path
    for line in (proc / "mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        root, point = before.split()[3:5]
        kind, _, options = after.split()[:3]
        if kind == "cgroup2":
            yield 2, "", _below(Path(point), root, own.get("", "/"))
        elif kind == "cgroup":
            for controller in options.split(","):
                if controller in own:
                    yield 1, controller, _below(Path(point), root, own[controller])


def _below(point: Path, root: str, path: str) -> Path:
    """Return where `path` of the hierarchy is, if its folder `root` is mounted at `point`."""
    relative = path.removeprefix(root) if root != "/" and path.startswith(root) else path
    return point / relative.lstrip("/")


def _version2(places: list[tuple[int, str, Path]]) -> Hierarchy | None:
    for version, _, folder in places:
        if version != 2:
            continue
        with contextlib.suppress(OSError):
            wanted = {"memory", "pids", "cpu"}
            if wanted <= set((folder / "cgroup.subtree_control").read_text().split()):
                return Hierarchy(2, dict.fromkeys(("memory", "pids", "cpu"), folder))
            if wanted <= set((folder / "cgroup.controllers").read_text().split()):
                return _delegate(folder)
    return None


def _delegate(folder: Path) -> Hierarchy:
    """Move this process into a leaf, so that its group may have limited children.

    A group with processes may not (the "no internal processes" rule), except the root.
    """
    if (folder / "cgroup.type").exists():  # the root has no type
        leaf = folder / "cleanroom-daemon"
        leaf.mkdir(exist_ok=True)
        for pid in (folder / "cgroup.procs").read_text().split():
            (leaf / "cgroup.procs").write_text(pid)
    (folder / "cgroup.subtree_control").write_text("+memory +pids +cpu")
    return Hierarchy(2, dict.fromkeys(("memory", "pids", "cpu"), folder))


def _version1(places: list[tuple[int, str, Path]]) -> Hierarchy | None:
    folders = {c: folder for version, c, folder in places if version == 1}
    if not {"memory", "pids", "cpu"} <= set(folders):
        return None
    return Hierarchy(1, {c: folders[c] for c in ("memory", "pids", "cpu")})


def _usable(hierarchy: Hierarchy) -> bool:
    _sweep(hierarchy)
    name = f"{_PROBE}{os.getpid()}"
    try:
        create(hierarchy, name, Limits(memory_bytes=1 << 26, pids=20, cpus=0.5))
    except OSError:
        return False
    finally:
        remove(hierarchy, name)
    return True


def _sweep(hierarchy: Hierarchy) -> None:
    """Remove the probing groups of processes that were killed while they probed."""
    for folder in set(hierarchy.folders.values()):
        for left in folder.glob(f"{_PREFIX}{_PROBE}*"):
            pid = left.name.removeprefix(_PREFIX + _PROBE)
            if not Path("/proc", pid).exists():
                with contextlib.suppress(OSError):
                    left.rmdir()


def create(hierarchy: Hierarchy, name: str, limits: Limits) -> tuple[str, ...]:
    """Make the groups of a sandbox; return the folders to join. Raises OSError if one is refused.

    Limits that are None are not set.
    """
    files = _version1_files(limits) if hierarchy.version == 1 else _version2_files(limits)
    for controller, settings in files.items():
        folder = hierarchy.folders[controller] / (_PREFIX + name)
        folder.mkdir(exist_ok=True)
        for file, value in settings:
            _set(folder / file, value)
    return tuple(dict.fromkeys(str(f / (_PREFIX + name)) for f in hierarchy.folders.values()))


Settings = dict[str, list[tuple[str, str]]]


def _version1_files(limits: Limits) -> Settings:
    settings: Settings = {"memory": [], "pids": [], "cpu": []}
    if limits.memory_bytes is not None:
        memory = str(limits.memory_bytes // 4096 * 4096)
        settings["memory"] = [
            ("memory.limit_in_bytes", memory),
            ("?memory.memsw.limit_in_bytes", memory),
        ]
    if limits.pids is not None:
        settings["pids"] = [("pids.max", str(limits.pids))]
    if limits.cpus is not None:
        quota = str(int(limits.cpus * _PERIOD_US))
        settings["cpu"] = [("cpu.cfs_period_us", str(_PERIOD_US)), ("cpu.cfs_quota_us", quota)]
    return settings


def _version2_files(limits: Limits) -> Settings:
    settings: Settings = {"memory": [], "pids": [], "cpu": []}
    if limits.memory_bytes is not None:
        memory = str(limits.memory_bytes // 4096 * 4096)
        settings["memory"] = [("memory.max", memory), ("?memory.swap.max", "0")]
    if limits.pids is not None:
        settings["pids"] = [("pids.max", str(limits.pids))]
    if limits.cpus is not None:
        quota = int(limits.cpus * _PERIOD_US)
        settings["cpu"] = [("cpu.max", f"{quota} {_PERIOD_US}")]
    return settings


def _set(file: Path, value: str) -> None:
    """Write a limit and read it back. A leading `?`: only where the kernel has the file (swap)."""
    if file.name.startswith("?"):
        file = file.with_name(file.name[1:])
        if not file.exists():
            return
    file.write_text(value)
    if file.read_text().split() != value.split():
        message = f"{file} did not take {value}"
        raise OSError(message)


def kill(hierarchy: Hierarchy, name: str) -> int:
    """Send SIGKILL to everything in the groups of a sandbox; return how many were hit."""
    hit = 0
    for folder in _groups(hierarchy, name):
        with contextlib.suppress(OSError):
            for pid in (folder / "cgroup.procs").read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
                    hit += 1
    return hit


def remove(hierarchy: Hierarchy, name: str) -> bool:
    """Remove the groups of a sandbox; False if something still lives in one. Idempotent."""
    gone = True
    for folder in _groups(hierarchy, name):
        try:
            folder.rmdir()
        except FileNotFoundError:
            continue
        except OSError:
            gone = False
    return gone


def _groups(hierarchy: Hierarchy, name: str) -> list[Path]:
    return list(dict.fromkeys(f / (_PREFIX + name) for f in hierarchy.folders.values()))
