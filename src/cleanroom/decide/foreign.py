"""What a credential looks like that is no placeholder: a token that somebody pasted into a request.

In: names and texts of a request's head. Out: whether they are a credential's. Never: a guess. A
name is one that is used for nothing else, a shape is one that an issuer gave its tokens so that
they are found; what looks like any other word (`token=`, `key=`, a page's cursor) is none.
"""

import hashlib
import re
from typing import Final

# Letters and digits of names of fields, query parameters and cookies, an `x` before them apart.
# RFC 6750 section 2.3 has the first.
_NAMES: Final = frozenset(
    {
        "accesstoken", "apikey", "apitoken", "authorization", "authtoken", "bearertoken",
        "clientsecret", "deploytoken", "githubtoken", "jobtoken", "oauthtoken", "passwd",
        "password", "personalaccesstoken", "privatetoken", "refreshtoken", "secretkey",
        "subscriptionkey",
    }
)  # fmt: skip
# A field that ends so is some vendor's: `DD-API-KEY`, `X-Rollbar-Access-Token`.
_ENDS_OF_FIELDS: Final = (
    "accesstoken", "apikey", "apitoken", "authtoken", "jwtassertion", "subscriptionkey",
)  # fmt: skip
# Somewhere in a cookie's name.
_OF_SESSIONS: Final = re.compile(r"auth|jwt|login|session|sso|token")
# `access_token[0]` is the first of a list.
_LISTED: Final = re.compile(rb"([^\[\].]*)(?:\[\d*\]|\.\d+)+")
_AMONG_PAIRS: Final = re.compile(rb"(?:^|[&;])x?(?:%b)\d*=" % "|".join(sorted(_NAMES)).encode())
_BETWEEN_PAIRS: Final = re.compile(rb"[^a-z0-9&;=]+")
_BETWEEN: Final = re.compile(rb"[^A-Za-z0-9]+")
_SHAPES: Final = re.compile(
    rb"(?<![A-Za-z0-9])(?:"
    rb"gh[opsur]_[A-Za-z0-9]{36}|github_pat_\w{60}|glpat-[\w-]{20}"
    rb"|sk-(?:ant|proj|svcacct)-[\w-]{32}|sk-or-v1-\w{32}|sk-[A-Za-z0-9]{40}"
    rb"|sk_live_[A-Za-z0-9]{24}|AIza[\w-]{35}|hf_[A-Za-z0-9]{34}|npm_[A-Za-z0-9]{36}"
    rb"|pypi-[\w-]{85}|xox[abeprs]-[A-Za-z0-9-]{40}|dop_v1_[0-9a-f]{64}"
    rb")"
)
# RFC 7519: signed ones have three parts, encrypted ones five. The first is JSON, so is the second
# of those that are signed.
_JWT: Final = re.compile(
    rb"(?<![\w.-])eyJ[\w-]+\.(?:e[\w-]+\.[\w-]*|[\w-]*\.[\w-]+\.[\w-]+\.[\w-]+)(?![\w.-])"
)
MOST_GIVEN: Final = 64


def is_name(name: bytes) -> bool:
    """Tell whether a query parameter or a cookie of this name holds a credential."""
    listed = _LISTED.fullmatch(name)
    return _is_credential(_letters(name if listed is None else listed[1]))


def is_field(name: str) -> bool:
    """Tell whether a field of this name holds a credential, whoever reads it."""
    letters = _letters(name.encode("latin-1", "replace"))
    return _is_credential(letters) or letters.endswith(_ENDS_OF_FIELDS)


def is_session(name: bytes, value: bytes) -> bool:
    """Tell whether a cookie says that it is somebody's session, and is a JWT."""
    return _OF_SESSIONS.search(_letters(name)) is not None and has_jwt(value)


def has_jwt(text: bytes) -> bool:
    """Tell whether there is a JWT in it."""
    return b"eyJ" in text and _JWT.search(text) is not None


def is_name_among(pairs: bytes) -> bool:
    """Tell, at once for all pairs of a decoded query or Cookie, whether one may be named so."""
    return _AMONG_PAIRS.search(_BETWEEN_PAIRS.sub(b"", pairs.lower())) is not None


def is_shaped(text: bytes) -> bool:
    """Tell whether there is a word in it that has the shape of a known issuer's tokens."""
    return _SHAPES.search(text) is not None


class Cookies:
    """The credentials that hosts gave a sandbox as cookies: each may have its own back.

    The newest MOST_GIVEN, and no value: only what it is known by.
    """

    def __init__(self) -> None:
        self._given: dict[bytes, None] = {}

    def give(self, host: str, said: bytes) -> None:
        """Remember what a host's Set-Cookie says, if it is a credential."""
        name, _, value = said.partition(b";")[0].partition(b"=")
        if is_name(name) or is_session(name, value) or is_shaped(value):
            known = _known(host, value)
            self._given.pop(known, None)
            self._given[known] = None
            if len(self._given) > MOST_GIVEN:
                del self._given[next(iter(self._given))]

    def has(self, host: str, value: bytes) -> bool:
        """Tell whether this host gave that value."""
        return bool(self._given) and _known(host, value) in self._given


def _known(host: str, value: bytes) -> bytes:
    return hashlib.sha256(b"%b %b" % (host.encode(), value.strip(b' \t"'))).digest()


def _letters(name: bytes) -> str:
    return _BETWEEN.sub(b"", name).decode("ascii").lower()


def _is_credential(letters: str) -> bool:
    return letters in _NAMES or letters.removeprefix("x") in _NAMES
