"""Whom a Want is asked of, and where an upstream sends it to: pure.

In: a Want, a Location. Out: places. Never: a judgement; a place at a mirror under the mirror's own
name: policies know the public one.
"""

from urllib.parse import urljoin, urlsplit

from cleanroom.decide.mirror import HTTPS_PORT, public_place
from cleanroom.gateway.source import Want

Place = tuple[str, str, int]  # sandbox, name, port


def place_of(want: Want) -> Place:
    """Return whom it is asked of: a connection is kept for that."""
    mirror = want.mirror
    host, port = (want.host, HTTPS_PORT) if mirror is None else (mirror.name, mirror.port)
    return want.sandbox_id, host, port


def named(want: Want) -> str:
    """Return whom it is asked of, in a sentence."""
    return want.host if want.mirror is None else f"{want.mirror.label}, the mirror of {want.host},"


def redirected(want: Want, location: str) -> tuple[str, str] | None:
    """Return host and target of a redirect; None if it is no plain https URL."""
    mirror = want.mirror
    base = f"https://{want.host}" if mirror is None else mirror.url
    try:
        parts = urlsplit(urljoin(f"{base}{want.grant.path}", location))
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
