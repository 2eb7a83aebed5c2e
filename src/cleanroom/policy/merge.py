"""Rules as written -> the one canonical list: merged, sorted, without contradictions.

In: rules in file order, repeated as people like. Out: rules such that equal meaning is equal value.
Never: the order of the file in the result; a choice between two rules that contradict each other.
"""

from collections import defaultdict
from collections.abc import Iterable

from cleanroom.errors import Code
from cleanroom.policy.model import Place, Rule, RuleKind
from cleanroom.policy.problems import PolicyErrors, Problem

_Target = tuple[RuleKind, str]
_Flags = tuple[bool, bool]


def merge_rules(rules: Iterable[Rule], path: str) -> tuple[Rule, ...]:
    """Return one rule per target and flags, with all ports; each port knows its first line.

    Raises PolicyErrors(policy_conflict) if a target and port is written twice with other flags.
    """
    chosen: dict[tuple[_Target, int], Rule] = {}
    problems = []
    for rule in rules:
        for port in rule.ports:
            first = chosen.setdefault(((rule.kind, rule.value), port), rule)
            if _flags(first) != _flags(rule):
                problems.append(_other_flags(first, rule, port, path))
    if problems:
        raise PolicyErrors(problems, Code.POLICY_CONFLICT)
    ports: dict[tuple[_Target, _Flags], dict[int, Place]] = defaultdict(dict)
    for (target, port), rule in chosen.items():
        ports[target, _flags(rule)][port] = rule.place
    return tuple(_rule(*key, ports[key]) for key in sorted(ports))


def refuse_conflicts(allow: Iterable[Rule], deny: Iterable[Rule], path: str) -> None:
    """Raise PolicyErrors(policy_conflict) for every target and port both allowed and denied."""
    denied = {(rule.kind, rule.value, port): rule for rule in deny for port in rule.ports}
    problems = []
    for rule in allow:
        shared = [port for port in rule.ports if (rule.kind, rule.value, port) in denied]
        if shared:
            other = denied[rule.kind, rule.value, shared[0]].place_of(shared[0])
            message = (
                f"cannot allow '{host_text(rule)}' on port {shared[0]}: line {other.line} denies it"
            )
            place = rule.place_of(shared[0])
            hint = "remove one of the two"
            problems.append(Problem(path, place.line, place.column, message, hint))
    if problems:
        raise PolicyErrors(problems, Code.POLICY_CONFLICT)


def host_text(rule: Rule) -> str:
    """Return a rule's target as the policy file writes it."""
    return f"*.{rule.value}" if rule.kind is RuleKind.WILDCARD else rule.value


def _flags(rule: Rule) -> _Flags:
    return rule.inspect, rule.ech_allowed


def _other_flags(first: Rule, rule: Rule, port: int, path: str) -> Problem:
    target = f"'{host_text(rule)}' on port {port}"
    message = f"cannot allow {target} twice: 'inspect' or 'ech' differ from line {first.place.line}"
    return Problem(path, rule.place.line, rule.place.column, message, "keep one of the two")


def _rule(target: _Target, flags: _Flags, ports: dict[int, Place]) -> Rule:
    ordered = tuple(sorted(ports))
    places = tuple(ports[port] for port in ordered)
    first = min(places, key=lambda place: (place.line, place.column))
    return Rule(*target, ordered, *flags, first, places)
