"""What is recorded of an approval: the whole policy, as lines.

In: a policy with who agreed and how. Out: bytes, and back. Never: all of its pins in one call, in
which no other thread could go on; a document that is understood in part.

The first line is everything but the pins; each other one is some pins of one registry. One line
alone, with the pins in it, is how earlier versions wrote it.
"""

from dataclasses import replace
from typing import Final, NamedTuple

import msgspec

from cleanroom.policy.artifact_pin import ArtifactPin
from cleanroom.policy.model import CompiledPolicy

_PART: Final = 1000


class Approved(msgspec.Struct, frozen=True):
    """One row's document. `how` is "first run", "narrower", "notice", "hash" or "approve"."""

    policy: CompiledPolicy
    who: str
    how: str
    agreed: dict[str, tuple[str, ...]] = {}  # secret -> hosts that a person agreed to


class _Pins(NamedTuple):
    registry: int
    pins: tuple[ArtifactPin, ...]


_DOCUMENT: Final = msgspec.json.Decoder(Approved)
_LINE: Final = msgspec.json.Decoder(_Pins)


def write_approved(approved: Approved) -> bytes:
    """Return the document."""
    policy = approved.policy
    bare = tuple(replace(each, artifact_allowlist=()) for each in policy.registries)
    rest = msgspec.structs.replace(approved, policy=replace(policy, registries=bare))
    lines = [msgspec.json.encode(rest)]
    for number, each in enumerate(policy.registries):
        pins = each.artifact_allowlist
        for start in range(0, len(pins), _PART):
            lines.append(msgspec.json.encode(_Pins(number, pins[start : start + _PART])))
    return b"\n".join(lines)


def read_approved(document: bytes) -> Approved:
    """Return what was recorded. Raises msgspec.DecodeError and what else is no document of it."""
    first, *lines = document.split(b"\n")
    rest = _DOCUMENT.decode(first)
    if not lines:
        return rest
    found: list[list[ArtifactPin]] = [[] for _ in rest.policy.registries]
    for number, pins in map(_LINE.decode, lines):
        found[number] += pins
    registries = tuple(
        replace(each, artifact_allowlist=tuple(pins))
        for each, pins in zip(rest.policy.registries, found, strict=True)
    )
    return msgspec.structs.replace(rest, policy=replace(rest.policy, registries=registries))
