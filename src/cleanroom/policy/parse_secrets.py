"""`secrets`: by reference only; where a value may be swapped in, never the value.

In: fields. Out: SecretBinding. Never: a value, a default host, a wildcard.
"""

from typing import Final

from cleanroom.policy.fields import Fields, Key, ListOf, Section
from cleanroom.policy.model import SecretBinding
from cleanroom.policy.parse_git import GIT
from cleanroom.policy.parse_oauth2 import OAUTH2
from cleanroom.policy.values import choice, duration, flag, host, port, text

MAX_SECRETS: Final = 64
MAX_SCOPE: Final = 64

SECRET_ID: Final = text(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?", "a short name")
VARIABLE: Final = text(r"[A-Za-z_][A-Za-z0-9_]{0,127}", "the name of a variable")

_ID = Key(
    "id",
    SECRET_ID,
    "",
    "The secret's name in the operator's configuration.",
    required=True,
)
_ENV = Key(
    "env",
    VARIABLE,
    "",
    "The variable that holds its placeholder inside.",
    required=True,
)
_HOSTS = Key(
    "allowed_hosts",
    ListOf(host(), MAX_SCOPE, least=1),
    (),
    "Hosts it may be sent to; they still need a network rule or a registry.",
    required=True,
)
_PORTS = Key("ports", ListOf(port(), MAX_SCOPE, least=1), (443,), "TLS ports.", shown="[443]")
_IN = Key(
    "in",
    ListOf(choice("header", "basic", "query", "form", "json", "cookie"), 6, least=1),
    ("header",),
    "Places of a request where it is swapped in.",
    shown="[header]",
)
_HEADER = Key(
    "header",
    text(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}", "the name of a header"),
    None,
    "One header only. Unset: Authorization and the well-known token headers.",
)
_PATHS = Key(
    "paths",
    ListOf(text(r"/[!-~]*", "a path that begins with '/'"), MAX_SCOPE),
    (),
    "Only below these paths. Empty: any.",
    shown="[]",
)
_METHODS = Key(
    "methods",
    ListOf(text(r"[A-Z]{1,16}", "a method in capitals"), 16),
    (),
    "Only with these methods. Empty: any.",
    shown="[]",
)
_TTL = Key("ttl", duration(1, 30 * 86_400), 900, "How long it is valid in a sandbox.", shown="15m")
_SINGLE_USE = Key(
    "single_use", flag(), default=False, meaning="Good for one request.", shown="false"
)
_ON_VIOLATION = Key(
    "on_violation",
    choice("block", "terminate"),
    "block",
    "What happens when the placeholder is seen where it may not go.",
    shown="block",
)
_REQUIRED = Key(
    "required",
    flag(),
    default=True,
    meaning="Do not start without it.",
    shown="true",
)
_KIND = Key(
    "kind",
    choice("static", "basic", "oauth2"),
    "static",
    "What the value is: what is sent; `user:password`; what tokens are minted with.",
    shown="static",
)
_KEYS = (
    _ID, _ENV, _KIND, _HOSTS, _PORTS, _IN, _HEADER, _PATHS, _METHODS, _TTL, _SINGLE_USE,
    _ON_VIOLATION, _REQUIRED, OAUTH2, GIT,
)  # fmt: skip
# git decides these itself.
_NOT_OF_GIT = (_PORTS, _IN, _HEADER, _PATHS, _METHODS, _SINGLE_USE)


def _build_secret(fields: Fields) -> SecretBinding:
    kind = fields.read(_KIND)
    _check_kind(fields, kind)
    for key in _NOT_OF_GIT if fields.has(GIT) else ():
        if fields.has(key):
            message = f"cannot use '{key.name}' beside 'git': git's credential goes where git does"
            fields.wrong(key, message, "leave it out")
    if kind == "basic" and fields.has(GIT):
        fields.wrong(_KIND, "cannot use the kind basic beside 'git'", "write git.username")
    return SecretBinding(
        kind=kind,
        oauth2=fields.read(OAUTH2),
        secret_id=fields.read(_ID),
        env=fields.read(_ENV),
        allowed_hosts=fields.read(_HOSTS),
        target=("basic",) if kind == "basic" else fields.read(_IN),
        ttl_s=fields.read(_TTL),
        single_use=fields.read(_SINGLE_USE),
        ports=fields.read(_PORTS),
        header=fields.read(_HEADER),
        paths=fields.read(_PATHS),
        methods=fields.read(_METHODS),
        on_violation=fields.read(_ON_VIOLATION),
        required=fields.read(_REQUIRED),
        git=fields.read(GIT),
        place=fields.place_of(_ID),
    )


def _check_kind(fields: Fields, kind: str) -> None:
    if kind == "oauth2" and not fields.has(OAUTH2):
        hint = "oauth2: {token_url: https://HOST/PATH}"
        fields.wrong(_KIND, "cannot mint tokens: nothing says where", hint)
    if kind != "oauth2" and fields.has(OAUTH2):
        fields.wrong(OAUTH2, f"cannot use this for the kind {kind}", "write 'kind: oauth2'")
    for key in (_IN, _HEADER) if kind == "basic" else ():
        if fields.has(key):
            message = f"cannot use this for {fields.spot.inside(key.name).name}"
            fields.wrong(key, f"{message}: the kind basic goes in Authorization", "leave it out")


_NEVER = dict.fromkeys(("value", "token", "password"), "a value never stands in a policy")

SECRET: Final = Section(_KEYS, _build_secret, "secret", elsewhere=_NEVER)
SECRETS: Final = Key(
    "secrets",
    ListOf(SECRET, MAX_SECRETS),
    (),
    "Secrets by reference. What runs inside sees a placeholder; the gateway swaps it.",
    shown="[]",
)
