"""Rules -> YAML text, as a person would write them.

In: rules. Out: lines. Never: text that our own parser reads as something else.
"""

import json
from collections.abc import Iterable

from cleanroom.policy.merge import host_text
from cleanroom.policy.model import Rule, RuleKind


def block_rule(rule: Rule, indent: str) -> list[str]:
    """Return the lines of one entry of a block list."""
    lines = [f"- host: {_host(rule)}", f"  ports: {_ports(rule)}"]
    return [indent + line for line in lines]


def flow_rules(rules: Iterable[Rule]) -> str:
    """Return the entries of a flow list, without its brackets."""
    return ", ".join(f"{{host: {_host(rule)}, ports: {_ports(rule)}}}" for rule in rules)


def quoted_text(text: str) -> str:
    """Return `text` as a double-quoted scalar; JSON's escapes are YAML's."""
    return json.dumps(text, ensure_ascii=False)


def _host(rule: Rule) -> str:
    # '*' would be an alias, '::1' has colons, 'no' and 'on' read as bools elsewhere.
    plain = rule.kind is RuleKind.EXACT and "." in rule.value
    return rule.value if plain else quoted_text(host_text(rule))


def _ports(rule: Rule) -> str:
    return f"[{', '.join(map(str, rule.ports))}]"
