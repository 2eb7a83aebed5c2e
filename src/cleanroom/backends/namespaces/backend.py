"""Sandboxes on Linux namespaces, by cleanroom-launch and bubblewrap.

In: a SandboxSpec and a Door. Out: a running sandbox, or one error and nothing left behind.
Never: a sandbox whose door is not attached, that runs as host root, or that is weaker than asked.
"""

import asyncio
from pathlib import Path

import cleanroom
from cleanroom.backends.base import Door, Probe
from cleanroom.backends.launcher import LaunchError
from cleanroom.backends.namespaces import hints, prober
from cleanroom.backends.namespaces.plan import Ids, make_plan
from cleanroom.backends.namespaces.running import NamespacesSandbox
from cleanroom.backends.namespaces.sockets import cover_sockets
from cleanroom.backends.namespaces.start import Host, attempt, place_of
from cleanroom.sandbox.spec import Overlay, SandboxSpec

BINARIES = Path(cleanroom.__file__).parent / "bin"


class NamespacesBackend:
    """Implements Backend."""

    def __init__(
        self,
        state_dir: Path,
        *,
        binaries: Path = BINARIES,
        bubblewrap: str | None = None,
    ) -> None:
        self._host = Host.here(state_dir, binaries, bubblewrap)
        self._probe: Probe | None = None
        self._probing = asyncio.Lock()

    @property
    def name(self) -> str:
        """The word of `--backend`."""
        return "local"

    async def probe(self) -> Probe:
        """Start a sandbox and look from inside; kept for this process once it was ready."""
        async with self._probing:
            if self._probe is None or not self._probe.ready:
                self._probe = await prober.probe(self._host, self._start)
            return self._probe

    async def start(self, spec: SandboxSpec, door: Door) -> NamespacesSandbox:
        """Start a sandbox."""
        hints.refuse_unproven(spec.needs, await self.probe())
        return await self._start(spec, door)

    async def reclaim(self, sandbox_id: str) -> None:
        """Remove what a killed daemon left."""
        await self._host.records.reclaim(sandbox_id, self._host.groups)

    def show_plan(self, spec: SandboxSpec) -> tuple[str, ...]:
        """Return what `start` would do, one step a line, for `--dry-run`. Changes nothing."""
        place, _ = place_of(self._host, spec, self._host.ids.example(), ())
        return tuple(" ".join((s.op, *s.arguments)) for s in make_plan(spec, place).steps)

    async def _start(self, spec: SandboxSpec, door: Door) -> NamespacesSandbox:
        """Start without asking what is proven: this is what the probe itself calls."""
        spec = cover_sockets(spec)
        try:
            try:
                return await attempt(self._host, spec, self._host.take_ids(spec), door)
            except LaunchError as error:
                # A file system that cannot be idmapped: as the owner of the files no map is needed.
                owner = owner_instead(spec, error)
                if owner is None:
                    raise
                return await attempt(self._host, spec, owner, door)
        except LaunchError as error:
            raise hints.explain(error, rootless=self._host.ids.rootless) from error


def owner_instead(spec: SandboxSpec, error: LaunchError) -> Ids | None:
    """Return whom to run as where the owner of the files cannot be mapped; None: do not run."""
    if error.step != "idmap":
        return None
    owners = {
        Ids(m.owner_uid, m.owner_gid)
        for m in spec.mounts
        if isinstance(m, Overlay) and m.upper is not None
    }
    # SECURITY: never host root, whoever owns the workspace.
    return owners.pop() if len(owners) == 1 and all(o.uid and o.gid for o in owners) else None
