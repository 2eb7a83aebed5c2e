import pytest

from cleanroom.policy.model import Place, Rule, RuleKind
from cleanroom.policy.parse import parse_policy
from tests.policy.reading import PATH, network, said_of


def rules_of(*entries: str, section: str = "allow") -> tuple[Rule, ...]:
    written = parse_policy(network(*entries, section=section), PATH).sandbox.network
    return written.allow_rules if section == "allow" else written.deny_rules


def test_a_rule_is_read_with_its_place() -> None:
    [rule] = rules_of("{host: A.Example., ports: [8443, 443, 443], ech: allow}")
    assert rule == Rule(RuleKind.EXACT, "a.example", (443, 8443), ech_allowed=True)
    assert rule.place == Place(5, 14)


def test_ports_left_out_mean_80_and_443() -> None:
    [rule] = rules_of("{host: a.example}")
    assert rule.ports == (80, 443)


def test_rules_name_hosts_wildcards_addresses_and_blocks() -> None:
    rules = rules_of(
        "{host: '*.a.example'}", "{host: 192.0.2.1}", "{host: '2001:db8::/32'}", "{host: b.example}"
    )
    assert [rule.kind.value for rule in rules] == ["wildcard", "network", "network", "exact"]


def test_deny_rules_have_a_host_and_ports_only() -> None:
    [rule] = rules_of("{host: ads.example, ports: [443]}", section="deny")
    assert rule == Rule(RuleKind.EXACT, "ads.example", (443,))
    assert said_of(network("{host: ads.example, inspect: true}", section="deny")) == [
        "5:27 cannot use key 'inspect' in sandbox.network.deny: it is unknown"
    ]


WRONG = {
    "{}": "5:7 cannot do without sandbox.network.allow.host",
    "a.example": "5:7 cannot read sandbox.network.allow: it is a mapping of keys",
    "{host: '*'}": "5:14 cannot allow '*': it would allow everything",
    "{host: '*.com'}": "5:14 cannot allow '*.com': it would allow a whole top-level domain",
    "{host: 'https://a.example/'}": "5:14 cannot allow 'https://a.example/': it is a URL",
    "{host: 0.0.0.0/0}": "5:14 cannot allow '0.0.0.0/0': a block may not be wider than /8",
    '{host: "a\\0b.example"}': r"5:14 cannot allow 'a\x00b.example': "
    "a host name has letters, digits, hyphens and dots only",
    "{host: no}": "5:14 cannot allow 'no': it reads as true, false or nothing",
    "{host: 127.1}": "5:14 cannot allow '127.1': it is no address or CIDR block",
    "{host: a.example, ports: []}": "5:32 cannot use 0 entries for sandbox.network.allow.ports: "
    "1 to 64 entries",
    "{host: a.example, ports: 443}": "5:32 cannot use one value for sandbox.network.allow.ports: "
    "it is a list",
    "{host: a.example, ports: [0]}": "5:33 cannot use '0' for sandbox.network.allow.ports: "
    "it is no port",
    "{host: a.example, ports: ['443']}": "5:33 cannot use '443' for sandbox.network.allow.ports: "
    "it is text",
    "{host: a.example, ech: true}": "5:30 cannot use 'true' for sandbox.network.allow.ech: "
    "it is deny or allow",
    "{host: 192.0.2.0/24, inspect: true}": "5:37 cannot inspect 192.0.2.0/24: "
    "a certificate needs a name",
}


@pytest.mark.parametrize("entry", WRONG)
def test_a_wrong_rule_is_refused_with_its_place(entry: str) -> None:
    assert said_of(network(entry)) == [WRONG[entry]]


def test_deny_is_the_only_default() -> None:
    assert said_of("version: 1\nsandbox: {network: {default: allow}}") == [
        "2:30 cannot use 'allow' for sandbox.network.default: it is deny"
    ]


def test_a_thousand_rules_are_allow_and_deny_together() -> None:
    allow = network(*[f"{{host: a{n}.example}}" for n in range(600)])
    deny = [f"    - {{host: d{n}.example}}" for n in range(600)]
    text = "\n".join([allow.rstrip(), "    deny:", *deny])
    assert said_of(text) == ["5:5 cannot use more than 1000 rules, allow and deny together"]
