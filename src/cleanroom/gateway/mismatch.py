"""How it is said that bytes are not what they must be.

In: a Want, the digest that was found, what binds. Out: the Deny. Never: a judgement.
"""

from cleanroom.decide.model import Deny
from cleanroom.decide.pack import BAD, LARGE
from cleanroom.errors import Code
from cleanroom.gateway.source import Want
from cleanroom.policy.git_purl import exception_for


def mismatch(want: Want, digest: str, binds: str = "") -> Deny:
    """Return the refusal; `binds` is what was seen first, "" where a pin says it."""
    grant = want.grant
    if grant.manager == "git":
        return _pack(want, digest)
    pinned = binds or grant.digests[0]
    where = "was seen first" if binds else f"is pinned by {grant.pin}"
    told = f"{want.host} sent {_short(digest)}, but {_short(pinned)} {where}"
    reason = f"{grant.label} is not what it must be: {told}; it was discarded"
    return Deny(Code.INTEGRITY_MISMATCH, reason)


def _pack(want: Want, found: str) -> Deny:
    told = f"{want.host} sent {found} for {want.grant.label}"
    if found.startswith(LARGE):
        line = exception_for(want.host, want.grant.name)
        reason = f"{told}; fetch it with --depth 1, or let all of it pass: {line}"
        return Deny(Code.LOCKFILE_VIOLATION, reason)
    code = Code.INTEGRITY_MISMATCH if found.startswith(BAD) else Code.UPSTREAM_UNREACHABLE
    return Deny(code, f"{told}; it was discarded")


def _short(digest: str) -> str:
    """Return enough of a digest to find it, in a line that clients show whole."""
    algorithm, _, value = digest.partition(":")
    return f"{algorithm}:{value[:16]}..." if value else digest  # or why there is none
