"""Where an upstream sends a Want: judged before anybody is asked there.

In: a Want, a Location, the head of an answer. Out: the Want that is asked next, what is heard, or
why nothing is. Never: I/O; another package than was granted; a place that neither the policy nor
the operator names; a signed address in a sentence.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from cleanroom.decide.artifact import Grant, Refusal
from cleanroom.decide.echo import repeats
from cleanroom.decide.model import Deny
from cleanroom.decide.secret import repeated_in
from cleanroom.decide.storage import may_be_stored, named_by, stored_at
from cleanroom.errors import Code
from cleanroom.gateway.http1.write import printable
from cleanroom.gateway.places import named, redirected
from cleanroom.gateway.source import Answer, Want

MAX_REDIRECTS: Final = 5
_OK: Final = 200
_UNAUTHORIZED: Final = 401

# (want, host, target): judged as if the sandbox had asked for it.
Judge = Callable[[Want, str, str], Grant | Refusal]


def judge_move(judge: Judge, want: Want, location: str, count: int) -> Want | Deny:
    """Judge where a Want is sent to; it is the `count`th time."""
    if want.stored is not None:
        return _no(f"{named(want)} redirects on: storage has to have the file itself")
    place = redirected(want, location)
    if want.credential is not None and repeats(want.credential.sieve(), location, *(place or ())):
        # SECURITY: it would be told to where that leads, or named in the denial.
        return repeated_in(f"where {want.host} redirects to")
    if count > MAX_REDIRECTS:
        return _no(f"{named(want)} redirects too often")
    stored = None
    if want.mirror is not None and may_be_stored(want.grant):
        stored = stored_at(want.mirror, location)
    if stored is not None and (place is None or place[0] not in want.mirrors):
        return replace(want, stored=stored)
    return _nowhere(want, location) if place is None else _moved(judge, want, place, location)


def _moved(judge: Judge, want: Want, place: tuple[str, str], location: str) -> Want | Deny:
    """Judge a public place as if the sandbox had asked for it."""
    host, target = place
    if want.grant.manager == "git":
        moved = target.removesuffix("/info/refs")
        now = printable(f"{host}{moved}", 200)
        return _no(f"{want.grant.name} of {want.host} is at {now} now: name that")
    grant = judge(want, host, target)
    if isinstance(grant, Refusal):
        is_public = want.mirror is None or host in want.mirrors
        return grant.deny if is_public else _nowhere(want, location)
    same = (grant.manager, grant.kind, grant.name, grant.version)
    if same != (want.grant.manager, want.grant.kind, want.grant.name, want.grant.version):
        return _no(f"{want.host} redirects {want.grant.label} to {grant.label}")
    there = replace(want.grant, path=grant.path, prefix=grant.prefix)
    return replace(want, host=host, grant=there)


def heard(want: Want, answer: Answer) -> Answer | Deny:
    """Judge the head of what was asked for the operator; the registry's own may pass as it is."""
    if want.stored is not None:
        return _from_storage(want, answer)
    mirror = want.mirror
    if mirror is not None and mirror.auth and answer.status == _UNAUTHORIZED:
        # Clients would ask their user for a token, who has none to give.
        reason = f"{named(want)} answers 401: it does not take the operator's secret"
        return Deny(Code.SECRET_UNAVAILABLE, f"{reason} '{mirror.auth}' for {want.grant.label}")
    return answer


def _from_storage(want: Want, answer: Answer) -> Answer | Deny:
    """Return the head of storage's answer, which is the file or nothing.

    SECURITY: what such hosts say of a request that they refuse repeats what was signed.
    """
    if answer.status != _OK:
        reason = f"{named(want)} answers {answer.status} for {want.grant.label}"
        return Deny(Code.UPSTREAM_UNREACHABLE, reason)
    kept = tuple((name, value) for name, value in answer.fields if name != "location")
    return replace(answer, fields=kept)


def _nowhere(want: Want, location: str) -> Deny:
    host = named_by(location) if want.mirror is not None else ""
    if not host:
        return _no(f"{named(want)} redirects to where nobody may be sent")
    how = f"mirrors.{want.host}.storage in config.yaml names the hosts that have its files"
    if not may_be_stored(want.grant):
        how = "only the files of packages are had from storage"
    return _no(f"{named(want)} redirects {want.grant.label} to {host}, no place of it: {how}")


def _no(reason: str) -> Deny:
    return Deny(Code.REGISTRY_NOT_ALLOWED, reason)
