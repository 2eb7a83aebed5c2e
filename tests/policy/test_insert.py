import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanroom.errors import Code, UserError
from cleanroom.policy.insert import insert_rules
from cleanroom.policy.model import Rule, RuleKind
from cleanroom.policy.problems import PolicyErrors
from tests.policy.reading import EXAMPLES, PATH, compiled
from tests.policy.test_parse import MISSION

API = Rule(RuleKind.EXACT, "api.example", (443,))
SSH = Rule(RuleKind.EXACT, "git.example", (22,))


def test_a_rule_goes_behind_the_last_one_and_nothing_else_moves() -> None:
    text = """\
version: 1 # first
sandbox:
  network:
    allow:
      # needed by the tests
      - host: a.example # why
        ports: [443]    # tls

    # nobody else
    deny: []
"""
    assert (
        insert_rules(text, [API, SSH], PATH)
        == """\
version: 1 # first
sandbox:
  network:
    allow:
      # needed by the tests
      - host: a.example # why
        ports: [443]    # tls
      - host: api.example
        ports: [443]
      - host: git.example
        ports: [22]

    # nobody else
    deny: []
"""
    )


CASES = {
    "no file": (None, "version: 1\n\nsandbox:\n  network:\n    default: deny\n    allow:\n"),
    "empty": ("", "version: 1\n\nsandbox:"),
    "comments only": ("# ours\n\n", "# ours\nversion: 1\n\nsandbox:"),
    "no sandbox": ("version: 1", "version: 1\nsandbox:\n  network:\n    allow:\n"),
    "empty sandbox": ("version: 1\nsandbox: # x\n", "sandbox: # x\n  network:\n    allow:\n"),
    "no network": (
        "version: 1\nsandbox:\n  ttl_minutes: 5\n",
        "  ttl_minutes: 5\n  network:\n    allow:\n      - host",
    ),
    "empty network": ("version: 1\nsandbox:\n  network:\n", "  network:\n    allow:\n"),
    "no allow": (
        "version: 1\nsandbox:\n  network:\n    default: deny\n",
        "    default: deny\n    allow:\n      - host",
    ),
    "empty allow": (
        "version: 1\nsandbox:\n  network:\n    allow: # x\n    deny: []\n",
        "    allow: # x\n      - host: api.example\n        ports: [443]\n    deny",
    ),
    "flow allow": (
        "version: 1\nsandbox:\n  network:\n    allow: [] # none\n",
        "    allow: [{host: api.example, ports: [443]}] # none",
    ),
    "flow allow with rules": (
        "version: 1\nsandbox:\n  network:\n    allow: [{host: a.example}, ]\n",
        "[{host: a.example}, {host: api.example, ports: [443]}, ]",
    ),
    "all in flow": ("{version: 1}", "{version: 1, sandbox: {network: {allow: [{host: api.example"),
    "empty flow sandbox": ("version: 1\nsandbox: {}\n", "sandbox: {network: {allow: [{host: api"),
    "flow without value": ("version: 1\nsandbox: {network: }\n", "sandbox: {network:  {allow: [{"),
    "less indented list": (
        "version: 1\nsandbox:\n  network:\n    allow:\n    - host: a.example\n",
        "    - host: a.example\n    - host: api.example\n      ports: [443]\n",
    ),
    "windows line ends": (
        "version: 1\r\nsandbox:\r\n  network:\r\n    allow:\r\n    - host: a.example\r\n",
        "    - host: api.example\r\n      ports: [443]\r\n",
    ),
    "document marks": ("---\nversion: 1\n...\n", "version: 1\nsandbox:\n  network:\n    allow:\n"),
    "block text before": (
        "version: 1\nmetadata:\n  a: >-\n    b\n\n",
        "    b\n\nsandbox:\n  network:\n    allow:\n",
    ),
    "deep indentation": (
        '"version": 1\nsandbox:\n        network:\n                default: deny\n',
        "                default: deny\n                allow:\n                  - host",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_rules_go_into_any_layout(case: str) -> None:
    text, wanted = CASES[case]
    new = insert_rules(text, [API], PATH)
    assert wanted in new
    assert API in compiled(new).network.allow_rules
    assert [line for line in (text or "").split("\n") if "#" in line and line not in new] == [
        line for line in (text or "").split("\n") if "none" in line
    ]


def test_a_port_more_of_a_known_host_is_added() -> None:
    new = insert_rules(MISSION, [dataclasses.replace(API, value="npm.example", ports=(22,))], PATH)
    assert "npm.example:22,443" in [rule.rule_id for rule in compiled(new).network.allow_rules]


def test_nothing_to_add_changes_nothing() -> None:
    assert insert_rules(MISSION, [], PATH) == MISSION


def test_a_wrong_policy_is_not_edited() -> None:
    with pytest.raises(PolicyErrors, match="cannot use key 'x'"):
        insert_rules("version: 1\nx: y\n", [API], PATH)
    with pytest.raises(PolicyErrors, match="cannot read it as YAML"):
        insert_rules("a: b: c\n", [API], PATH)


def test_a_rule_that_is_denied_is_not_added() -> None:
    text = "version: 1\nsandbox: {network: {deny: [{host: api.example}]}}\n"
    with pytest.raises(PolicyErrors) as refused:
        insert_rules(text, [API], PATH)
    assert refused.value.code is Code.POLICY_CONFLICT


def test_a_layout_that_defeats_the_edit_is_said_so() -> None:
    with pytest.raises(UserError, match=r"cannot edit cleanroom\.yaml: its layout"):
        insert_rules("{version: 1, sandbox}", [API], PATH)


def test_comments_inside_a_flow_list_stay() -> None:
    text = "version: 1\nsandbox: {network: {allow: [{host: a.example} # c\n]}}\n"
    new = insert_rules(text, [API], PATH)
    assert new == text.replace(" # c", ", {host: api.example, ports: [443]} # c")


FRAGMENTS = st.sampled_from(
    ["\n", "  # c\n", "    - host: b.example\n", "    deny:\n", "  ttl_minutes: 5\n", "metadata:\n"]
)


@given(st.lists(FRAGMENTS, max_size=6))
@settings(max_examples=EXAMPLES, deadline=None)
def test_an_edit_means_the_old_policy_and_the_rule_or_is_refused(tail: list[str]) -> None:
    text = "version: 1\nsandbox:\n  network:\n    allow:\n" + "".join(tail)
    try:
        new = insert_rules(text, [API], PATH)
    except UserError:
        return
    old = compiled(text).network
    assert set(compiled(new).network.allow_rules) == {*old.allow_rules, API}
    assert compiled(new).network.deny_rules == old.deny_rules
    kept = iter(new.splitlines())
    assert all(line in kept for line in text.splitlines())
