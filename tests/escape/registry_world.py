"""A world whose outside is registries, and sandboxes that have nothing but them.

In: a Home. Out: Registries: requests made in real sandboxes under lock files, and what came of it.
Never: a network rule; the policies here allow no host by themselves.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.escape.egress_world import Report, World
from tests.escape.registry_internet import (
    FETCH,
    ROOTS,
    Fetched,
    RegistryInternet,
    Script,
    sha256,
    unique,
)
from tests.escape.worlds import new_world

LOCKS: Final = {
    "npm": "package-lock.json",
    "pypi": "requirements.txt",
    "cargo": "Cargo.lock",
    "go": "go.sum",
}


def registry_policy(
    manager: str = "npm", hosts: str = "npm.test", mode: str = "deny_unknown", more: str = ""
) -> str:
    """Return a policy that has one registry and nothing else. `mode` "": no lock file counts."""
    held = f"lockfile_enforcement: {{enabled: true, mode: {mode}, lockfiles: [{LOCKS[manager]}]}}"
    return f"""\
version: 1
sandbox: {{network: {{default: deny, allow: []}}}}
registries:
  {manager}:
    enable: true
    allowed_hosts: [{hosts}]
    {held if mode else ""}
    {more}
"""


NPM: Final = registry_policy()
PYPI: Final = registry_policy("pypi", "index.test, files.test")
CARGO: Final = registry_policy("cargo", "index.test, files.test")
GO: Final = registry_policy("go", "mirror.test, index.test")


def asking(*requests: "tuple[Any, ...] | dict[str, Any]") -> str:
    """Return a program whose result is what each request got, one after the other.

    A tuple is host, path, method; a dictionary names the arguments of `fetch`.
    """
    named = [each if isinstance(each, dict) else _named(*each) for each in requests]
    return f"{FETCH}\nresult = [fetch(**each) for each in {named!r}]"


def _named(host: str, path: str, method: str = "GET") -> dict[str, Any]:
    return {"host": host, "path": path, "method": method}


@dataclass
class Registries:
    """A daemon, and the registries outside of it."""

    world: World

    @property
    def script(self) -> Script:
        """What they answer, and were asked."""
        return RegistryInternet.script

    def blob(self, data: bytes) -> Path:
        """Return where the content cache keeps it."""
        name = sha256(data)
        return self.world.home.cache / "cleanroom/content/cas/sha256" / name[:2] / name

    def keeps_any(self, begin: bytes) -> bool:
        """Tell whether a file of the content cache begins so."""
        files = (self.world.home.cache / "cleanroom/content").glob("**/*")
        return any(file.read_bytes().startswith(begin) for file in files if file.is_file())

    def warm(self, policy: str, lock: str, name: str = "") -> tuple[int, str, str]:
        """Fetch all that a lock file pins; return the command line's status, output and errors."""
        folder = self.world.home.home / unique("warm")
        folder.mkdir()
        (folder / "cleanroom.yaml").write_text(policy)
        (folder / (name or _lock_of(policy))).write_text(lock)
        process = self.world.command("cache", "warm", "-C", str(folder))
        out, err = process.communicate(timeout=120)
        return process.returncode, out.decode(), err.decode()

    def ask(self, policy: str, lock: str, *requests: "tuple[Any, ...] | dict[str, Any]") -> Report:
        """Make requests in a sandbox of its own; `lock` is its lock file."""
        return self.run(policy, asking(*requests), lock)

    def get(self, policy: str, lock: str, *paths: str, host: str = "npm.test") -> list[Fetched]:
        """Return what each path gives in a sandbox of its own."""
        found: list[Fetched] = self.ask(policy, lock, *((host, path) for path in paths)).result
        return found

    def serves_cold_and_warm(self, place: str, client: Callable[..., Report]) -> None:
        """A real client works in two sandboxes, one after the other; `place` is asked for once."""
        for _ in range(2):
            said = client()
            assert said.result[0] == 0, said.result[1]
            assert not said.denials()
        assert self.script.count(place) == 1

    def serves_offline_once_warmed(
        self, policy: str, lock: str, tells: str, client: Callable[..., Report]
    ) -> None:
        """A real client works with the registry gone, after `cache warm`, which tells so much."""
        status, out, err = self.warm(policy, lock)
        assert (status, out.partition(",")[0]) == (0, tells), err
        self.script.replies.clear()
        said = client(flags=("--offline",))
        assert said.result[0] == 0, said.result[1]

    def run(
        self,
        policy: str,
        program: str,
        lock: str,
        files: Mapping[str, str] | None = None,
        flags: tuple[str, ...] = (),
    ) -> Report:
        """Run a program in a sandbox of its own."""
        inside = {_lock_of(policy): lock, **(files or {})}
        return self.world.run(policy, program, *flags, files=inside)


def _lock_of(policy: str) -> str:
    return next(LOCKS[manager] for manager in LOCKS if f"  {manager}:" in policy)


@contextlib.contextmanager
def registries(
    config: str = "", internet: type[RegistryInternet] = RegistryInternet
) -> Iterator[Registries]:
    """Registries whose certificates the daemon trusts, taken down at the end."""
    with new_world(f"approvals: notice\n{config}", internet, ROOTS.certificate) as world:
        yield Registries(world)
