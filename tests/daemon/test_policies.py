"""Texts are compiled once, and what is odd about them is said."""

import pytest

from cleanroom.api.policy_types import PolicyText
from cleanroom.daemon.policies import NO_POLICY, SHADOWED, Policies, notes_of
from cleanroom.policy.problems import PolicyErrors


def test_the_same_text_is_compiled_once() -> None:
    policies = Policies()
    text = PolicyText(path="cleanroom.yaml", text="version: 1\n")
    assert policies.compile(text) is policies.compile(text)
    assert policies.compile(text).source_path == "cleanroom.yaml"


def test_no_policy_denies_everything_and_says_so() -> None:
    compiled = Policies().compile(PolicyText())
    assert compiled.network.allow_rules == ()
    assert notes_of(PolicyText()) == [NO_POLICY]


def test_a_shadowed_policy_is_said() -> None:
    text = PolicyText(path="cleanroom.yaml", text="version: 1\n", shadowed=True)
    assert notes_of(text) == [SHADOWED]


def test_a_wrong_text_is_wrong_each_time() -> None:
    policies = Policies()
    for _ in range(2):
        with pytest.raises(PolicyErrors):
            policies.compile(PolicyText(path="cleanroom.yaml", text="version: 2\n"))


def test_the_cache_is_bounded() -> None:
    policies = Policies()
    first = PolicyText(path="cleanroom.yaml", text="version: 1\n")
    compiled = policies.compile(first)
    for number in range(100):
        policies.compile(PolicyText(path=f"{number}.yaml", text="version: 1\n"))
    assert policies.compile(first) is not compiled
