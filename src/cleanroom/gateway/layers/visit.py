"""A sandbox's visit to a host of registries: by what it is judged, and how it is answered.

In: the host, a request's target. Out: which registry that is of, in its words. Never: a judgement.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cleanroom.decide.artifact import Grant, Refusal, decide_request, warns_of
from cleanroom.decide.model import Deny
from cleanroom.decide.registries import Found, Registries, find_registry
from cleanroom.errors import Code
from cleanroom.gateway.http1.heads import RequestHead
from cleanroom.gateway.layers.http_denial import (
    cargo_denial,
    denial_response,
    git_denial,
    plain_denial,
)
from cleanroom.gateway.layers.mirroring import Mirroring
from cleanroom.policy.model import CompiledPolicy

_DENIALS: Final = {"git": plain_denial, "go": plain_denial, "cargo": cargo_denial}
# What a repository is asked is refused in git's own words, as of other answers git shows a number.
_SAID_BY_GIT: Final = frozenset(
    {Code.LOCKFILE_VIOLATION, Code.INTEGRITY_MISMATCH, Code.OFFLINE_MISS}
)


@dataclass(frozen=True, slots=True)
class Visit:
    """Who asks, and by which policy it is judged. `today` returns the date in UTC.

    `offline`: nothing may be asked of an upstream.
    """

    sandbox_id: str
    policy: CompiledPolicy
    registries: Registries
    today: Callable[[], str]
    offline: bool = False
    mirroring: Mirroring | None = None  # None: the operator has no mirrors

    def judge(self, host: str, request: RequestHead) -> Grant | Refusal:
        """Judge a request to one of the hosts."""
        return decide_request(self.registries, host, request.method, request.target, self.today())

    def manager(self, host: str, target: str) -> str:
        """Return whose registry a request is of; of no path, that of all the host's; "" if none."""
        found = find_registry(self.registries, host, target) if target else None
        if isinstance(found, Found):
            return found.registry.policy.manager
        all_of_it = {each.policy.manager for each in self.registries.get(host, {}).values()}
        return all_of_it.pop() if len(all_of_it) == 1 else ""

    def warning(self, host: str, grant: Grant) -> str:
        """Return what a person should know of what passes, "" if nothing."""
        found = find_registry(self.registries, host, grant.path)
        return warns_of(found.registry, grant) if isinstance(found, Found) else ""

    def denial(self, host: str, request: RequestHead | None, deny: Deny, status: int) -> bytes:
        """Return the answer that clients of the registry understand."""
        manager = self.manager(host, request.target if request is not None else "")
        method = request.method if request is not None else ""
        write = _DENIALS.get(manager, denial_response)
        if (manager, method) == ("git", "POST") and deny.code in _SAID_BY_GIT:
            write = git_denial
        return write(deny, status=status, head_only=method == "HEAD")
