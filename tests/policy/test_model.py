from cleanroom.policy.model import LockfilePolicy, Place, Rule, RuleKind


def test_a_rule_is_called_by_its_host_and_ports() -> None:
    assert Rule(RuleKind.EXACT, "a.example", (80, 443)).rule_id == "a.example:80,443"
    assert Rule(RuleKind.WILDCARD, "a.example", (443,)).rule_id == "*.a.example:443"


def test_each_port_knows_its_line_and_else_the_rule_does() -> None:
    rule = Rule(
        RuleKind.EXACT, "a", (80, 443), place=Place(3, 1), port_places=(Place(9, 1), Place(3, 1))
    )
    assert [rule.place_of(port).line for port in (80, 443, 22)] == [9, 3, 3]


def test_places_are_not_part_of_what_a_rule_means() -> None:
    here, there = (Rule(RuleKind.EXACT, "a", (80,), place=Place(line, 1)) for line in (1, 2))
    assert here == there


def test_a_mode_counts_where_lock_files_are_enforced() -> None:
    assert LockfilePolicy(enabled=True, mode="warn").in_force == "warn"
    assert LockfilePolicy(mode="warn").in_force == LockfilePolicy().in_force == "off"
