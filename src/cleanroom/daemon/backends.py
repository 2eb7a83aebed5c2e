"""Which backend runs a policy: the one that is named, if it proves all that is needed.

In: a policy, a caller's flags, probes. Out: a Place. Never: another backend than the named one, or
one that did not prove everything.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from cleanroom.api.policy_types import MissingCapability
from cleanroom.api.types import RunOptions
from cleanroom.backends.base import Backend, Probe
from cleanroom.daemon import needs
from cleanroom.errors import Code, Refused, UserError
from cleanroom.policy.demands import Capability
from cleanroom.policy.model import CompiledPolicy

KNOWN: Final = ("local", "sprites", "docker", "kubernetes")

# What the daemon itself enforces for every backend.
_OWN: Final = frozenset({Capability.LIMIT_OUTPUT, Capability.MISE_BOOTSTRAP})
# What it enforces with a content cache that works, for every backend whose TLS can be opened.
_WITH_CACHE: Final = Capability.REGISTRY_ENFORCEMENT


@dataclass(frozen=True, slots=True)
class Place:
    """Where a policy would run: `missing` says what is not proven there."""

    name: str
    backend: Backend
    needs: frozenset[Capability]
    missing: list[MissingCapability]


class Backends:
    """The backends of this host. A probe is remembered while the daemon lives.

    `prove_cache` tries the content cache: "", or why it does not work. It blocks.
    """

    def __init__(self, present: Mapping[str, Backend], prove_cache: Callable[[], str]) -> None:
        self._present = dict(present)
        self._prove_cache = prove_cache
        self._is_cache_proven = False
        self._probes: dict[str, Probe] = {}

    @property
    def present(self) -> Mapping[str, Backend]:
        """The backends that this daemon can use, by name."""
        return self._present

    async def probe(self, name: str, *, fresh: bool = False) -> Probe:
        """Return what a present backend proved."""
        if fresh or name not in self._probes:
            probe = await self._present[name].probe()
            if not probe.ready:
                return probe  # asked again next time: the person may be repairing the host
            self._probes[name] = replace(probe, capabilities=probe.capabilities | _OWN)
        return await self._with_registries(self._probes[name])

    async def _with_registries(self, probe: Probe) -> Probe:
        if Capability.TLS_INSPECTION not in probe.capabilities:
            return probe
        why = "" if self._is_cache_proven else await asyncio.to_thread(self._prove_cache)
        self._is_cache_proven = not why
        if why:
            return replace(probe, missing={**probe.missing, str(_WITH_CACHE): why})
        missing = {each: why for each, why in probe.missing.items() if each != _WITH_CACHE}
        return replace(probe, capabilities=probe.capabilities | {_WITH_CACHE}, missing=missing)

    async def that_proves(self, policy: CompiledPolicy, options: RunOptions) -> Place:
        """Return where to run. Raises UserError, Refused(backend_unavailable, …_mismatch)."""
        place = await self.place(policy, options)
        probe = await self.probe(place.name)
        if not probe.ready:
            raise _not_ready(place.name, probe)
        if place.missing:
            raise needs.refusal(place.name, place.missing)
        return place

    async def place(self, policy: CompiledPolicy, options: RunOptions) -> Place:
        """Return where it would run, whether it can or not. Raises as `that_proves` for names."""
        name = self._named(policy, options.backend)
        floor = needs.isolation_floor(policy, options.isolation)
        needed = needs.needs_of(policy, floor)
        probe = await self.probe(name)
        missing = [
            each
            for each in needs.missing(policy, needed, probe)
            if Capability(each.capability) not in _OWN
        ]
        return Place(name, self._present[name], needed - _OWN - {_WITH_CACHE}, missing)

    def _named(self, policy: CompiledPolicy, asked: str | None) -> str:
        wanted = policy.backends.default
        if asked is not None and asked != wanted and not policy.backends.allow_overrides:
            message = f"cannot use '{asked[:40]}': the policy says backends.allow_overrides: false"
            raise Refused(Code.BACKEND_UNAVAILABLE, message, f"it runs on '{wanted}' only")
        name = asked or wanted
        if name in self._present:
            return name
        if name in KNOWN:
            message = f"cannot use the backend '{name}': it is not built yet"
            raise Refused(Code.BACKEND_UNAVAILABLE, message, f"present: {self._names()}")
        message = f"cannot use the backend '{name[:40]}': there is none of this name"
        raise UserError(Code.BACKEND_UNAVAILABLE, message, f"present: {self._names()}")

    def _names(self) -> str:
        return ", ".join(sorted(self._present))


def _not_ready(name: str, probe: Probe) -> Refused:
    lacking = dict(probe.missing)  # a capability that is lacking stops only who needs it
    stops = {step: why for step, why in lacking.items() if step not in set(Capability)} or lacking
    listed = "; ".join(f"{step}: {why}" for step, why in stops.items())
    message = f"cannot start sandboxes on '{name}': {listed or 'its probe failed'}"
    return Refused(Code.BACKEND_UNAVAILABLE, message, "run: cleanroom doctor")
