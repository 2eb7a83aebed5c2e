"""What lock files say of a registry's packages, to be looked up.

In: a registry's policy, its grammar. Out: what holds a version or a file. Never: a look at all of a
lock file for one request: its repository writes as many entries as may be read, and every sandbox
of a gateway would wait.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from cleanroom.decide.grammar import Grammar
from cleanroom.policy.artifact_pin import ArtifactPin
from cleanroom.policy.model import RegistryPolicy, UnpinnedArtifact

_STRENGTH: Final = {"sha512": 3, "sha384": 2, "sha256": 1, "h1": 1, "sha1": 0}
_FIRST_SEEN: Final = "first-seen"

_Key = tuple[str, str]  # name and version, or name and file, each in its one spelling


class Hold(msgspec.Struct, frozen=True, gc=False):  # many, as pins
    """What pins say of one version or file: where that stands, and the digests that count."""

    source: str
    digests: tuple[str, ...]
    is_first_seen: bool


class Names(Protocol):
    """The names of packages, in order."""

    def after(self, name: str) -> str:
        """Return the first that is not before `name`, "" if there is none."""
        ...


class SortedNames(tuple[str, ...]):
    """Implements Names; they are sorted."""

    __slots__ = ()

    def after(self, name: str) -> str:
        """Implement Names."""
        at = bisect_left(self, name)
        return self[at] if at < len(self) else ""


@dataclass(frozen=True, slots=True)
class Locked:
    """All that is locked of one registry."""

    grammar: Grammar
    holds: Mapping[_Key, Hold]
    names: Names
    versions: Collection[_Key]  # as they are written
    unpinned: Mapping[_Key, UnpinnedArtifact]

    def hold(self, name: str, version: str, file: str) -> Hold | None:
        """Return what holds a file: by its own name, else by its version, "" if it says none."""
        by_file = self.holds.get((name, f"/{file}"))
        if by_file is not None or not version:
            return by_file
        return self.holds.get((name, self.grammar.version(version)))

    def why_unpinned(self, name: str, version: str) -> str:
        """Return why an entry holds nothing, "" if there is no such entry."""
        found = self.unpinned.get((name, self.grammar.version(version)))
        return found.reason if found is not None else ""

    def has(self, name: str) -> bool:
        """Tell whether any version of a package is pinned."""
        return self.names.after(name) == name

    def leads_to(self, name: str) -> bool:
        """Tell whether it is a package that is pinned, or lies above one."""
        return self.has(name) or self.names.after(f"{name}/").startswith(f"{name}/")


def index_locked(policy: RegistryPolicy, grammar: Grammar) -> Locked:
    """Index what lock files say; to be done once, and where nobody waits."""
    is_held = policy.lockfile.in_force != "off"
    pins = policy.artifact_allowlist if is_held else ()
    found: dict[_Key, list[ArtifactPin]] = {}
    for pin in pins:
        found.setdefault(_key(grammar, pin), []).append(pin)
    unpinned: dict[_Key, UnpinnedArtifact] = {}
    for entry in policy.unpinned:
        unpinned.setdefault((grammar.name(entry.name), grammar.version(entry.version)), entry)
    # Pins come in order, so that these nearly are, and to sort them is quick.
    names = SortedNames(sorted(dict.fromkeys(name for name, _ in found)))
    holds: dict[_Key, Hold] = {}
    while found:  # one after the other is let go of: all at once they would be one long step
        key, every = found.popitem()
        holds[key] = _join(every)
    return Locked(
        grammar,
        holds,
        names,
        frozenset((pin.name, pin.version) for pin in pins),
        unpinned,
    )


def digest_pins(policy: RegistryPolicy) -> str:
    """Return what is the same for equal pins of a registry."""
    digest = hashlib.sha256()
    for pin in policy.artifact_allowlist:
        digest.update(repr(pin.meaning).encode())
    return digest.hexdigest()


def _key(grammar: Grammar, pin: ArtifactPin) -> _Key:
    name, file = grammar.name(pin.name), grammar.file(pin)
    # One that names its file is no pin of the version's other files.
    return (name, f"/{file}") if file else (name, grammar.version(pin.version))


def _join(pins: list[ArtifactPin]) -> Hold:
    said: Collection[str] = pins[0].digests
    is_first_seen = pins[0].strength == _FIRST_SEEN
    if len(pins) > 1:
        said = {digest for pin in pins for digest in pin.digests}
        is_first_seen = all(pin.strength == _FIRST_SEEN for pin in pins)
    return Hold(pins[0].source, _strongest(said), is_first_seen)


def _strongest(digests: Collection[str]) -> tuple[str, ...]:
    """Return the digests of the strongest algorithm that any pin has; the others say less."""
    # Nearly all say one, and there may be very many.
    if len(digests) == 1 and next(iter(digests)).partition(":")[0] in _STRENGTH:
        return tuple(digests)
    known = {each: _STRENGTH.get(each.partition(":")[0], -1) for each in digests}
    best = max(known.values(), default=-1)
    return tuple(sorted(each for each, rank in known.items() if rank == best >= 0))
