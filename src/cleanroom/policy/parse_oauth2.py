"""`secrets[].oauth2`: where the gateway mints tokens, and how it asks for them.

In: fields. Out: OAUTH2. Never: a client secret or a refresh token; a token URL that is not https.
"""

import re
from typing import Final

from cleanroom.policy.fields import Fields, Key, Leaf, Section, Wrong
from cleanroom.policy.hosts import InvalidHostError, canonical_host
from cleanroom.policy.model import OAuth2
from cleanroom.policy.nodes import Scalar
from cleanroom.policy.values import choice, text

HTTPS_PORT: Final = 443
_MOST_PORT: Final = 65_535
_URL: Final = re.compile(
    r"https://(?P<host>[^/?#@:\[\]\s]+)(?::(?P<port>[1-9][0-9]{0,4}))?(?P<path>/[!-\"$->@-~]*)"
)
_NOWHERE: Final = ("", HTTPS_PORT, "/")
_WORDS: Final = "https://HOST[:PORT]/PATH without a query"


def _place(node: Scalar) -> tuple[str, int, str]:
    found = _URL.fullmatch(node.text)
    if found is None or int(found["port"] or HTTPS_PORT) > _MOST_PORT:
        reason = f"it is {_WORDS}"
        raise Wrong(reason)
    try:
        host = canonical_host(found["host"])
    except InvalidHostError as error:
        raise Wrong(error.message, error.hint) from error
    return host, int(found["port"] or HTTPS_PORT), found["path"]


_TOKEN_URL: Final = Key(
    "token_url",
    Leaf(_place, _WORDS, {"type": "string", "pattern": "^https://", "maxLength": 4096}),
    _NOWHERE,
    "Where tokens are minted. Its host has to be approved like the others.",
    required=True,
)
_GRANT: Final = Key(
    "grant",
    choice("refresh_token", "client_credentials"),
    "refresh_token",
    "What the value is: a refresh token, or a client's secret.",
    shown="refresh_token",
)
_CLIENT_ID: Final = Key(
    "client_id", text(r"[!-~]{1,256}", "a client's id"), "", "The client's id, if it has one."
)
_SCOPE: Final = Key(
    "scope", text(r"[!-~]+(?: [!-~]+)*", "words with one blank between"), "", "Scopes to ask for."
)
_CLIENT_AUTH: Final = Key(
    "client_auth",
    choice("header", "body"),
    "header",
    "Where a client's secret is told: `Authorization: Basic`, or the form.",
    shown="header",
)


def _build(fields: Fields) -> OAuth2:
    host, port, path = fields.read(_TOKEN_URL)
    grant = fields.read(_GRANT)
    return OAuth2(
        host=host,
        port=port,
        path=path,
        grant=grant,
        client_id=fields.read(_CLIENT_ID),
        scope=fields.read(_SCOPE),
        client_auth=fields.read(_CLIENT_AUTH),
    )


OAUTH2: Final[Key[OAuth2 | None]] = Key(
    "oauth2",
    Section((_TOKEN_URL, _GRANT, _CLIENT_ID, _SCOPE, _CLIENT_AUTH), _build),
    None,
    "For the kind oauth2: the gateway mints tokens with the value, and renews them.",
)
