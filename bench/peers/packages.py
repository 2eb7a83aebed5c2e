"""Installs through cleanroom and through its peers, in turns: cold, then from each one's cache.

In: the `cleanroom` of a daemon. Out: Figures; a peer that cannot be had is said to be absent. Each
peer is measured twice: by a client in a sandbox like ours, where it is a service of the host, and
by one on the host. Between the first and ours lies the content cache, between the two the sandbox.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.cases import Figure
from bench.daemon import Daemon
from bench.peers.servers import (
    HERE,
    Peer,
    certificate,
    devpi,
    install,
    nginx,
    npm_registry,
    verdaccio,
)
from bench.peers.ways import Way, base, folder, in_turns, inside, outside, own_servers, warmed

ROUNDS, COLD_ROUNDS = 5, 3
_NPM = "npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --silent --cache ./.npm"
_PIP = "-m pip install --quiet --no-deps --no-cache-dir --no-compile --only-binary :all:"
_UV = "./uv pip install --quiet --no-deps --no-cache --only-binary :all: --python {python}"
_LOCKED = "--require-hashes --target {target} -r pandas.txt"
_SYSTEM = "/usr/bin/python3"
_PATIENT = {"PIP_DEFAULT_TIMEOUT": "180", "UV_HTTP_TIMEOUT": "180"}


def npm_installs(daemon: Daemon) -> Figure:
    """`npm ci` from the caches of cleanroom, verdaccio and nginx."""
    return _or_absent("npm ci", _npm, daemon)


def _npm(daemon: Daemon) -> Figure:
    registry = npm_registry()
    with _world() as (place, peers):
        tls = certificate(place, _name("nginx"))
        peers.extend(_there(verdaccio(place / "v"), nginx(place / "n", registry, tls)))
        trust = [tls[0]] if tls else []
        with Daemon(daemon.cleanroom, base(), _settings(peers, trust)) as own:
            work, count = _npm_tree(place / "work", registry)
            ours = _ours(own, work, _NPM, _registry("npm", _hosts(registry), "package-lock.json"))
            ways = [ours, *_npm_ways(own, work, peers)]
            in_turns(found := warmed(ways), ROUNDS)
    values = _values(found, ways)
    peer = {way.name: way for way in found}
    holds = (
        {ours.name, "verdaccio, sandbox", "nginx, sandbox"} <= peer.keys()
        and ours.spent_s("gateway") <= peer["verdaccio, sandbox"].spent_s("server") / 4
        and ours.wall_s <= 1.05 * peer["nginx, sandbox"].wall_s
    )
    target = "gateway CPU <= verdaccio / 4; wall <= nginx + 5 %"
    return Figure(f"npm ci of {count} packages, warm", target, values, holds)


def _npm_ways(daemon: Daemon, work: Path, peers: Sequence[Peer]) -> Iterator[Way]:
    for peer in peers:
        command = _npm_from(f"http://{_name(peer.name)}:{peer.port}/")
        yield _reached(daemon, work, peer, command)
        if peer.tls_port:
            command = _npm_from(f"https://{_name(peer.name)}:{peer.tls_port}/")
            yield _reached(daemon, work, peer, command, with_tls=True)
        run = outside(work, _npm_from(peer.address))
        yield Way(f"{peer.name}, host", run, {"server": peer.cpu_s})


def npm_cold(daemon: Daemon) -> Figure:
    """`npm ci` with an empty content cache, beside the registry itself."""
    return _or_absent("npm ci, cold", _npm_cold, daemon)


def _npm_cold(daemon: Daemon) -> Figure:
    registry = npm_registry()
    with _world() as (place, _), Daemon(daemon.cleanroom, base()) as own:
        work, count = _npm_tree(place / "work", registry)
        hosts = _hosts(registry)
        run = _emptied(own, _ours_in(own, work, _NPM, _registry("npm", hosts, "package-lock.json")))
        ours = Way("cleanroom", run, own_servers(own))
        tree = _policed(work, "direct", _network([(hosts[0], 443)]))
        direct = Way("direct, sandbox", inside(own, tree, _NPM), own_servers(own))
        ways = [ours, direct, Way("direct, host", outside(work, _npm_from(registry)), {})]
        in_turns(ways, COLD_ROUNDS)
    holds = ours.wall_s <= 1.1 * direct.wall_s
    name = f"npm ci of {count} packages, cold"
    return Figure(name, "wall <= direct + 10 %", _values(ways, ways), holds)


def python_installs(daemon: Daemon) -> Figure:
    """Pandas and what it needs, by pip and by uv, from the caches of cleanroom and devpi."""
    return _or_absent("pandas from its lock, warm", _pandas, daemon)


def _pandas(daemon: Daemon) -> Figure:
    values: dict[str, Any] = {}
    holds = True
    with _world() as (place, peers):
        peers.extend(_there(devpi(place / "d")))
        work = place / "work"
        work.mkdir()
        shutil.copy(HERE / "pandas.txt", work)
        clients = {"pip": f"{_SYSTEM} {_PIP}"}
        if install(place / "u", "uv.txt"):
            shutil.copy(place / "u" / "bin" / "uv", work / "uv")
            clients["uv"] = _UV.format(python=_SYSTEM)
        with Daemon(daemon.cleanroom, base(), _settings(peers, [])) as own:
            for client, words in clients.items():
                command = f"{words} {_LOCKED.format(target='./t')}"
                values[client], is_quick = _pandas_by(own, work, command, peers)
                holds = holds and is_quick
    return Figure(
        "pandas from its lock, warm", "gateway CPU <= 0.15 s; wall <= devpi", values, holds
    )


def _pandas_by(
    daemon: Daemon, work: Path, command: str, peers: Sequence[Peer]
) -> tuple[dict[str, Any], bool]:
    ours = _ours(daemon, work, command, _registry("pypi", _pypi_hosts(), "pandas.txt"))
    ways = [ours]
    for peer in peers:
        name = _name(peer.name)
        there = peer.address.replace("127.0.0.1", name)
        allowed = {"PIP_TRUSTED_HOST": name, "UV_INSECURE_HOST": name}
        words = (f"{key}={value}" for key, value in (_index(there) | allowed).items())
        ways.append(_reached(daemon, work, peer, f"env {' '.join(words)} {command}"))
        run = outside(work, command, _index(peer.address))
        ways.append(Way(f"{peer.name}, host", run, {"server": peer.cpu_s}))
    in_turns(found := warmed(ways), ROUNDS)
    if ours not in found:
        return _values(found, ways), False
    is_quick = ours.spent_s("gateway") <= 0.15
    beside = [way for way in found if way.name == "devpi, sandbox"]
    is_quick = is_quick and any(ours.wall_s <= way.wall_s for way in beside)
    return _values(found, ways), is_quick


def _index(address: str) -> dict[str, str]:
    return {"PIP_INDEX_URL": address, "UV_DEFAULT_INDEX": address, **_PATIENT}


def _or_absent(name: str, case: Callable[[Daemon], Figure], daemon: Daemon) -> Figure:
    """Measure, or say why that cannot be: a registry is asked, which may be out of reach."""
    try:
        return case(daemon)
    except (OSError, subprocess.SubprocessError) as error:
        return Figure(name, "", {"absent": str(error)[:200]}, None)


def _values(found: Iterable[Way], ways: Iterable[Way]) -> dict[str, Any]:
    measured = {way.name: way.values() for way in found}
    return {way.name: measured.get(way.name, "absent") for way in ways} | {"trees in": base()}


# --- ways ------------------------------------------------------------------------------------


def _ours(daemon: Daemon, work: Path, command: str, policy: str) -> Way:
    return Way("cleanroom", _ours_in(daemon, work, command, policy), own_servers(daemon))


def _ours_in(daemon: Daemon, work: Path, command: str, policy: str) -> Callable[[], float]:
    return inside(daemon, _policed(work, "ours", policy), command)


def _reached(
    daemon: Daemon, work: Path, peer: Peer, command: str, *, with_tls: bool = False
) -> Way:
    port = peer.tls_port if with_tls else peer.port
    kind = " with TLS" if with_tls else ""
    tree = _policed(work, f"{peer.name}{port}", _network([(_name(peer.name), port)]))
    servers = {"server": peer.cpu_s, **own_servers(daemon)}
    return Way(f"{peer.name}{kind}, sandbox", inside(daemon, tree, command), servers)


def _emptied(daemon: Daemon, run: Callable[[], float]) -> Callable[[], float]:
    """Return what empties the content cache first, which takes milliseconds."""

    def emptied() -> float:
        daemon.call("POST", "/v1/cache/prune", {"keep_bytes": 0})
        return run()

    return emptied


def _npm_from(address: str) -> str:
    return f"{_NPM} --registry {address} --replace-registry-host=always"


# --- what they need --------------------------------------------------------------------------


@contextmanager
def _world() -> Iterator[tuple[Path, list[Peer]]]:
    """Yield a folder and the list of peers that are to be ended."""
    with folder() as place, ExitStack() as stack:
        peers: list[Peer] = []
        stack.callback(_stop, peers)
        yield place, peers


def _stop(peers: Iterable[Peer]) -> None:
    for peer in peers:
        peer.stop()


def _there(*found: Peer | None) -> list[Peer]:
    return [each for each in found if each is not None]


def _name(peer: str) -> str:
    """The name under which sandboxes see a peer."""
    return f"{peer}.peer.test"


def _settings(peers: Iterable[Peer], trust: Iterable[Path]) -> str:
    services = {
        f"{_name(peer.name)}:{port}": f"127.0.0.1:{port}"
        for peer in peers
        for port in (peer.port, peer.tls_port)
        if port
    }
    return json.dumps({"gateway": {"host_services": services, "trust": [*map(str, trust)]}})


def _policed(work: Path, name: str, policy: str) -> Path:
    """Return a copy of a tree with a policy."""
    tree = work.parent / name
    if not tree.exists():
        shutil.copytree(work, tree)
        (tree / "cleanroom.yaml").write_text(policy)
    return tree


def _registry(manager: str, hosts: list[str], lock: str) -> str:
    return f"""version: 1
registries:
  {manager}:
    enable: true
    allowed_hosts: [{", ".join(hosts)}]
    lockfile_enforcement: {{enabled: true, mode: deny_unknown, lockfiles: [{lock}]}}
"""


def _network(places: Iterable[tuple[str, int]]) -> str:
    allow = [{"host": host, "ports": [port]} for host, port in places]
    return json.dumps({"version": 1, "sandbox": {"network": {"allow": allow}}})


def _npm_tree(work: Path, registry: str) -> tuple[Path, int]:
    """Make the tree, whose lock says of each package where this machine's registry has it."""
    shutil.copytree(HERE / "packages", work)
    lock = work / "package-lock.json"
    document = json.loads(lock.read_text())
    packages = {path: each for path, each in document["packages"].items() if path}
    for path, each in packages.items():
        name = each.get("name", path.rpartition("node_modules/")[2])
        file = f"{name.rpartition('/')[2]}-{each['version']}.tgz"
        each["resolved"] = f"{registry}{name}/-/{file}"
    lock.write_text(json.dumps(document, indent=1))
    return work, len(packages)


def _hosts(registry: str) -> list[str]:
    return [str(urlsplit(registry).hostname)]


def _pypi_hosts() -> list[str]:
    asked = (
        "from pip._internal.models.index import PyPI\nfrom urllib.parse import urlsplit\n"
        "print(urlsplit(PyPI.simple_url).hostname, PyPI.file_storage_domain)"
    )
    said = subprocess.run(
        [sys.executable, "-c", asked], check=True, capture_output=True, text=True
    ).stdout
    return said.split()


def main() -> int:
    """Print these figures alone, of the `cleanroom` beside this Python."""
    chosen = [case for case in CASES if case.__name__ in sys.argv[1:]] or CASES
    with Daemon(Path(sys.executable).parent / "cleanroom") as daemon:
        for case in chosen:
            print(case(daemon), flush=True)
    return 0


CASES = (python_installs, npm_installs, npm_cold)

if __name__ == "__main__":
    sys.exit(main())
