"""What a policy reaches, in a few words: what a person sees before the first run in a folder.

In: a compiled policy. Out: Reach. Never: a kind of reach left out; long lists are cut and counted.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cleanroom.policy.merge import host_text
from cleanroom.policy.model import CompiledPolicy
from cleanroom.policy.widening_secrets import secret_text

_SHOWN: Final = 12  # entries of one kind


@dataclass(frozen=True, slots=True)
class Reach:
    """Hosts with ports, registries with hosts, secrets with where they go."""

    hosts: tuple[str, ...]
    registries: tuple[str, ...]
    secrets: tuple[str, ...]

    @property
    def is_nothing(self) -> bool:
        """Whether nothing outside can be reached."""
        return not (self.hosts or self.registries or self.secrets)

    def lines(self) -> tuple[str, ...]:
        """Return one line a kind."""
        return tuple(self._lines())

    def _lines(self) -> Iterator[str]:
        kinds = (("hosts", self.hosts), ("registries", self.registries), ("secrets", self.secrets))
        for kind, found in kinds:
            if found:
                rest = len(found) - _SHOWN
                more = f", and {rest} more (cleanroom policy explain)" if rest > 0 else ""
                yield f"{kind}: {', '.join(found[:_SHOWN])}{more}"


def reach_of(policy: CompiledPolicy) -> Reach:
    """Return what `policy` reaches."""
    return Reach(
        hosts=tuple(
            f"{host_text(rule)}:{','.join(map(str, rule.ports))}"
            for rule in policy.network.allow_rules
        ),
        registries=tuple(
            f"{each.manager} ({', '.join(each.allowed_hosts)})"
            for each in policy.registries
            if each.enabled
        ),
        secrets=tuple(map(secret_text, policy.secrets)),
    )
