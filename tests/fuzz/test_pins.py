"""Pins that were handed over as tables say what a look at each single pin says."""

import os
from random import Random
from typing import Final

import msgspec
import pytest

from cleanroom.decide.grammar import GRAMMARS
from cleanroom.decide.registries import Judged
from cleanroom.gateway import handover
from cleanroom.gateway.control import ControlError
from cleanroom.policy.artifact_pin import ArtifactPin
from cleanroom.policy.model import CompiledPolicy, LockfilePolicy, RegistryPolicy, UnpinnedArtifact
from tests.seeds import NIGHTLY, chance

POLICIES = 20_000 if NIGHTLY else 150
# Texts of which one is the other's beginning, its other spelling, or empty.
_WORDS: Final = (
    "", "a", "A", "a-", "a--b", "a_b", "a.b", "a/b", "a/b/c", "@s/a", "@s/A", "ab", "abc", "é",
    "É", "e\u0301", "\0", "a\0", "a\0\1", "a\0\0b", "\U0001f600", "x" * 300, "x" * 301,
    "1", "1.0", "1.0.0", "v1.0.0", "1.0+b", "1.0rc1", "a-1.0.tgz", "a-1.0.tar.gz", "zip", "go.mod",
)  # fmt: skip
_DIGESTS: Final = tuple(
    f"{kind}:{each * 8}"
    for kind in ("sha512", "sha384", "sha256", "sha1", "md5", "h1")
    for each in "ab"
)
_RANK: Final = {"sha512": 3, "sha384": 2, "sha256": 1, "h1": 1, "sha1": 0}


def word(random: Random) -> str:
    """Return one of them, or two in one."""
    return random.choice(_WORDS) + (random.choice(_WORDS) if random.randrange(4) == 0 else "")


def pin(random: Random, words: list[str]) -> ArtifactPin:
    """Return a pin of few words, so that several are of one version."""
    url = random.choice(("", "", f"https://h.test/{random.choice(words)}?a#b"))
    digests = tuple(random.sample(_DIGESTS, random.choice((0, 1, 1, 2, 8))))
    strength = random.choice(("lockfile", "lockfile", "first-seen"))
    name, version, file = (random.choice(words) for _ in range(3))
    file = file if random.randrange(2) else ""
    return ArtifactPin(name, version, file, url, digests, strength, f"l:{random.randrange(9)}")


def policy(random: Random, words: list[str]) -> RegistryPolicy:
    lock = LockfilePolicy(enabled=True, mode="deny_unknown", lockfiles=("l",))
    pins = tuple(pin(random, words) for _ in range(random.randrange(12)))
    unpinned = tuple(
        UnpinnedArtifact(random.choice(words), random.choice(words), str(number), "l:1")
        for number in range(random.randrange(4))
    )
    manager = random.choice(("npm", "pypi", "cargo", "go"))
    return RegistryPolicy(
        manager, enabled=True, allowed_hosts=("h.test",), lockfile=lock,
        artifact_allowlist=pins, unpinned=unpinned,
    )  # fmt: skip


def handed(registry: RegistryPolicy) -> bytes:
    """Return the file of a policy."""
    descriptor = handover.policy_file(CompiledPolicy("sha256:0", "", registries=(registry,)))
    data = os.pread(descriptor, 1 << 24, 0)
    os.close(descriptor)
    return data


def read(data: bytes) -> Judged:
    """Return what a file says. Raises ControlError."""
    descriptor = os.memfd_create("policy", os.MFD_ALLOW_SEALING)
    os.write(descriptor, data)
    handover.seal(descriptor)
    return handover.read_policy(descriptor)


def strongest(pins: list[ArtifactPin]) -> set[str]:
    said = {each for one in pins for each in one.digests if each.partition(":")[0] in _RANK}
    ranks = {each: _RANK[each.partition(":")[0]] for each in said}
    return {each for each in said if ranks[each] == max(ranks.values())}


def held(registry: RegistryPolicy, name: str, version: str, file: str) -> list[ArtifactPin]:
    """Return the pins that hold a file, by a look at each."""
    grammar = GRAMMARS[registry.manager]
    of_name = [each for each in registry.artifact_allowlist if grammar.name(each.name) == name]
    by_file = [each for each in of_name if grammar.file(each) == file != ""]
    return by_file or [
        each
        for each in of_name
        if version and not grammar.file(each)
        and grammar.version(each.version) == grammar.version(version)
    ]  # fmt: skip


@pytest.mark.timeout(0 if NIGHTLY else 300)
def test_what_is_looked_up_is_what_a_look_at_each_pin_says() -> None:
    for number in range(POLICIES):
        random = chance(number)
        words = [word(random) for _ in range(random.randint(1, 6))]
        registry = policy(random, words)
        grammar, pins = GRAMMARS[registry.manager], registry.artifact_allowlist
        locked = read(handed(registry)).registries["h.test"][""].locked
        near = [*words, *(word(random) for _ in range(3)), *(each[:-1] for each in words if each)]
        for _ in range(60):
            name, version, file = (random.choice(near) for _ in range(3))
            name = grammar.name(name)
            found, of = locked.hold(name, version, file), held(registry, name, version, file)
            case = f"{number} {registry.manager} {(name, version, file)}"
            assert (found is not None) == bool(of), case
            if found is not None:
                assert set(found.digests) == strongest(of), case
                assert found.source == of[0].source, case
                assert found.is_first_seen == all(each.strength == "first-seen" for each in of)
            names = {grammar.name(each.name) for each in pins}
            if name:
                assert locked.has(name) == (name in names), case
                above = any(each.startswith(f"{name}/") for each in names)
                assert locked.leads_to(name) == (name in names or above), case
            written = {(each.name, each.version) for each in pins}
            assert ((name, version) in locked.versions) == ((name, version) in written), case
            why = [
                each.reason for each in registry.unpinned
                if (grammar.name(each.name), grammar.version(each.version))
                == (name, grammar.version(version))
            ]  # fmt: skip
            assert locked.why_unpinned(name, version) == (why or [""])[0], case


@pytest.mark.timeout(0 if NIGHTLY else 300)
def test_a_file_that_is_cut_or_changed_is_read_or_refused_as_declared() -> None:
    refused = 0
    for number in range(POLICIES):
        random = chance(number)
        words = [word(random) for _ in range(4)]
        data = bytearray(handed(policy(random, words)))
        at = random.randrange(len(data))
        if random.randrange(2):
            del data[at : at + random.choice((1, 4, 200, len(data)))]
        else:
            data[at] ^= 1 << random.randrange(8)
        try:
            sites = read(bytes(data)).registries
        except ControlError:
            refused += 1
            continue
        for registry in (each for prefixes in sites.values() for each in prefixes.values()):
            for each in words:
                try:
                    registry.locked.hold(each, each, each)
                    registry.locked.leads_to(each)
                except (msgspec.DecodeError, ValueError):
                    refused += 1
    assert refused
