"""Rules compared by what they let through, judged by the very code that lets it through."""

import itertools
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanroom.decide.match import match_address, match_name
from cleanroom.decide.model import Allow
from cleanroom.policy.merge import merge_rules
from cleanroom.policy.model import CompiledPolicy, NetworkPolicy, Rule, RuleKind
from cleanroom.policy.network_reach import looser_flags, undenied_blocks, wider_points
from tests.policy.reading import BUDGET_S, seconds_of

E, W, N = RuleKind.EXACT, RuleKind.WILDCARD, RuleKind.NETWORK
TARGETS = [
    (E, "example"), (E, "a.example"), (E, "b.a.example"), (E, "c.b.a.example"),
    (W, "example"), (W, "a.example"), (W, "b.a.example"),
    (N, "192.0.2.0/24"), (N, "192.0.2.128/25"), (N, "192.0.2.200/32"), (N, "2001:db8::/32"),
]  # fmt: skip
# One name or address of every kind that these rules can tell apart.
NAMES = [
    "example", "a.example", "b.a.example", "c.b.a.example", "new.example", "new.a.example",
    "new.b.a.example", "elsewhere.test",
]  # fmt: skip
ADDRESSES = ["192.0.2.1", "192.0.2.130", "192.0.2.200", "2001:db8::1", "198.51.100.1"]
PORTS = (80, 443)

rule = st.builds(
    lambda target, port, inspect, ech: Rule(target[0], target[1], (port,), inspect, ech),
    st.sampled_from(TARGETS),
    st.sampled_from(PORTS),
    st.booleans(),
    st.booleans(),
)


def unique(rules: list[Rule]) -> tuple[Rule, ...]:
    """Keep one rule a target and port, as the compiler does."""
    kept = {(each.kind, each.value, each.ports): each for each in rules}
    return merge_rules(kept.values(), "cleanroom.yaml")


@st.composite
def networks(draw: st.DrawFn) -> NetworkPolicy:
    allow = unique(draw(st.lists(rule, max_size=5)))
    taken = {(each.kind, each.value) for each in allow}
    denied = [
        each for each in draw(st.lists(rule, max_size=4)) if (each.kind, each.value) not in taken
    ]
    plain = [Rule(each.kind, each.value, each.ports) for each in denied]
    return NetworkPolicy(allow, unique(plain))


def allowed(network: NetworkPolicy, target: str, port: int) -> Rule | None:
    """Return the rule that lets a connection through, as the gateway judges it."""
    policy = CompiledPolicy("sha256:0", "", network)
    address = target[0].isdigit()
    verdict = (
        match_address(policy, ip_address(target), port)
        if address
        else match_name(policy, target, port)
    )
    return verdict.rule if isinstance(verdict, Allow) else None


@given(networks(), networks())
@settings(max_examples=400, deadline=None)
def test_whatever_the_gateway_lets_through_more_is_found(
    old: NetworkPolicy, new: NetworkPolicy
) -> None:
    found = list(wider_points(old, new))
    more = [
        (target, port)
        for target, port in itertools.product((*NAMES, *ADDRESSES), PORTS)
        if (after := allowed(new, target, port))
        and (not (before := allowed(old, target, port)) or looser_flags(before, after))
    ]
    assert not more or found, more
    assert more or not found or all(each.point.kind is N for each in found), found


def test_a_block_of_which_all_parts_were_allowed_is_asked_for_as_a_whole() -> None:
    halves = NetworkPolicy((Rule(N, "192.0.2.0/25", (443,)), Rule(N, "192.0.2.128/25", (443,))))
    whole = NetworkPolicy((Rule(N, "192.0.2.0/24", (443,)),))
    assert [each.point.text for each in wider_points(halves, whole)] == ["192.0.2.0/24"]
    assert not list(wider_points(whole, halves))


def test_a_denied_block_that_opens_counts_where_names_may_lead_there() -> None:
    names = (Rule(W, "a.example", (443,)),)
    denied = NetworkPolicy(names, (Rule(N, "192.0.2.0/24", (80, 443)),))
    wider = NetworkPolicy(names, (Rule(N, "192.0.0.0/16", (443,)),))
    assert [
        (each.point.value, each.port) for each in undenied_blocks(denied, NetworkPolicy(names))
    ] == [("192.0.2.0/24", 443)]
    assert not list(undenied_blocks(denied, wider))
    assert not list(undenied_blocks(denied, NetworkPolicy()))


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        (Rule(E, "a", (1,), inspect=True), Rule(E, "a", (1,)), ("inspect",)),
        (Rule(E, "a", (1,)), Rule(E, "a", (1,), inspect=True), ()),
        (Rule(E, "a", (1,)), Rule(E, "a", (1,), ech_allowed=True), ("ech_allowed",)),
        (Rule(E, "a", (1,), ech_allowed=True), Rule(E, "a", (1,)), ()),
        (Rule(E, "a", (1,)), Rule(W, "b", (2,)), ()),
    ],
)
def test_flags_are_ordered(old: Rule, new: Rule, names: tuple[str, ...]) -> None:
    assert looser_flags(old, new) == names


def test_many_blocks_cost_little() -> None:
    """Rules come from a repository: a file full of them must not hold up a daemon."""
    old, new = (
        NetworkPolicy(
            tuple(Rule(N, f"2001:db8::{half:x}:{each:x}/128", (443,)) for each in range(500))
        )
        for half in (1, 2)
    )
    assert len(list(wider_points(old, new))) == 500
    assert seconds_of(lambda: list(wider_points(old, new))) < 20 * BUDGET_S
