"""Policies for tests, in few words."""

from cleanroom.policy.model import CompiledPolicy, NetworkPolicy, Place, Rule, RuleKind


def rule(text: str, *, inspect: bool = False, ech: bool = False) -> Rule:
    """Read `host:port,port` (`*.host`, `10.0.0.0/8` too); line 7, column 3."""
    host, _, ports = text.rpartition(":")
    numbers = tuple(int(port) for port in ports.split(","))
    kind, value = RuleKind.EXACT, host
    if host.startswith("*."):
        kind, value = RuleKind.WILDCARD, host[2:]
    elif host.replace(".", "").replace("/", "").isdecimal() or ":" in host:
        kind = RuleKind.NETWORK
    return Rule(kind, value, numbers, inspect, ech, Place(7, 3))


def policy(*allow: str | Rule, deny: tuple[str, ...] = ()) -> CompiledPolicy:
    """Return the compiled policy of these rules."""
    rules = tuple(text if isinstance(text, Rule) else rule(text) for text in allow)
    network = NetworkPolicy(rules, tuple(rule(text) for text in deny))
    return CompiledPolicy("sha256:0", "cleanroom.yaml", network)
