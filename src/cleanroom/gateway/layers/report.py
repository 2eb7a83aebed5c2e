"""Verdicts as audit events: one place, so that every layer's lines look alike.

In: a target, what it spoke, a verdict. Out: NetworkEvent. Never: payload.
"""

from cleanroom.decide.model import Deny, Verdict
from cleanroom.events import NetworkEvent, Protocol
from cleanroom.gateway.wire import Target


def verdict_event(
    target: Target, protocol: Protocol, verdict: Verdict, address: str = ""
) -> NetworkEvent:
    """Return the event of a verdict; `address` is the one dialled, by default the one asked for."""
    rule = verdict.rule
    deny = verdict if isinstance(verdict, Deny) else None
    return NetworkEvent(
        phase="verdict",
        allowed=deny is None,
        protocol=protocol,
        name=target.name,
        address=address or target.address,
        port=target.port,
        code=deny.code if deny else "",
        reason=deny.reason if deny else "",
        rule=rule.rule_id if rule else "",
        rule_line=rule.place.line if rule else 0,
        connection_id=target.connection_id,
        ends_sandbox=deny is not None and deny.ends_sandbox,
    )
