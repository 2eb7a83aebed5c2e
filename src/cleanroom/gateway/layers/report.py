"""Verdicts as audit events: one place, so that every layer's lines look alike.

In: a target, what it spoke, a verdict. Out: NetworkEvent. Never: payload.
"""

from typing import TypedDict, Unpack

from cleanroom.decide.model import Deny, Verdict
from cleanroom.events import NetworkEvent, Protocol
from cleanroom.gateway.wire import Target


class Told(TypedDict, total=False):
    """What a layer knows beyond the verdict, by the names of NetworkEvent."""

    phase: str
    reason: str
    method: str
    path: str
    bytes_in: int
    through_proxy: bool
    artifact: str
    strength: str
    pin: str
    cache: str
    digest: str
    mirror: str
    storage: str
    registry: str


def verdict_event(
    target: Target, protocol: Protocol, verdict: Verdict, address: str = "", **told: Unpack[Told]
) -> NetworkEvent:
    """Return the event of a verdict; `address` is the one dialled, by default the one asked for.

    What was served from here says nobody's address by default.
    """
    rule = verdict.rule
    deny = verdict if isinstance(verdict, Deny) else None
    is_served = told.setdefault("phase", "verdict") == "served"
    told.setdefault("reason", deny.reason if deny else "")
    return NetworkEvent(
        allowed=deny is None,
        protocol=protocol,
        name=target.name,
        address=address or ("" if is_served else target.address),
        port=target.port,
        code=deny.code if deny else "",
        rule=rule.rule_id if rule else "",
        rule_line=rule.place.line if rule else 0,
        connection_id=target.connection_id,
        ends_sandbox=deny is not None and deny.ends_sandbox,
        **told,
    )
