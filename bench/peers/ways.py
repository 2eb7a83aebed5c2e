"""Ways that packages come, measured in turns: what runs the client, and what serves it.

In: commands, a daemon, folders. Out: medians and minima. Never: a client's own cache between two
installs; a removed tree while something is measured.

Where there is room the trees are in memory: ext4 looks for a minute at every inode that was freed
before it gives a new one, so that each install would pay for the removal of the one before it.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.cases import complain
from bench.daemon import Daemon
from bench.measure import children, cpu_s

_MEMORY = "/dev/shm"  # noqa: S108 -- a folder of its own is made there
_ROOM_BYTES = 8 << 30

Run = Callable[[], float]  # the client's processor time


class Way:
    """One way that packages come. `servers` are named with what tells their processor time."""

    def __init__(self, name: str, run: Run, servers: dict[str, Callable[[], float]]) -> None:
        self.name = name
        self._run = run
        self._servers = servers
        self._walls: list[float] = []
        self._processor: dict[str, list[float]] = {}

    def once(self) -> float:
        """Run it, return the seconds it took."""
        before = {name: spent() for name, spent in self._servers.items()}
        began = time.perf_counter()
        client_s = self._run()
        wall = time.perf_counter() - began
        self._walls.append(wall)
        self._processor.setdefault("client", []).append(client_s)
        for name, spent in self._servers.items():
            self._processor.setdefault(name, []).append(spent() - before[name])
        return wall

    def forget(self) -> None:
        """What was measured does not count: it filled a cache."""
        self._walls.clear()
        self._processor.clear()

    @property
    def wall_s(self) -> float:
        """The median."""
        return statistics.median(self._walls)

    def spent_s(self, name: str) -> float:
        """Return a median of processor time."""
        return statistics.median(self._processor[name])

    def values(self) -> dict[str, Any]:
        """Return the medians, and the shortest time."""
        walls = {"wall s": round(self.wall_s, 2), "least": round(min(self._walls), 2)}
        return walls | {f"{name} CPU s": round(self.spent_s(name), 2) for name in self._processor}


def in_turns(ways: Sequence[Way], rounds: int) -> None:
    """Run each once a round; each round begins with another one."""
    for number in range(rounds):
        first = number % len(ways)
        for way in (*ways[first:], *ways[:first]):
            way.once()


def warmed(ways: Sequence[Way]) -> list[Way]:
    """Fill their caches; return those through which something can be installed."""
    return [way for way in ways if _is_warm(way)]


def _is_warm(way: Way) -> bool:
    for pause_s in (5, 20, 60):  # a peer may have to learn the registry first
        try:
            way.once()
        except subprocess.CalledProcessError:
            time.sleep(pause_s)
            continue
        way.forget()
        return True
    complain(f"nothing can be installed through {way.name}")
    return False


# --- what runs the client ----------------------------------------------------------------------


def inside(daemon: Daemon, work: Path, command: str) -> Run:
    """Return what runs it in a sandbox of its own, in a view of `work`."""

    def run() -> float:
        words = [str(daemon.cleanroom), "exec", "--quiet", "--", f"{command} && times"]
        return _client_s(words, work, daemon.environment)

    return run


def outside(work: Path, command: str, environment: dict[str, str] | None = None) -> Run:
    """Return what runs it on the host, in a copy that stays until everything was measured."""

    def run() -> float:
        copy = Path(tempfile.mkdtemp(dir=work.parent)) / "work"
        shutil.copytree(work, copy)
        plain = {"PATH": os.environ["PATH"], "HOME": str(copy.parent), "TMPDIR": str(copy.parent)}
        plain |= {"PIP_CONFIG_FILE": os.devnull, "PIP_ROOT_USER_ACTION": "ignore"}
        words = ["/bin/sh", "-c", f"{command} && times"]
        return _client_s(words, copy, plain | (environment or {}))

    return run


def _client_s(words: list[str], folder: Path, environment: dict[str, str]) -> float:
    """Run a client; return what `times` says of it at the end."""
    done = subprocess.run(
        words, cwd=folder, env=environment, check=False, capture_output=True, text=True
    )
    if done.returncode:
        print(done.stderr[-2000:], file=sys.stderr)
        done.check_returncode()
    spent = done.stdout.split()[-2:]  # of its children, "0m6.270000s 0m2.150000s"
    return sum(60 * float(m) + float(s.rstrip("s")) for m, s in (each.split("m") for each in spent))


# --- what serves it ----------------------------------------------------------------------------


def own_servers(daemon: Daemon) -> dict[str, Callable[[], float]]:
    """Return the two processes that carry a sandbox's packages."""
    return {"gateway": lambda: gateway_cpu_s(daemon), "daemon": lambda: cpu_s(daemon.pid)}


def gateway_cpu_s(daemon: Daemon) -> float:
    """Return the processor time of the daemon's gateway so far."""
    pids = [pid for pid in children(daemon.pid) if _is_gateway(pid)]
    return sum(map(cpu_s, pids))


def _is_gateway(pid: int) -> bool:
    try:
        return b"cleanroom.gateway_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


# --- where it happens --------------------------------------------------------------------------


@contextmanager
def folder() -> Iterator[Path]:
    """Yield a folder for trees and caches, in memory if there is room."""
    with tempfile.TemporaryDirectory(prefix="crp", dir=base()) as name:
        Path(name).chmod(0o755)
        yield Path(name)


def base() -> str:
    """Return where trees are put."""
    try:
        is_roomy = shutil.disk_usage(_MEMORY).free >= _ROOM_BYTES
    except OSError:
        is_roomy = False
    return _MEMORY if is_roomy and os.access(_MEMORY, os.W_OK) else tempfile.gettempdir()
