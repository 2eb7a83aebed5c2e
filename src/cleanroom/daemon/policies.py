"""Policy texts compiled once: the only way from a client's text to what is enforced.

In: a PolicyText. Out: the CompiledPolicy and what a person should know of it, by digest from the
cache. Never: a file opened; the client sends the text.
"""

import hashlib
from collections import OrderedDict
from typing import Final

from cleanroom.api.policy_types import PolicyText
from cleanroom.policy.compile import compile_nothing, compile_policy
from cleanroom.policy.model import CompiledPolicy
from cleanroom.policy.parse import parse_policy

NO_POLICY: Final = (
    "no cleanroom.yaml here, so every connection is refused; write one with: cleanroom init"
)
SHADOWED: Final = "cleanroom.yaml is used, and .buildkite/cleanroom.yaml beside it is ignored"

_CACHED: Final = 64


class Policies:
    """The compiler with its cache."""

    def __init__(self) -> None:
        self._cache: OrderedDict[bytes, CompiledPolicy] = OrderedDict()

    def compile(self, policy: PolicyText) -> CompiledPolicy:
        """Return the compiled policy. Raises PolicyErrors with every fault of the text."""
        if policy.text is None:
            return compile_nothing()
        digest = hashlib.sha256(f"{policy.path}\0{policy.text}".encode()).digest()
        if digest not in self._cache:
            self._cache[digest] = compile_policy(parse_policy(policy.text, policy.path))
        self._cache.move_to_end(digest)
        while len(self._cache) > _CACHED:
            self._cache.popitem(last=False)
        return self._cache[digest]


def notes_of(policy: PolicyText) -> list[str]:
    """Return what a person should be told about where the policy came from."""
    notes = [NO_POLICY] if policy.text is None else []
    return notes + ([SHADOWED] if policy.shadowed else [])
