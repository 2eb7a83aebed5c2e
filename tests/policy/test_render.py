import pytest

from cleanroom.policy.model import Rule, RuleKind
from cleanroom.policy.render import block_rule, flow_rules, quoted_text
from tests.policy.reading import compiled

RULES = [
    Rule(RuleKind.EXACT, "a.example", (443,)),
    Rule(RuleKind.EXACT, "no", (80, 443)),
    Rule(RuleKind.WILDCARD, "a.example", (443,)),
    Rule(RuleKind.NETWORK, "192.0.2.0/24", (22,)),
    Rule(RuleKind.NETWORK, "2001:db8::1", (22,)),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.rule_id)
def test_a_rule_is_written_as_the_parser_reads_it(rule: Rule) -> None:
    head = "version: 1\nsandbox:\n  network:\n    allow:"
    block = "\n".join([head, *block_rule(rule, "      ")])
    assert compiled(block).network.allow_rules == (rule,)
    assert compiled(f"{head} [{flow_rules([rule])}]").network.allow_rules == (rule,)


def test_a_plain_host_is_written_plainly() -> None:
    assert block_rule(RULES[0], "  ") == ["  - host: a.example", "    ports: [443]"]


def test_text_is_quoted_so_that_it_comes_back() -> None:
    for text in ('a "b" \\ c', "no", "1.10", "Zoë", "a: b # c"):
        policy = compiled(f"version: 1\nproject: {{name: {quoted_text(text)}}}")
        assert policy.labels.project == (("name", text),)
