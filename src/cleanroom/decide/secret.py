"""Whether a secret's placeholder, found in a request, may be swapped for the value there.

In: which secret it stands for, where it was seen. Out: None, or Deny(secret_scope_violation).
Never: a value; a place that the binding does not name; a plain or unverified connection.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from cleanroom.decide.echo import Echoes
from cleanroom.decide.foreign import Cookies
from cleanroom.decide.git import asks_lfs, repository_of
from cleanroom.decide.model import Deny
from cleanroom.errors import Code
from cleanroom.policy.model import GitScope, SecretBinding
from cleanroom.policy.patterns import covered
from cleanroom.policy.widening_secrets import is_below

# Where credentials belong if a binding names no header of its own. Lower case.
TOKEN_HEADERS: Final = frozenset(
    {
        "authorization", "api-key", "apikey", "x-api-key", "x-auth-token", "x-access-token",
        "x-goog-api-key", "x-github-token", "private-token", "job-token", "deploy-token",
        "x-vault-token", "x-figma-token", "x-shopify-access-token", "x-amz-security-token",
    }
)  # fmt: skip
# Fields that servers, proxies and logs repeat, that are for the next hop, or that the gateway takes
# out of a request or writes anew: never, in any binding.
NEVER_HEADERS: Final = frozenset(
    {
        "referer", "host", "origin", "via", "forwarded", "user-agent", "range", "if-range",
        "accept-encoding", "connection", "keep-alive", "te", "trailer", "upgrade", "expect",
        "content-length", "content-type", "transfer-encoding",
    }
)  # fmt: skip
_FOLDED: Final = re.compile(r"/\.{1,2}(?:[/;]|$)|%(?:2e|2f|5c|25|c[01])", re.IGNORECASE)
_BASIC_HEADERS: Final = frozenset({"authorization"})


class Spot(StrEnum):
    """Where in what a sandbox sends a placeholder was seen; the first six can be allowed."""

    HEADER = "header"
    BASIC = "basic"  # in the decoded credentials of an Authorization: Basic
    QUERY = "query"
    FORM = "form"
    JSON = "json"
    COOKIE = "cookie"
    PATH = "path"
    FIELD_NAME = "field name"
    TRAILER = "trailer"
    BODY = "body"  # of a type that is neither form nor JSON
    NAME = "name"  # a label that was looked up, or a server name
    PLAIN = "plain bytes"  # of a connection that is not opened


class Foreign(StrEnum):
    """What becomes of a credential that is no placeholder, on its way to a bound host."""

    BLOCK = "block"
    STRIP = "strip"
    PASS = "pass"  # noqa: S105 -- the operator's word


@dataclass(frozen=True, slots=True)
class SecretRef:
    """One secret of one sandbox: what stands for it inside, and what may become of that."""

    placeholder: str  # ASCII, found as exact bytes
    binding: SecretBinding


@dataclass(frozen=True, slots=True)
class Use:
    """A placeholder on its way. `host` is canonical; `path` has no query; `header` any case.

    `verified`: the upstream proved by its certificate that it is `host`.
    """

    spot: Spot
    host: str
    port: int
    verified: bool
    method: str = ""
    path: str = ""
    header: str = ""  # for HEADER, BASIC and COOKIE


class Keyring(Protocol):
    """The secrets of one sandbox, as gateway layers see them. gateway/vault.py implements it."""

    @property
    def found(self) -> "Finder":
        """Finds every placeholder that this sandbox was ever given."""
        ...

    @property
    def cookies(self) -> Cookies:
        """What bound hosts gave this sandbox that would pass for somebody's credential."""
        ...

    def take(self, ref: SecretRef, request: object) -> bytes | Deny:
        """Return the value for one request, or why there is none: expired, revoked, used up.

        A secret for one request is given again to an equal `request`, and to no other.
        """
        ...

    def why_ended(self, host: str) -> Deny | None:
        """Return why a host is asked nothing any more: a secret that it was told is gone.

        Its answers could no longer be searched for it.
        """
        ...

    def of_operator(self, value_id: str) -> bytes | None:
        """Return a value that a mirror of the operator's wants; None if it is not here."""
        ...

    def echoes(self) -> Echoes:
        """Return what replaces the values in answers, as they are now."""
        ...


def decide_use(ref: SecretRef, use: Use) -> Deny | None:
    """Return why the value may not stand where the placeholder was seen; None if it may."""
    binding = ref.binding
    why = (
        _where(binding, use)
        or (_git(binding.git, use.path) if binding.git is not None else "")
        or _how(binding, use)
        or (_header(binding, use) if use.spot in (Spot.HEADER, Spot.BASIC, Spot.COOKIE) else "")
    )
    return violation(ref, why) if why else None


def violation(ref: SecretRef, why: str) -> Deny:
    """Return the denial; it names the secret, never its placeholder."""
    secret = ref.binding.secret_id
    return Deny(
        Code.SECRET_SCOPE_VIOLATION,
        f"the placeholder of the secret '{secret}' was sent {why}",
        ends_sandbox=ref.binding.on_violation == "terminate",
    )


def repeated_in(artifact: str) -> Deny:
    """Return the denial of a file that must stay as it is and has a value in it."""
    reason = f"{artifact} has the value of a secret in it; it was not handed over"
    return Deny(Code.SECRET_SCOPE_VIOLATION, reason)


def _where(binding: SecretBinding, use: Use) -> str:
    if use.host not in binding.allowed_hosts:
        return f"to {use.host or 'an address'}, which its binding does not name"
    if use.port not in binding.ports:
        return f"to port {use.port}, which its binding does not name"
    if not use.verified:
        return "over a connection that is not verified TLS"
    return ""


def _how(binding: SecretBinding, use: Use) -> str:
    if binding.methods and use.method not in binding.methods:
        return f"with the method {use.method[:32]}, which its binding does not name"
    if binding.paths and not any(_is_path_below(use.path, prefix) for prefix in binding.paths):
        return "below a path that its binding does not name"
    if use.spot is Spot.BASIC and "header" in binding.target and binding.header is None:
        return ""  # Basic credentials are how many clients send a token in Authorization
    if use.spot not in binding.target:
        return f"in the {use.spot} of a request, which its binding does not name"
    return ""


def _git(git: GitScope, path: str) -> str:
    name = repository_of(path)
    if not name and asks_lfs(path):
        return "in a request for large files (LFS), which cleanroom does not pass on"
    if not name:
        return "in a request that is none of git's, whose credential it is"
    if not covered(git.repositories, name):
        return f"to the repository {name[:256]}, which its binding does not name"
    return ""


def _header(binding: SecretBinding, use: Use) -> str:
    name = use.header.lower()
    never = f"in the field {name[:64]}, where no secret belongs"
    if name in NEVER_HEADERS or name.startswith("proxy-"):
        return never
    if use.spot is Spot.COOKIE:
        return "" if name == "cookie" else never
    if use.spot is Spot.BASIC or binding.git is not None:
        allowed = _BASIC_HEADERS
    elif binding.header is not None:
        allowed = frozenset({binding.header.lower()})
    else:
        allowed = TOKEN_HEADERS
    return "" if name in allowed else f"in the field {name[:64]}, which its binding does not name"


def _is_path_below(path: str, prefix: str) -> bool:
    """SECURITY: a path that servers may fold (`/a/../x`, `//`, `%2e`, `%252e`) is below nothing.

    Old ones read `%c0%ae` as a dot too; nothing that is UTF-8 has these bytes.
    """
    folds = "//" in path or "\\" in path or _FOLDED.search(path)
    return not folds and is_below(path, prefix)


class Finder:
    """Finds placeholders in bytes. Two of one sandbox never contain each other."""

    def __init__(self, refs: Iterable[SecretRef]) -> None:
        self._refs = {ref.placeholder.encode("ascii"): ref for ref in refs}
        self._lower = {placeholder.lower(): ref for placeholder, ref in self._refs.items()}
        words = b"|".join(map(re.escape, sorted(self._refs)))
        self._pattern = re.compile(words) if words else None
        self.longest = max(map(len, self._refs), default=0)
        self.refs = tuple(self._refs.values())

    def find(self, data: bytes) -> Iterator[tuple[int, int, SecretRef]]:
        """Yield start, end and meaning of each placeholder, in order."""
        if self._pattern is not None:
            for match in self._pattern.finditer(data):
                yield match.start(), match.end(), self._refs[match.group()]

    def find_folded(self, name: str) -> SecretRef | None:
        """Return the placeholder in a text whose case does not count, dots and hyphens apart."""
        text = name.lower().encode("ascii", "replace")
        plain = text.replace(b".", b"")
        for placeholder, ref in self._lower.items():
            if placeholder in text or placeholder in plain:
                return ref
        return None
