"""Installs through cleanroom and through its peers, in turns: cold, then from each one's cache.

In: a daemon. Out: Figures; a peer that cannot be had is said to be absent. Never: a client's own
cache between two installs.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.cases import Figure, complain
from bench.daemon import Daemon
from bench.measure import children, cpu_s
from bench.peers.servers import HERE, Peer, devpi, install, nginx, npm_registry, verdaccio

TIMES = 3
_NPM = "npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --silent --cache ./.npm"
_PIP = "-m pip install --quiet --no-deps --no-cache-dir --no-compile --only-binary :all:"
_UV = "./uv pip install --quiet --no-deps --no-cache --only-binary :all: --python {python}"
_LOCKED = "--require-hashes --target {target} -r pandas.txt"
_SYSTEM = "/usr/bin/python3"

_Run = Callable[[], None]


class Way:
    """One way that packages come: what runs the client, and what serves it."""

    def __init__(self, name: str, run: _Run, spent_s: Callable[[], float]) -> None:
        self.name = name
        self._run = run
        self._spent_s = spent_s
        self.walls: list[float] = []
        self.processor: list[float] = []

    def once(self) -> float:
        """Run it, return the seconds it took."""
        before, began = self._spent_s(), time.perf_counter()
        self._run()
        wall = time.perf_counter() - began
        self.walls.append(wall)
        self.processor.append(self._spent_s() - before)
        return wall

    def values(self) -> dict[str, Any]:
        """Return the medians."""
        return {
            "wall s": round(statistics.median(self.walls), 2),
            "server CPU s": round(statistics.median(self.processor), 2),
        }


def _in_turns(ways: list[Way]) -> dict[str, Any]:
    for _ in range(TIMES):
        for way in ways:
            way.once()
    return {way.name: way.values() for way in ways}


def _warm(way: Way) -> float:
    """Fill its cache, which does not count. A peer may have to learn the registry first."""
    for pause_s in (5, 20, 60):
        try:
            wall = way.once()
        except subprocess.CalledProcessError:
            time.sleep(pause_s)
            continue
        way.walls.clear()
        way.processor.clear()
        return wall
    message = f"nothing can be installed through {way.name}"
    raise OSError(message)


def _warmed(ways: list[Way]) -> list[Way]:
    """Warm them; return those through which something can be installed."""
    found = []
    for way in ways:
        try:
            _warm(way)
        except OSError as error:
            complain(str(error))
        else:
            found.append(way)
    return found


def npm_installs(daemon: Daemon) -> Figure:
    """`npm ci`: cold beside the registry itself, warm beside verdaccio and nginx."""
    return _or_absent("npm ci", _npm, daemon)


def _npm(daemon: Daemon) -> Figure:
    registry = npm_registry()
    with (
        _folder() as folder,
        _peers(verdaccio(folder / "v"), nginx(folder / "n", registry)) as peers,
    ):
        work = folder / "work"
        shutil.copytree(HERE / "packages", work)
        count = _with_addresses(work / "package-lock.json", registry)
        (work / "cleanroom.yaml").write_text(
            _policy("npm", [str(urlsplit(registry).hostname)], "package-lock.json")
        )
        ours = Way("cleanroom", _inside(daemon, work, _NPM), lambda: gateway_cpu_s(daemon))
        ways = [ours, *(_npm_way(work, peer.name, peer.address, peer) for peer in peers)]
        cold = {"cleanroom": _warm(ours), "direct": _npm_way(work, "", registry, None).once()}
        values = _in_turns([ours, *_warmed(ways[1:])])
    values |= {"cold s": {name: round(wall, 1) for name, wall in cold.items()}}
    holds = cold["cleanroom"] <= 1.1 * cold["direct"]
    if "verdaccio" in values:
        spent = values["verdaccio"]["server CPU s"]
        holds = holds and values["cleanroom"]["server CPU s"] <= spent / 4
    if "nginx" in values:
        holds = holds and values["cleanroom"]["wall s"] <= 1.05 * values["nginx"]["wall s"]
    values |= _absent(values, ("verdaccio", "nginx"))
    target = "CPU <= verdaccio / 4; wall <= nginx + 5 %; cold <= direct + 10 %"
    return Figure(f"npm ci of {count} packages", target, values, holds)


def python_installs(daemon: Daemon) -> Figure:
    """Pandas and what it needs, by pip and by uv, warm, beside devpi."""
    return _or_absent("pandas from its lock", _pandas, daemon)


def _pandas(daemon: Daemon) -> Figure:
    values: dict[str, Any] = {}
    holds = True
    with _folder() as folder, _peers(devpi(folder / "d")) as peers:
        work = folder / "work"
        work.mkdir()
        shutil.copy(HERE / "pandas.txt", work)
        (work / "cleanroom.yaml").write_text(_policy("pypi", _pypi_hosts(), "pandas.txt"))
        clients = {"pip": f"{_SYSTEM} {_PIP}"}
        if install(folder / "u", "uv.txt"):
            shutil.copy(folder / "u" / "bin" / "uv", work / "uv")
            clients["uv"] = _UV.format(python=_SYSTEM)
        for client, words in clients.items():
            command = f"{words} {_LOCKED.format(target='./t')}"
            ours = Way("cleanroom", _inside(daemon, work, command), lambda: gateway_cpu_s(daemon))
            ways = [ours, *(_pip_way(work, command, peer) for peer in peers)]
            values[client] = _in_turns(_warmed(ways))
            values[client] |= _absent(values[client], ("devpi",))
            holds = holds and _is_quick(values[client])
    target = "CPU <= 0.15 s; wall <= devpi"
    return Figure("pandas from its lock", target, values, holds)


def _or_absent(name: str, case: Callable[[Daemon], Figure], daemon: Daemon) -> Figure:
    """Measure, or say why that cannot be: a registry is asked, which may be out of reach."""
    try:
        return case(daemon)
    except (OSError, subprocess.SubprocessError) as error:
        return Figure(name, "", {"absent": str(error)[:200]}, None)


def _is_quick(values: dict[str, Any]) -> bool:
    ours, theirs = values.get("cleanroom"), values["devpi"]
    if ours is None:
        return False
    is_cheap = bool(ours["server CPU s"] <= 0.15)
    return is_cheap and (theirs == "absent" or bool(ours["wall s"] <= theirs["wall s"]))


def _absent(values: dict[str, Any], names: tuple[str, ...]) -> dict[str, str]:
    return {name: "absent" for name in names if name not in values}


# --- ways ------------------------------------------------------------------------------------


def _inside(daemon: Daemon, work: Path, command: str) -> _Run:
    def run() -> None:
        words = [str(daemon.cleanroom), "exec", "--quiet", "--", command]
        done = subprocess.run(
            words, cwd=work, env=daemon.environment, check=False, capture_output=True, text=True
        )
        if done.returncode:
            print(done.stderr[-2000:], file=sys.stderr)
            done.check_returncode()

    return run


def _outside(work: Path, command: str, environment: dict[str, str]) -> _Run:
    """Run on the host, in a copy that is made and removed outside the time."""

    def run() -> None:
        with tempfile.TemporaryDirectory(dir=work.parent) as name:
            copy = Path(name) / "work"
            shutil.copytree(work, copy)
            plain = {"PATH": os.environ["PATH"], "HOME": name, "PIP_CONFIG_FILE": os.devnull}
            subprocess.run(
                ["/bin/sh", "-c", command], cwd=copy, env=plain | environment, check=True
            )

    return run


def _npm_way(work: Path, name: str, address: str, peer: Peer | None) -> Way:
    command = f"{_NPM} --registry {address} --replace-registry-host=always"
    return Way(name, _outside(work, command, {}), peer.cpu_s if peer else float)


def _pip_way(work: Path, command: str, peer: Peer) -> Way:
    index = {"PIP_INDEX_URL": peer.address, "UV_DEFAULT_INDEX": peer.address}
    index |= {
        "PIP_DEFAULT_TIMEOUT": "180",
        "UV_HTTP_TIMEOUT": "180",
        "PIP_ROOT_USER_ACTION": "ignore",
    }
    return Way(peer.name, _outside(work, command, index), peer.cpu_s)


def gateway_cpu_s(daemon: Daemon) -> float:
    """Return the processor time of the daemon's gateway so far."""
    pids = [pid for pid in children(daemon.pid) if _is_gateway(pid)]
    return sum(map(cpu_s, pids))


def _is_gateway(pid: int) -> bool:
    try:
        return b"cleanroom.gateway_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


# --- what they need --------------------------------------------------------------------------


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="crp", dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def _peers(*found: Peer | None) -> Iterator[list[Peer]]:
    peers = [each for each in found if each is not None]
    try:
        yield peers
    finally:
        for peer in peers:
            peer.stop()


def _with_addresses(lock: Path, registry: str) -> int:
    """Say of each package where this machine's registry has it; return how many there are."""
    document = json.loads(lock.read_text())
    packages = {path: each for path, each in document["packages"].items() if path}
    for path, each in packages.items():
        name = each.get("name", path.rpartition("node_modules/")[2])
        file = f"{name.rpartition('/')[2]}-{each['version']}.tgz"
        each["resolved"] = f"{registry}{name}/-/{file}"
    lock.write_text(json.dumps(document, indent=1))
    return len(packages)


def _pypi_hosts() -> list[str]:
    asked = (
        "from pip._internal.models.index import PyPI\nfrom urllib.parse import urlsplit\n"
        "print(urlsplit(PyPI.simple_url).hostname, PyPI.file_storage_domain)"
    )
    said = subprocess.run(
        [sys.executable, "-c", asked], check=True, capture_output=True, text=True
    ).stdout
    return said.split()


def _policy(manager: str, hosts: list[str], lock: str) -> str:
    return f"""version: 1
registries:
  {manager}:
    enable: true
    allowed_hosts: [{", ".join(hosts)}]
    lockfile_enforcement: {{enabled: true, mode: deny_unknown, lockfiles: [{lock}]}}
"""


def main() -> int:
    """Print these figures alone, of the `cleanroom` beside this Python."""
    with Daemon(Path(sys.executable).parent / "cleanroom") as daemon:
        for case in (python_installs, npm_installs):
            print(case(daemon), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
