"""Presets: spelled out, placed, part of the hash, never there by themselves."""

import pytest

from cleanroom.policy.compile import compile_policy
from cleanroom.policy.explain import explain
from cleanroom.policy.hosts import canonical_host
from cleanroom.policy.model import CompiledPolicy, Place
from cleanroom.policy.parse import parse_policy
from cleanroom.policy.presets import PRESETS, presets_with
from cleanroom.policy.suggest import Refusal, suggest_rules
from tests.policy.reading import PATH, said_of


def with_presets(*lines: str) -> str:
    return "\n".join(["version: 1", "sandbox:", "  network:", *(f"    {line}" for line in lines)])


def compiled(*lines: str) -> CompiledPolicy:
    return compile_policy(parse_policy(with_presets(*lines), PATH))


def test_a_preset_is_the_rules_that_it_spells() -> None:
    policy = compiled("presets: [mise:node]")
    assert [rule.rule_id for rule in policy.network.allow_rules] == [
        "mise-versions.jdx.dev:443",
        "nodejs.org:443",
    ]
    assert {rule.place for rule in policy.network.allow_rules} == {Place(4, 14, "mise:node")}
    by_hand = [
        f"  - {{host: {host}, ports: [443]}}" for host in ("nodejs.org", "mise-versions.jdx.dev")
    ]
    assert policy.policy_hash == compiled("allow:", *by_hand).policy_hash
    assert policy.policy_hash != compiled("presets: []").policy_hash


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_canonical_and_said_with_its_name(name: str) -> None:
    assert all(canonical_host(host) == host for host in PRESETS[name])
    said = "\n".join(explain(compiled(f"presets: ['{name}']")).lines())
    for host in PRESETS[name]:
        assert f"{host} on port 443 ({name}, line 4)" in said


def test_an_unknown_preset_is_a_mistake() -> None:
    [said] = said_of(with_presets("presets: [mise:nodee]"))
    assert said.startswith("4:15 cannot use 'mise:nodee' for sandbox.network.presets")


def test_a_deny_rule_against_a_preset_is_a_conflict() -> None:
    [said] = said_of(with_presets("presets: [mise:node]", "deny:", "  - host: nodejs.org"))
    assert "cannot allow 'nodejs.org' on port 443: line 6 denies it" in said


def test_a_refused_host_names_the_presets_that_have_it() -> None:
    suggestion = suggest_rules([Refusal("nodejs.org", 443)], compiled("presets: []"))
    assert [rule.rule_id for rule in suggestion.rules] == ["nodejs.org:443"]
    assert suggestion.notes == (
        "nodejs.org is one of the hosts that sandbox.network.presets: [mise:node] names",
    )
    assert presets_with("github.com") == ("mise:go", "mise:python", "mise:github")
    assert presets_with("mise-versions.jdx.dev") == ()
    assert suggest_rules([Refusal("nodejs.org", 8443)], compiled("presets: []")).notes == ()
