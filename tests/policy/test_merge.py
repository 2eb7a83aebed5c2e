import pytest

from cleanroom.errors import Code
from cleanroom.policy.merge import host_text, merge_rules, refuse_conflicts
from cleanroom.policy.model import Place, Rule, RuleKind
from cleanroom.policy.problems import PolicyErrors


def exact(host: str, *ports: int, line: int = 1, inspect: bool = False) -> Rule:
    return Rule(RuleKind.EXACT, host, ports, inspect, place=Place(line, 9))


def test_rules_of_one_host_become_one_and_every_port_keeps_its_line() -> None:
    rules = merge_rules([exact("a", 443, line=7), exact("a", 80, 443, line=3)], "c")
    assert rules == (exact("a", 80, 443),)
    assert [rules[0].place_of(port).line for port in (80, 443)] == [3, 7]
    assert rules[0].place.line == 3


def test_other_kinds_and_other_flags_stay_apart() -> None:
    wildcard = Rule(RuleKind.WILDCARD, "a", (443,))
    rules = merge_rules([exact("a", 443), wildcard, exact("a", 80, inspect=True)], "c")
    assert len(rules) == 3


def test_a_port_with_two_settings_is_a_conflict() -> None:
    twice = [exact("a", 443, line=3), exact("a", 80, 443, line=9, inspect=True)]
    with pytest.raises(PolicyErrors, match="c:9:9: cannot allow 'a' on port 443 twice") as refused:
        merge_rules(twice, "c")
    assert refused.value.code is Code.POLICY_CONFLICT


def test_allowing_and_denying_the_same_thing_is_a_conflict() -> None:
    message = "c:3:9: cannot allow 'a' on port 443: line 9 denies it"
    with pytest.raises(PolicyErrors, match=message) as refused:
        refuse_conflicts([exact("a", 80, 443, line=3)], [exact("a", 22, 443, line=9)], "c")
    assert refused.value.code is Code.POLICY_CONFLICT


def test_another_port_or_a_wider_rule_is_no_conflict() -> None:
    wildcard = Rule(RuleKind.WILDCARD, "a", (443,))
    refuse_conflicts([exact("a", 443)], [exact("a", 80), wildcard], "c")


def test_a_target_is_written_as_the_file_writes_it() -> None:
    assert host_text(Rule(RuleKind.WILDCARD, "a.example", (1,))) == "*.a.example"
    assert host_text(exact("a.example", 1)) == "a.example"
