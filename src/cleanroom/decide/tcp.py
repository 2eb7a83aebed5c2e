"""May a connection be made, and may this address be dialled for it?

In: a compiled policy, a target as text or as a name and address, a port. Out: Allow | Deny.
Never: a resolver; addresses arrive resolved.
"""

from ipaddress import ip_address

from cleanroom.decide.address import Guard, carried_address, judge_address
from cleanroom.decide.match import Address, denied_address, match_address, match_name
from cleanroom.decide.model import Allow, Deny, Verdict
from cleanroom.errors import Code
from cleanroom.policy.hosts import canonical_host
from cleanroom.policy.model import CompiledPolicy, Rule, RuleKind
from cleanroom.policy.network_reach import looser_flags
from cleanroom.policy.opened import bindings_of, registries_of


def decide_target(policy: CompiledPolicy, guard: Guard, host_text: str, port: int) -> Verdict:
    """Judge what a person writes: a host name, or an IP address with or without brackets.

    Where a name leads is not known here; an address is judged as it would be dialled.
    Raises InvalidHostError if the text names no host.
    """
    literal = parse_address(host_text.removeprefix("[").removesuffix("]"))
    if literal is not None:
        verdict = match_address(policy, literal, port)
        refused = decide_dial(policy, guard, "", literal, port)
        return refused if refused is not None and isinstance(verdict, Allow) else verdict
    return match_name(policy, canonical_host(host_text), port)


def decide_connection(policy: CompiledPolicy, name: str, address: str, port: int) -> Verdict:
    """Judge an accepted connection: by its canonical name, or if that is "" by its address."""
    if name:
        return match_name(policy, name, port)
    literal = parse_address(address)
    if literal is None:
        return Deny(Code.HOST_NOT_ALLOWED, "the connection has neither a name nor an address")
    return match_address(policy, literal, port)


def decide_dial(
    policy: CompiledPolicy, guard: Guard, name: str, address: Address, port: int
) -> Deny | None:
    """Return why the gateway may not connect to `address` for `name` ("": an IP literal)."""
    # A carrier that the operator excepted leads to the address inside it: deny rules name that one.
    carried = carried_address(address) or address
    service = guard.services.get((name, port))
    if service is not None and service.address == address:  # the operator said this very place
        return denied_address(policy, address, service.port)
    return (
        judge_address(guard, name, address)
        or denied_address(policy, address, port)
        or denied_address(policy, carried, port)
    )


def is_judged_alike(
    old: CompiledPolicy, new: CompiledPolicy, name: str, address: str, port: int
) -> bool:
    """Tell whether all that is judged on a connection is judged by `new` as it was by `old`.

    What a name leads to is judged when it is dialled: by deny rules on addresses.
    """
    before, after = (decide_connection(each, name, address, port) for each in (old, new))
    return (
        isinstance(before, Allow)
        and isinstance(after, Allow)
        and not looser_flags(before.rule, after.rule)
        and not looser_flags(after.rule, before.rule)
        and registries_of(old, name) == registries_of(new, name)
        and bindings_of(old, name, port) == bindings_of(new, name, port)
        and _denied_blocks(old) == _denied_blocks(new)
    )


def _denied_blocks(policy: CompiledPolicy) -> list[Rule]:
    return [rule for rule in policy.network.deny_rules if rule.kind is RuleKind.NETWORK]


def parse_address(text: str) -> Address | None:
    """Return the IP address `text` spells in full, or None. No zone, no short forms."""
    try:
        return None if "%" in text else ip_address(text)
    except ValueError:
        return None
