"""Whom a Want is asked of, and where an upstream sends it to: pure.

In: a Want, a Location. Out: places. Never: a judgement; a place at a mirror under the mirror's own
name: policies know the public one.
"""

from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from cleanroom.decide.mirror import HTTPS_PORT, public_place
from cleanroom.gateway.source import Want


class Place(NamedTuple):
    """Whom a connection is kept for.

    SECURITY: `is_of_operator` belongs to it: by the operator's word a name may be private, by a
    policy's it may not, and policies can name a mirror's host as one of a registry.
    """

    sandbox_id: str
    host: str
    port: int
    is_of_operator: bool


def place_of(want: Want) -> Place:
    """Return whom it is asked of: a connection is kept for that."""
    mirror, stored = want.mirror, want.stored
    if stored is not None:
        return Place(want.sandbox_id, stored.host, stored.port, is_of_operator=True)
    if mirror is not None:
        return Place(want.sandbox_id, mirror.name, mirror.port, is_of_operator=True)
    return Place(want.sandbox_id, want.host, HTTPS_PORT, is_of_operator=False)


def named(want: Want) -> str:
    """Return whom it is asked of, in a sentence."""
    if want.stored is not None:
        return f"{want.stored.label}, storage of the mirror of {want.host},"
    return want.host if want.mirror is None else f"{want.mirror.label}, the mirror of {want.host},"


def redirected(want: Want, location: str) -> tuple[str, str] | None:
    """Return host and target of a redirect; None if it is no plain https URL."""
    mirror = want.mirror
    path = want.grant.path
    at = f"https://{want.host}{path}"
    if mirror is not None:
        at = f"https://{mirror.label}{mirror.path_of(path)}"
    try:
        parts = urlsplit(urljoin(at, location))
        port = parts.port or HTTPS_PORT
    except ValueError:
        return None
    if parts.scheme != "https" or "@" in parts.netloc:
        return None
    host, path = parts.hostname or "", parts.path or "/"
    if mirror is not None:
        public = public_place(want.mirrors, want.host, (host, port), path)
        if public[0]:
            return public
    return (host, path) if port == HTTPS_PORT else None
