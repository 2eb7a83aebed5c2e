"""A verdict: what was decided, why, and by which rule.

In: nothing. Out: Allow | Deny. Never: a bare bool, or an exception for "no".
"""

from dataclasses import dataclass

from cleanroom.errors import Code
from cleanroom.policy.model import Rule


@dataclass(frozen=True, slots=True)
class Allow:
    """Yes, because of `rule`."""

    rule: Rule


@dataclass(frozen=True, slots=True)
class Deny:
    """No. `reason` is one sentence for people; `rule` is the deny rule, if one spoke.

    `ends_sandbox`: it is so grave, by the policy's word, that the sandbox ends.
    """

    code: Code
    reason: str
    rule: Rule | None = None
    ends_sandbox: bool = False


Verdict = Allow | Deny
