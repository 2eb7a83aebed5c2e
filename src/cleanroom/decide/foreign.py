"""What a credential looks like that is no placeholder: a token that somebody pasted into a request.

In: names and texts of a request's head. Out: whether they are a credential's. Never: a guess. A
name is one that is used for nothing else, a shape is one that an issuer gave its tokens so that
they are found; what looks like any other word (`token=`, `key=`, a page's cursor) is none.
"""

import re
from typing import Final

# Letters and digits of names of query parameters and cookies. RFC 6750 section 2.3 has the first.
_NAMES: Final = frozenset(
    {
        "accesstoken", "apikey", "apitoken", "authtoken", "bearertoken", "clientsecret",
        "deploytoken", "githubtoken", "jobtoken", "oauthtoken", "passwd", "password",
        "personalaccesstoken", "privatetoken", "refreshtoken", "secretkey", "subscriptionkey",
        "xapikey",
    }
)  # fmt: skip
_AMONG_PAIRS: Final = re.compile(rb"(?:^|[&;])(?:%b)=" % "|".join(sorted(_NAMES)).encode())
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


def is_name(name: bytes) -> bool:
    """Tell whether a query parameter or a cookie of this name holds a credential."""
    return _BETWEEN.sub(b"", name).decode("ascii").lower() in _NAMES


def is_name_among(pairs: bytes) -> bool:
    """Tell, at once for all pairs of a decoded query or Cookie, whether one may be named so."""
    return _AMONG_PAIRS.search(_BETWEEN_PAIRS.sub(b"", pairs.lower())) is not None


def is_shaped(text: bytes) -> bool:
    """Tell whether there is a word in it that has the shape of a known issuer's tokens."""
    return _SHAPES.search(text) is not None
