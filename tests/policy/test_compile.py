import dataclasses
import itertools
import re
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from cleanroom.errors import Code
from cleanroom.policy import compile as compile_module
from cleanroom.policy.artifact_pin import ArtifactPin
from cleanroom.policy.compile import compile_nothing, compile_policy
from cleanroom.policy.model import CompiledPolicy, NetworkPolicy, Place, Rule, RuleKind
from cleanroom.policy.parse import parse_policy
from cleanroom.policy.problems import PolicyErrors
from cleanroom.policy.written import Policy
from tests.policy.reading import PATH, compiled, network, said_of
from tests.policy.test_parse import MISSION


def test_a_compiled_policy_has_a_hash_and_knows_its_file() -> None:
    policy = compiled(MISSION)
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", policy.policy_hash)
    assert policy.source_path == PATH
    assert [rule.value for rule in policy.network.allow_rules] == ["api.github.com", "npm.example"]
    assert policy.network.default_action == "deny"


def test_no_file_means_no_egress() -> None:
    policy = compile_nothing()
    assert policy.network == NetworkPolicy()
    assert policy.source_path == ""
    assert policy.policy_hash == compiled("version: 1").policy_hash


def test_the_hash_is_the_same_tomorrow() -> None:
    """A change here invalidates every approval people gave: it must be on purpose."""
    wanted = "sha256:750ce54df4fea417edc9a02362cb3ac8ba0237bd5355d6520022bc8c4ba0edf2"
    assert compiled(MISSION).policy_hash == wanted


SAME = [
    (network("{host: a.example}"), network("{host: A.EXAMPLE., ports: [443, 80, 443]}")),
    (
        network("{host: a.example, ports: [80]}", "{host: b.example}"),
        network("{host: b.example}", "{host: a.example, ports: [80]}"),
    ),
    (
        network("{host: a.example, ports: [80, 443]}"),
        network("{host: a.example, ports: [443]}", "{host: a.example, ports: [80]}"),
    ),
    (network("{host: a.example}"), network("{host: a.example, inspect: false, ech: deny}")),
    (network("{host: 192.0.2.1}"), network("{host: 192.0.2.1/32}")),
    (network("{host: bücher.example}"), network("{host: xn--bcher-kva.example}")),
    ("version: 1", "version: 1\nsandbox: {ttl_minutes: 30, isolation: namespaces}"),
    ("version: 1", "version: 1\nproject: {name: x}\nmetadata: {team: a}"),
    ("version: 1", "version: 1\nregistries: {npm: {enable: false, allowed_hosts: [a.example]}}"),
    ("version: 1", "version: 1\nsandbox: {mise: {config_files: [x]}}"),
    (
        "version: 1\nregistries: {npm: {enable: true, allowed_hosts: [a.example, b.example]}}",
        "version: 1\nregistries: {npm: {enable: true, allowed_hosts: [b.example, a.example],"
        " lockfile_enforcement: {mode: warn, lockfiles: [x]}}}",
    ),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_meaning_has_the_same_hash(one: str, other: str) -> None:
    assert compiled(one).policy_hash == compiled(other).policy_hash


DIFFERENT = [
    "version: 1",
    network("{host: a.example}"),
    network("{host: a.example}", section="deny"),
    network("{host: a.example, ports: [80]}"),
    network("{host: '*.a.example'}"),
    network("{host: a.example, inspect: true}"),
    network("{host: a.example, ech: allow}"),
    network("{host: 192.0.2.0/24}"),
    "version: 1\nsandbox: {ttl_minutes: 31}",
    "version: 1\nsandbox: {isolation: vm}",
    "version: 1\nsandbox: {image: a}",
    "version: 1\nsandbox: {resources: {pids: 99}}",
    "version: 1\nsandbox: {mise: {enabled: true}}",
    "version: 1\nsandbox: {mise: {enabled: true, config_files: [x]}}",
    "version: 1\nbackends: {default: sprites}",
    "version: 1\nbackends: {allow_overrides: false}",
    "version: 1\nregistries: {npm: {enable: true, allowed_hosts: [a.example]}}",
    "version: 1\nregistries: {npm: {enable: true, allowed_hosts: [a.example], fallback: direct}}",
    "version: 1\nregistries: {npm: {enable: true, allowed_hosts: [a.example],"
    " lockfile_enforcement: {enabled: true, lockfiles: [x]}}}",
    "version: 1\nregistries: {pypi: {enable: true, allowed_hosts: [a.example]}}",
    "version: 1\nsecrets: [{id: a, env: A, allowed_hosts: [a.example]}]",
    "version: 1\nsecrets: [{id: a, env: A, allowed_hosts: [a.example], in: [query]}]",
    "version: 1\nsecrets: [{id: a, env: A, allowed_hosts: [a.example], required: false}]",
]


def test_every_other_meaning_has_another_hash() -> None:
    hashes = [compiled(text).policy_hash for text in DIFFERENT]
    for one, other in itertools.combinations(range(len(hashes)), 2):
        assert hashes[one] != hashes[other], (DIFFERENT[one], DIFFERENT[other])


def with_pins(*pins: ArtifactPin) -> CompiledPolicy:
    policy = parse_policy("version: 1\nregistries: {npm: {enable: true, allowed_hosts: [a.b]}}", "")
    [registry] = policy.registries
    registry = dataclasses.replace(registry, artifact_allowlist=pins)
    return compile_policy(dataclasses.replace(policy, registries=(registry,)))


def test_what_a_pin_means_is_part_of_the_hash_and_where_it_stands_is_not() -> None:
    pin = ArtifactPin("a", "1", digests=("sha256:00",), source="x:1")
    assert with_pins().policy_hash != with_pins(pin).policy_hash
    moved = structs.replace(pin, source="x:2")
    assert with_pins(moved).policy_hash == with_pins(pin).policy_hash
    weaker = structs.replace(pin, strength="first-seen")
    assert with_pins(weaker).policy_hash != with_pins(pin).policy_hash


NPM = """version: 1
registries:
  npm: {enable: true, allowed_hosts: [h.test]}
"""


def test_many_pins_are_hashed_as_one_list(monkeypatch: pytest.MonkeyPatch) -> None:
    said = '"pins":[]'
    pins = tuple(ArtifactPin(f"{said}{number}", said) for number in range(5))
    (npm,) = parse_policy(NPM, PATH).registries
    policy = dataclasses.replace(
        parse_policy(NPM, PATH),
        registries=(
            dataclasses.replace(npm, artifact_allowlist=pins, cache_ref=said),
            dataclasses.replace(npm, manager="cargo", artifact_allowlist=pins[:1]),
            dataclasses.replace(npm, manager="go", artifact_allowlist=()),
            dataclasses.replace(npm, manager="pypi", artifact_allowlist=pins[:3], enabled=False),
        ),
    )
    wanted = compile_policy(policy).policy_hash
    for part in (1, 2, 5, 6):
        monkeypatch.setattr(compile_module, "_PART", part)
        assert compile_policy(policy).policy_hash == wanted
    assert wanted == "sha256:1371275a8a54dd0cc3cda71ec1abbcc6cba106aa3844abc518d49e1261d47d38"


def test_a_contradiction_is_a_conflict_with_both_lines() -> None:
    text = network("{host: a.example}") + "    deny:\n    - {host: A.example, ports: [443]}\n"
    assert said_of(text) == ["5:14 cannot allow 'a.example' on port 443: line 7 denies it"]
    with pytest.raises(PolicyErrors) as refused:
        compiled(text)
    assert refused.value.code is Code.POLICY_CONFLICT


def test_two_secrets_may_not_share_a_name_or_a_variable() -> None:
    one = "{id: a, env: A, allowed_hosts: [a.example]}"
    other = "{id: a, env: A, allowed_hosts: [b.example]}"
    assert said_of(f"version: 1\nsecrets:\n- {one}\n- {other}") == [
        "4:8 cannot bind two secrets with id 'a'",
        "4:8 cannot bind two secrets with env 'A'",
    ]


def test_lists_are_sorted_sets() -> None:
    text = """\
version: 1
registries:
  npm: {enable: true, allowed_hosts: [b.example, a.example, b.example]}
secrets:
- {id: z, env: Z, allowed_hosts: [b.example, a.example], in: [query, header], ports: [9, 8]}
- {id: b, env: B, allowed_hosts: [a.example], paths: [/b, /a], methods: [PUT, GET]}
"""
    policy = compiled(text)
    assert policy.registries[0].allowed_hosts == ("a.example", "b.example")
    first, last = policy.secrets
    assert (first.secret_id, first.paths, first.methods) == ("b", ("/a", "/b"), ("GET", "PUT"))
    assert (last.allowed_hosts, last.target) == (("a.example", "b.example"), ("header", "query"))
    assert last.ports == (8, 9)


HOSTS = st.sampled_from(["a.example", "b.example", "c.a.example"])
RULES = st.builds(
    Rule,
    kind=st.sampled_from([RuleKind.EXACT, RuleKind.WILDCARD]),
    value=HOSTS,
    ports=st.lists(st.sampled_from([22, 80, 443]), min_size=1, unique=True).map(
        lambda ports: tuple(sorted(ports))
    ),
    place=st.builds(Place, st.integers(1, 99), st.integers(1, 9)),
)


def with_rules(rules: tuple[Rule, ...]) -> Policy:
    policy = parse_policy("version: 1", PATH)
    sandbox = dataclasses.replace(policy.sandbox, network=NetworkPolicy(rules))
    return dataclasses.replace(policy, sandbox=sandbox)


@given(st.lists(RULES, max_size=12), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_the_order_of_rules_means_nothing(rules: list[Rule], random: Random) -> None:
    shuffled = rules.copy()
    random.shuffle(shuffled)
    assert compile_policy(with_rules(tuple(rules))) == compile_policy(with_rules(tuple(shuffled)))


@given(st.lists(RULES, max_size=12))
@settings(max_examples=100, deadline=None)
def test_compiling_what_was_compiled_changes_nothing(rules: list[Rule]) -> None:
    once = compile_policy(with_rules(tuple(rules)))
    assert compile_policy(with_rules(once.network.allow_rules)) == once
    granted = {(rule.kind, rule.value, port) for rule in rules for port in rule.ports}
    kept = {
        (rule.kind, rule.value, port) for rule in once.network.allow_rules for port in rule.ports
    }
    assert kept == granted
