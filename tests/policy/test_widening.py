"""A policy that permits more is seen as such, whichever of its fields was turned (P5)."""

import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from cleanroom.policy import widening as module
from cleanroom.policy import widening_secrets
from cleanroom.policy.artifact_pin import ArtifactPin
from cleanroom.policy.compile import compile_nothing
from cleanroom.policy.model import CompiledPolicy, Place, SecretBinding
from cleanroom.policy.widening import difference, widening
from tests.policy.reading import compiled, network


def texts(old: str, new: str) -> list[str]:
    """Return what a new policy text permits beyond the old one."""
    return [change.text() for change in widening(compiled(old), compiled(new))]


def secret(more: str = "", hosts: str = "[api.example]") -> str:
    return f"version: 1\nsecrets: [{{id: gh, env: GH, allowed_hosts: {hosts}{more}}}]"


def npm(more: str = "", hosts: str = "[r.example]") -> str:
    return f"version: 1\nregistries: {{npm: {{enable: true, allowed_hosts: {hosts}{more}}}}}"


def box(words: str) -> str:
    return f"version: 1\nsandbox: {{{words}}}"


NOTHING = "version: 1"
DENIED = "\nsandbox: {network: {default: deny, deny: [{host: %s}]}}"
ALLOWED = "\nsandbox: {network: {default: deny, allow: [{host: %s}]}}"
LOCK = "lockfile_enforcement: {enabled: true, mode: %s, lockfiles: [%s]}"

TWO = "version: 1\nregistries: {npm: {enable: %s, allowed_hosts: [%s]}, git: {%s}}"
GIT = "enable: true, allowed_hosts: [r.example]"

# old, new, what is said of the step from old to new; the way back must say nothing.
WIDER = [
    (NOTHING, network("{host: a.example}"), ["host a.example on port 80, 443"]),
    (network("{host: a.example, ports: [80]}"), network("{host: a.example}"),
     ["host a.example on port 443"]),
    (network("{host: a.example}"), network("{host: a.example}", "{host: b.example}"),
     ["host b.example on port 80, 443"]),
    (network("{host: a.example, inspect: true}"), network("{host: a.example}"),
     ["host a.example on port 80, 443, looser: inspect"]),
    (network("{host: a.example}"), network("{host: a.example, ech: allow}"),
     ["host a.example on port 80, 443, looser: ech_allowed"]),
    (NOTHING, npm(), ["registry npm of r.example"]),
    (npm(), npm(hosts="[r.example, s.example]"), ["registries.npm.allowed_hosts: s.example"]),
    (npm() + DENIED % "r.example", npm(), ["host r.example on port 443"]),
    (npm(), npm() + ALLOWED % "r.example", ["host r.example on port 80"]),
    (npm(", " + LOCK % ("deny_unknown", "a.lock")), npm(),
     ["registries.npm.lockfile_enforcement.enabled: true -> false"]),
    (npm(", " + LOCK % ("deny_unknown", "a.lock")),
     npm(", " + LOCK % ("deny_unknown", "a.lock, b")),
     ["registries.npm.lockfile_enforcement.lockfiles: b"]),
    (npm(", " + LOCK % ("deny_unknown", "a.lock")), npm(", " + LOCK % ("warn", "a.lock")),
     ["registries.npm.lockfile_enforcement.mode: deny_unknown -> warn"]),
    (NOTHING, secret(), ["secret gh (GH) to api.example on port 443"]),
    (secret(), secret(hosts="[api.example, evil.example]"), ["secret gh to: evil.example"]),
    (secret(", paths: [/api]"), secret(", paths: [/apix]"), None),
    (secret(", paths: [/api]"), secret(), ["secret gh below path: any"]),
    (secret(", methods: [GET]"), secret(", methods: [GET, POST]"), ["secret gh with method: POST"]),
    (secret(", methods: [GET]"), secret(), ["secret gh with method: any"]),
    (secret(), secret(", in: [header, query]"), ["secret gh in: query"]),
    (secret(), secret(", ports: [443, 8443]"), ["secret gh on port: 8443"]),
    (secret(), secret(", ttl: 20m"), ["secret gh ttl: 900 -> 1200"]),
    (secret(", single_use: true"), secret(), ["secret gh single_use: true -> false"]),
    (secret(", on_violation: terminate"), secret(), ["secret gh on_violation: terminate -> block"]),
    (NOTHING, box("ttl_minutes: 31"), ["sandbox.ttl: 1800 -> 1860"]),
    (box("isolation: vm"), NOTHING, ["sandbox.isolation: vm -> namespaces"]),
    (box("resources: {memory: 1GiB}"), NOTHING,
     ["sandbox.resources.memory_bytes: 1073741824 -> not set"]),
    (box("resources: {pids: 10}"), box("resources: {pids: 11}"),
     ["sandbox.resources.pids: 10 -> 11"]),
    (NOTHING, box("mise: {enabled: true}"), ["sandbox.mise.enabled: not set -> true"]),
    (box("mise: {enabled: false}"), NOTHING, ["sandbox.mise.enabled: false -> not set"]),
    ("version: 1\nbackends: {allow_overrides: false}", NOTHING,
     ["backends.allow_overrides: false -> true"]),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "said"), WIDER)
def test_more_is_said_and_less_never_asks(old: str, new: str, said: list[str] | None) -> None:
    found = texts(old, new)
    if said is None:
        assert found == ["secret gh below path: /apix"]  # neither lies below the other
        assert texts(new, old) == ["secret gh below path: /api"]
    else:
        assert found == said
        assert texts(new, old) == []


# Both ways reach something that the other does not, whatever an order might suggest.
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (NOTHING, box("image: registry.example/a@sha256:" + 64 * "0")),
        (NOTHING, "version: 1\nbackends: {default: sprites}"),
        (secret(), secret(", header: X-Token")),
        (secret(), secret().replace("env: GH", "env: OTHER")),
        (network("{host: a.example}"), network("{host: b.example}")),
    ],
)
def test_something_else_is_asked_for_in_both_directions(old: str, new: str) -> None:
    assert texts(old, new)
    assert texts(new, old)


def test_a_difference_names_both_directions() -> None:
    found = difference(
        compiled(network("{host: a.example}")), compiled(network("{host: b.example}"))
    )
    assert [each.text() for each in found.wider] == ["host b.example on port 80, 443"]
    assert [each.text() for each in found.narrower] == ["host a.example on port 80, 443"]
    back = difference(compiled(box("ttl_minutes: 31")), compiled(NOTHING))
    assert [each.text() for each in back.narrower] == ["sandbox.ttl: 1860 -> 1800"]


def test_the_same_policy_differs_in_nothing() -> None:
    policy = compiled(secret())
    assert widening(policy, policy) == ()


def test_a_folder_without_a_policy_is_narrower_than_any() -> None:
    assert widening(compiled(network("{host: a.example}")), compile_nothing()) == ()


# --- P5: every field ----------------------------------------------------------------------

PINS = tuple(ArtifactPin(f"p{number}", "1.0", digests=("sha512:00",)) for number in range(10))


def with_pins(policy: CompiledPolicy, pins: tuple[ArtifactPin, ...]) -> CompiledPolicy:
    """Return the policy with other lock files."""
    registry = dataclasses.replace(policy.registries[0], artifact_allowlist=pins)
    digest = f"sha256:{hash(pins)}"
    return dataclasses.replace(policy, policy_hash=digest, registries=(registry,))


BASE = compiled(
    """version: 1
sandbox:
  ttl_minutes: 20
  isolation: gvisor
  resources: {memory: 1GiB, pids: 10, cpus: 1, disk: 1GiB, open_files: 100, output: 1MiB}
  mise: {enabled: true, auto_bootstrap: true, config_files: [mise.toml]}
  network:
    allow:
    - {host: a.example, ports: [443], inspect: true}
    - {host: '*.b.example', ports: [443], ech: allow}
    deny:
    - {host: x.b.example, ports: [443]}
    - {host: 192.0.2.0/24, ports: [443]}
registries:
  npm:
    enable: true
    allowed_hosts: [r.example]
    lockfile_enforcement: {enabled: true, mode: warn, lockfiles: [a.lock]}
secrets:
- {id: gh, env: GH, allowed_hosts: [a.example], header: X-Token, paths: [/api/], methods: [GET],
   ttl: 10m, single_use: true, on_violation: terminate, ports: [443, 8443], in: [header, query]}
backends: {default: local, allow_overrides: true}
"""
)
BASE = with_pins(BASE, PINS[:1])
UNORDERED = {
    "kind",
    "unpinned",
    "source",
    "place",
    "port_places",
    *module.NEUTRAL,
    *widening_secrets.NEUTRAL,
}
OTHER_WORDS = {
    "isolation": ("vm", "namespaces"),
    "default_action": ("allow",),
    "on_violation": ("block",),
    "mode": ("deny_unknown", "other"),
}


def others(name: str, value: object) -> Iterator[object]:
    """Yield values that a field of this name could have instead."""
    match value:
        case tuple():
            for index, item in enumerate(value):
                yield value[:index] + value[index + 1 :]
                for other in flipped(name, item):
                    yield (*value[:index], other, *value[index + 1 :])
        case bool():
            yield not value
        case int() | float():
            yield from (value + 1, value - 1)
        case str() if value == "192.0.2.0/24":
            yield "198.51.100.0/24"
        case str():
            yield from OTHER_WORDS.get(name, (f"{value}x",))
        case _:
            yield "something" if name != "cooldown_s" else 60


def flipped(name: str, value: object) -> Iterator[object]:
    """Yield `value` with one field below it turned, for every field and turn."""
    if isinstance(value, ArtifactPin):
        for field in value.__struct_fields__:
            for other in flipped(field, getattr(value, field)) if field not in UNORDERED else ():
                yield structs.replace(value, **{field: other})
        return
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        yield from others(name, value)
        return
    for each in dataclasses.fields(value):
        if each.name not in UNORDERED:
            for other in flipped(each.name, getattr(value, each.name)):
                yield dataclasses.replace(value, **{each.name: other})


FLIPPED = [
    dataclasses.replace(each, policy_hash=f"sha256:{number}")
    for number, each in enumerate(flipped("", BASE))
    if isinstance(each, CompiledPolicy)
    # a flag says how a connection is allowed: on a deny rule it says nothing
    and not any(rule.inspect or rule.ech_allowed for rule in each.network.deny_rules)
]


@pytest.mark.parametrize("policy", FLIPPED, ids=range(len(FLIPPED)))
def test_every_turned_field_asks_in_one_direction_at_least(policy: CompiledPolicy) -> None:
    assert widening(BASE, policy) or widening(policy, BASE)


def test_the_turned_fields_are_all_there_are() -> None:
    """A new field is in FLIPPED by itself, unless its value is one `others` cannot turn."""
    assert len(FLIPPED) > 70
    assert sorted(module.NEUTRAL) == sorted(
        {"policy_hash", "source_path", "labels", "required_capabilities"}
    )


def test_a_changed_lock_file_asks_for_the_packages_that_came() -> None:
    locked = compiled(npm(", " + LOCK % ("deny_unknown", "a.lock")))
    old, new = with_pins(locked, PINS[:1]), with_pins(locked, PINS)
    [change] = widening(old, new)
    assert change.text() == "registries.npm: packages " + ", ".join(
        [*(f"p{number} 1.0" for number in range(1, 9)), "and 1 more"]
    )
    assert not widening(new, old)
    other_bytes = structs.replace(PINS[0], digests=("sha512:11",))
    assert widening(old, with_pins(locked, (other_bytes,)))


def test_lock_files_that_begin_to_count_narrow() -> None:
    unlocked = compiled(npm())
    locked = with_pins(compiled(npm(", " + LOCK % ("deny_unknown", "a.lock"))), PINS)
    assert not widening(unlocked, locked)
    assert widening(locked, unlocked)


@dataclass(frozen=True, slots=True)
class LaterBinding(SecretBinding):
    """A binding with a field that this version knows nothing of."""

    audience: str = "one"


def test_a_field_that_nobody_ordered_asks_by_any_change() -> None:
    later = LaterBinding("gh", "GH", ("a.example",), place=Place())
    old = dataclasses.replace(BASE, secrets=(later,))
    changed = dataclasses.replace(later, audience="two")
    new = dataclasses.replace(BASE, policy_hash="sha256:other", secrets=(changed,))
    assert [each.text() for each in widening(old, new)] == ["secret gh.audience: one -> two"]


HOSTS = st.sampled_from(
    ["a.example", "*.a.example", "b.a.example", "*.b.a.example", "192.0.2.0/24"]
)
RULES = st.lists(st.tuples(HOSTS, st.sampled_from([443, 80])), max_size=4, unique=True)


@given(RULES, RULES, RULES)
@settings(max_examples=150, deadline=None)
def test_widening_steps_cannot_hide_behind_each_other(
    first: list[tuple[str, int]], second: list[tuple[str, int]], third: list[tuple[str, int]]
) -> None:
    """If neither step widens, neither does going from the first to the last at once."""

    def policy(rules: list[tuple[str, int]]) -> CompiledPolicy:
        return compiled(network(*(f"{{host: '{host}', ports: [{port}]}}" for host, port in rules)))

    for one, two, three in itertools.permutations(map(policy, (first, second, third))):
        if not widening(one, two) and not widening(two, three):
            assert not widening(one, three)


@pytest.mark.parametrize("rule", ["r.a.example", "'*.a.example'"])
@pytest.mark.parametrize("more", ["", ", ports: [443], inspect: true"])
def test_a_host_that_loses_its_registry_and_keeps_a_rule_is_asked_for(rule: str, more: str) -> None:
    """What held it to packages, and to reading them, is gone."""
    allowed = ALLOWED % f"{rule}{more}"
    held = npm(hosts="[r.a.example, index.example]") + allowed
    said = ["host r.a.example on port 443, past its registry"]
    assert texts(held, NOTHING + allowed) == said
    assert texts(held, held.replace("enable: true", "enable: false")) == said
    assert texts(held, npm(hosts="[index.example]") + allowed) == said
    assert texts(held, npm(hosts="[index.example]")) == []


@pytest.mark.parametrize(
    "less", [TWO % ("false", "r.example/npm", GIT), TWO % ("true", "s.example", GIT)]
)
def test_what_another_registry_has_as_no_path_of_it_is_named_any_more_is_wider(less: str) -> None:
    both = TWO % ("true", "r.example/npm, s.example", GIT)
    assert texts(both, less) == ["registry git of r.example/npm, past npm"]


def test_capitals_are_no_reason_to_pass_over_what_another_registry_has_now() -> None:
    """A server may not mind them: until now such a path had two readings."""
    git = GIT.replace("r.example", "r.example/API")
    both = TWO % ("true", "r.example/api/npm, s.example", git)
    less = TWO % ("true", "s.example", git)
    assert texts(both, less) == ["registry git of r.example/api/npm, past npm"]


def test_a_site_that_goes_with_nobody_to_have_it_is_not_wider() -> None:
    both = TWO % ("true", "r.example/npm, s.example", GIT)
    assert texts(both, TWO % ("true", "s.example", "enable: false")) == []
    assert texts(TWO % ("true", "r.example/a, r.example", ""), npm()) == []
    # Another manager's site is one of its allowed_hosts; that says it.
    moved = TWO % ("true", "s.example", GIT.replace("]", "/npm]"))
    before = TWO % ("true", "r.example/npm, s.example", "")
    assert texts(before, moved) == ["registry git of r.example/npm"]
