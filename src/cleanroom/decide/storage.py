"""Storage: where the files of a mirror lie, behind addresses that it signs for each who asks.

In: a mirror, where it redirects to. Out: Stored, or None. Never: a host that the operator did not
list; a changed letter of what was signed.

SECURITY: a signed address is a secret of its own: whoever has it has the file. It is sent to its
host alone, and no sentence, audit line or key of the cache has more of it than the host.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from cleanroom.decide.artifact import Grant
from cleanroom.decide.mirror import HTTPS_PORT, Mirror
from cleanroom.decide.pypi import SIDE_FILES
from cleanroom.policy.hosts import InvalidHostError, canonical_host, parse_port

# What belongs to one file, and products keep with it.
_BESIDE: Final = {"pypi": SIDE_FILES, "go": (".info",)}
# As RFC 3986 has it, but for what has no place in a request: nothing is repaired.
_ADDRESS: Final = re.compile(
    r"https://([A-Za-z0-9.-]{1,253})(?::([0-9]{1,5}))?(/[\x21\x22\x24-\x7e]{0,8191})",
)


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a file lies. `target` is path and query as they were signed."""

    host: str
    port: int
    target: str = field(repr=False)

    @property
    def label(self) -> str:
        """What the operator calls it, and requests: NAME, or NAME:PORT."""
        return label_of(self.host, self.port)


def may_be_stored(grant: Grant) -> bool:
    """Tell whether it is a file, or belongs to one; pages are the mirror's own to say."""
    beside = grant.kind == "metadata" and grant.path.endswith(_BESIDE.get(grant.manager, ()))
    is_file = grant.kind == "artifact" and grant.manager != "git"  # whose packs are asked by POST
    return is_file or beside


def label_of(host: str, port: int) -> str:
    """Return NAME, or NAME:PORT where that is not the port of https."""
    return host if port == HTTPS_PORT else f"{host}:{port}"


def read_storage(text: str) -> str:
    """Return a place of storage in its one spelling. Raises InvalidHostError."""
    name, colon, port = text.partition(":")
    host = canonical_host(name)
    return label_of(host, parse_port(port) if colon else HTTPS_PORT)


def stored_at(mirror: Mirror, location: str) -> Stored | None:
    """Return where a mirror sends somebody for a file, if that is storage of it."""
    found = _ADDRESS.fullmatch(location)
    if found is None:
        return None
    host, port, target = found[1].lower(), int(found[2] or HTTPS_PORT), found[3]
    return Stored(host, port, target) if label_of(host, port) in mirror.storage else None


def named_by(location: str) -> str:
    """Return the host that a redirect leads to, as the operator would list it; "" if none."""
    found = _ADDRESS.fullmatch(location)
    if found is None:
        return ""
    try:
        return read_storage(location.partition("://")[2].partition("/")[0])
    except InvalidHostError:
        return ""
