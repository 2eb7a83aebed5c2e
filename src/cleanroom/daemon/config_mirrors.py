"""`mirrors` of config.yaml: where a registry's host is asked instead, and with whose secret.

In: nothing. Out: MIRRORS, and the rule that joins them with `secrets`. Never: a value; a mirror
that is asked in plain text.
"""

from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from cleanroom.decide.mirror import HTTPS_PORT, Mirror
from cleanroom.decide.storage import read_storage
from cleanroom.policy import values
from cleanroom.policy.fields import Fields, Key, Leaf, ListOf, MapOf, Section, Wrong
from cleanroom.policy.hosts import InvalidHostError, canonical_host
from cleanroom.policy.nodes import Scalar
from cleanroom.policy.parse_secrets import SECRET_ID

MAX_MIRRORS: Final = 64
_MOST_STORAGE: Final = 16
_MOST: Final = 1024  # characters
_SHAPE: Final = "write https://NAME/PATH, without a query, a user or a password"


def _read_url(node: Scalar) -> str:
    """Return the address in its one spelling."""
    try:
        parts = urlsplit(node.text)
        host, port = canonical_host(parts.hostname or ""), parts.port
    except InvalidHostError as error:
        raise Wrong(error.message, error.hint) from error
    except ValueError as error:
        message = "it is no address"
        raise Wrong(message, _SHAPE) from error
    path = parts.path.rstrip("/")
    is_plain = node.text.isascii() and node.text.isprintable() and len(node.text) <= _MOST
    has_more = parts.query or parts.fragment or "@" in parts.netloc or " " in node.text
    has_dots = {"", ".", ".."}.intersection(path.split("/")[1:])
    if parts.scheme != "https" or not is_plain or has_more or has_dots or "%" in path:
        message = "it is no plain https address"
        raise Wrong(message, _SHAPE)
    return f"https://{host}{'' if port in (None, HTTPS_PORT) else f':{port}'}{path}"


_URL: Final = Key(
    "url",
    Leaf(_read_url, "an https address", {"type": "string", "maxLength": _MOST}),
    "",
    "What is asked: each public path below this address.",
    required=True,
)
_AUTH: Final = Key("auth", SECRET_ID, "", "The secret, of `secrets` here, that it wants.")
_USER: Final = Key(
    "user",
    values.text(r"[^:]+", "a user name", 256),
    "",
    "Whose password the secret is; without a user it is a bearer token.",
)


def _read_storage(node: Scalar) -> str:
    try:
        return read_storage(node.text)
    except InvalidHostError as error:
        raise Wrong(error.message, error.hint) from error


_STORAGE: Final = Key(
    "storage",
    ListOf(
        Leaf(_read_storage, "NAME or NAME:PORT", {"type": "string", "maxLength": 300}),
        _MOST_STORAGE,
    ),
    (),
    "Where its files lie, if it redirects to signed addresses of other hosts for them.",
)

_SIMPLE: Final = Key(
    "simple",
    values.text(r"[A-Za-z0-9+_.-]*[A-Za-z0-9+_-]", "the name of a folder", 64),
    "",
    "Where an index has its pages of projects, if not at `simple`: devpi at `+simple`.",
)


def _build(fields: Fields) -> Mirror:
    if fields.has(_USER) and not fields.has(_AUTH):
        fields.wrong(_USER, f"cannot use a user in {fields.spot.name} without a secret", "add auth")
    words = fields.read(_URL), fields.read(_AUTH), fields.read(_USER)
    return Mirror("", *words, fields.read(_STORAGE), fields.read(_SIMPLE))


MIRRORS: Final = Key(
    "mirrors",
    MapOf(
        values.host(),
        Section((_URL, _AUTH, _USER, _STORAGE, _SIMPLE), _build, "mirror"),
        MAX_MIRRORS,
        "mapping of a registry's host to url, auth, user, storage and simple",
    ),
    (),
    "Where registries are asked instead of at their own hosts. See docs/registries.md.",
    "none",
)


def read_mirrors(fields: Fields, secrets: frozenset[str]) -> tuple[Mirror, ...]:
    """Return every mirror; the secret of each must be one of these ids."""
    found = tuple(replace(each, host=host) for host, each in fields.read(MIRRORS))
    for mirror in found:
        if mirror.auth and mirror.auth not in secrets:
            message = f"cannot ask the mirror of {mirror.host} with '{mirror.auth}': "
            fields.wrong(MIRRORS, f"{message}secrets has none of this id", "add it under 'secrets'")
    return found
