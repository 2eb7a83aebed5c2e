"""May a sandbox learn an address for a name?

In: a compiled policy, a canonical name, the numeric query type (RFC 1035, RFC 3596, RFC 9460).
Out: Allow | Deny. Never: a look-up; no query of any name leaves the host because of this answer.

HOST_NOT_ALLOWED means the name does not exist inside (NXDOMAIN). PROTOCOL_NOT_ALLOWED means the
name exists but has no records of this type (an empty answer), and never will have.
"""

from typing import Final

from cleanroom.decide.match import match_name, ports_of_name
from cleanroom.decide.model import Allow, Deny, Verdict
from cleanroom.errors import Code
from cleanroom.policy.model import CompiledPolicy

A: Final = 1
AAAA: Final = 28
SVCB: Final = 64
HTTPS: Final = 65

# SVCB and HTTPS get an empty answer (they carry ECH keys), but asking is what every modern client
# does: it is no refusal that a person has to see.
_ORDINARY_TYPES: Final = frozenset({A, AAAA, SVCB, HTTPS})


def decide_query(policy: CompiledPolicy, name: str, qtype: int) -> Verdict:
    """Judge a query: allowed if any port of `name` may be reached at all."""
    verdict = _reachable(policy, name)
    if isinstance(verdict, Allow) and qtype not in _ORDINARY_TYPES:
        reason = f"inside a sandbox {name} has addresses only, no DNS records of type {qtype}"
        return Deny(Code.PROTOCOL_NOT_ALLOWED, reason)
    return verdict


def _reachable(policy: CompiledPolicy, name: str) -> Verdict:
    denied: Deny | None = None
    for port in ports_of_name(policy, name):
        verdict = match_name(policy, name, port)
        if isinstance(verdict, Allow):
            return verdict
        denied = denied or verdict
    if denied is not None:
        return denied
    reason = f"no rule of the policy allows {name}; add it to network.allow"
    return Deny(Code.HOST_NOT_ALLOWED, reason)
