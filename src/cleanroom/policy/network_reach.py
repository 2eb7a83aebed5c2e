"""What two network sections allow, compared point by point: which names and addresses are new.

In: two NetworkPolicies. Out: the points that the newer one allows and the older did not, or
allowed more strictly. Never: a sample; the rules cut all names into finitely many kinds, and every
kind is judged.

A name is either one that some rule writes, or a name below some wildcard that no rule writes; an
address lies in some block that a rule writes. Both policies treat all of one kind alike.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import lru_cache
from ipaddress import ip_network
from typing import Final

from cleanroom.policy.model import NetworkPolicy, Rule, RuleKind

# What a rule is about, and where it stands. Every other field says how much it lets through.
_NOT_FLAGS: Final = frozenset({"kind", "value", "ports", "place", "port_places"})


@dataclass(frozen=True, slots=True)
class Point:
    """One kind of target: a name, the names below one, or the addresses of a block."""

    kind: RuleKind
    value: str

    @property
    def text(self) -> str:
        """How a policy writes it."""
        return f"*.{self.value}" if self.kind is RuleKind.WILDCARD else self.value


@dataclass(frozen=True, slots=True)
class Wider:
    """A point and port that became reachable; `flags` names what is looser if it was before."""

    point: Point
    port: int
    flags: tuple[str, ...] = ()


class _Table:
    """The rules of one section by target."""

    def __init__(self, network: NetworkPolicy) -> None:
        self.allow: dict[Point, list[Rule]] = {}
        self.deny: dict[Point, set[int]] = {}
        self.order = {rule: index for index, rule in enumerate(network.allow_rules)}
        for rule in network.allow_rules:
            self.allow.setdefault(Point(rule.kind, rule.value), []).append(rule)
        for rule in network.deny_rules:
            self.deny.setdefault(Point(rule.kind, rule.value), set()).update(rule.ports)
        self.lengths = frozenset(
            ip_network(each.value).prefixlen
            for each in (*self.allow, *self.deny)
            if each.kind is RuleKind.NETWORK
        )

    def around(self, point: Point) -> tuple[Point, ...]:
        """Return the targets whose rules speak for this point, itself first."""
        return _around(point, self.lengths)

    def ports(self, point: Point) -> list[int]:
        """Return every port that some allow rule opens at this point."""
        rules = (rule for each in self.around(point) for rule in self.allow.get(each, ()))
        return sorted({port for rule in rules for port in rule.ports})

    def rule(self, point: Point, port: int) -> Rule | None:
        """Return the rule that allows it; the order is that of cleanroom.decide.match."""
        around = self.around(point)
        exact = point.kind is RuleKind.EXACT
        for targets in (around[:1], around[1:]) if exact else (around,):
            if any(port in self.deny.get(each, ()) for each in targets):
                return None
            rules = [r for each in targets for r in self.allow.get(each, ()) if port in r.ports]
            if rules:
                return min(rules, key=self.order.__getitem__)
        return None


def wider_points(old: NetworkPolicy, new: NetworkPolicy) -> Iterator[Wider]:
    """Yield what `new` allows and `old` did not, or allowed under stricter flags."""
    before, after = _Table(old), _Table(new)
    points = dict.fromkeys((*before.allow, *before.deny, *after.allow, *after.deny))
    for point in sorted(points, key=lambda each: (each.kind, each.value)):
        for port in after.ports(point):
            allowed = after.rule(point, port)
            if allowed is None:
                continue
            known = before.rule(point, port)
            if known is None:
                yield Wider(point, port)
            elif looser := looser_flags(known, allowed):
                yield Wider(point, port, looser)


def allows_name(network: NetworkPolicy, name: str, port: int) -> bool:
    """Tell whether a rule of this section lets a name be reached."""
    return _Table(network).rule(Point(RuleKind.EXACT, name), port) is not None


def undenied_blocks(old: NetworkPolicy, new: NetworkPolicy) -> Iterator[Wider]:
    """Yield address blocks that allowed names may lead to now: no deny rule covers them any more.

    A deny rule on addresses also holds for what a name resolves to.
    """
    after = _Table(new)
    open_ports = {
        port for rule in new.allow_rules if rule.kind is not RuleKind.NETWORK for port in rule.ports
    }
    for rule in old.deny_rules:
        if rule.kind is RuleKind.NETWORK:
            point = Point(rule.kind, rule.value)
            for port in sorted(open_ports.intersection(rule.ports)):
                if not any(port in after.deny.get(each, ()) for each in after.around(point)):
                    yield Wider(point, port)


def looser_flags(old: Rule, new: Rule) -> tuple[str, ...]:
    """Return the names of flags that let more through; of an unknown flag, any change does."""
    changed = [
        each.name
        for each in fields(Rule)
        if each.name not in _NOT_FLAGS and getattr(old, each.name) != getattr(new, each.name)
    ]
    stricter = {"inspect": new.inspect, "ech_allowed": not new.ech_allowed}
    return tuple(name for name in changed if not stricter.get(name, False))


@lru_cache(maxsize=8192)
def _around(point: Point, lengths: frozenset[int]) -> tuple[Point, ...]:
    """Return what could speak for a point; `lengths` are those of the blocks there are."""
    if point.kind is RuleKind.NETWORK:
        block = ip_network(point.value)
        shorter = sorted((each for each in lengths if each < block.prefixlen), reverse=True)
        blocks = (str(block.supernet(new_prefix=length)) for length in shorter)
        return (point, *(Point(RuleKind.NETWORK, each) for each in blocks))
    labels = point.value.split(".")
    above = (".".join(labels[index:]) for index in range(1, len(labels)))
    return (point, *(Point(RuleKind.WILDCARD, each) for each in above))
