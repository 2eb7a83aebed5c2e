"""`secrets` of config.yaml: where each value is found; and what other credentials do.

In: nothing. Out: SECRETS, FOREIGN_CREDENTIALS. Never: two providers for one secret, or a value.
"""

from typing import Final

from cleanroom.daemon.settings import SecretSource
from cleanroom.policy import values
from cleanroom.policy.fields import Fields, Key, ListOf, MapOf, Section
from cleanroom.policy.parse_secrets import MAX_SECRETS, SECRET_ID, VARIABLE

_MOST_WORDS: Final = 64

_ENV: Final = Key("env", VARIABLE, "", "The variable of the caller that holds it.")
_FILE: Final = Key(
    "file", values.text(r"/[^\0]*", "an absolute path", 4096), "", "The file that holds it."
)
_POINTER: Final = Key(
    "pointer",
    values.text(r"(?:/(?:[^/~]|~[01])*)*", "a JSON pointer", 1024),
    None,
    "Where in the file, if that is JSON: /login/token. '' is all of it.",
)
_COMMAND: Final = Key(
    "command",
    ListOf(values.text("", "a word", 4096), _MOST_WORDS, least=1),
    (),
    "The program that prints it, and its arguments; no shell.",
)
_KEYRING: Final = Key(
    "keyring", values.text_map(), (), "The attributes of an item of the Secret Service."
)
_HOSTS: Final = Key(
    "hosts",
    ListOf(values.host(), 64),
    (),
    "Hosts that it may be sent to from any workspace. Others are approved in each.",
)
_PROVIDERS: Final = (_ENV, _FILE, _COMMAND, _KEYRING)


def _build(fields: Fields) -> SecretSource:
    said = [key for key in _PROVIDERS if fields.has(key)]
    if len(said) != 1:
        names = ", ".join(key.name for key in _PROVIDERS)
        fields.spot.wrong(
            fields.place,
            f"cannot tell where {fields.spot.name} comes from: it has one of {names}",
            "name one",
        )
        return SecretSource("env", ())
    hosts = fields.read(_HOSTS)
    words: tuple[str, ...]
    if said[0] is _KEYRING:
        words = tuple(word for pair in fields.read(_KEYRING) for word in pair)
    elif said[0] is _COMMAND:
        words = fields.read(_COMMAND)
    else:
        words = (fields.read(_ENV) or fields.read(_FILE),)
    pointer = fields.read(_POINTER)
    if pointer is not None and said[0] is not _FILE:
        fields.wrong(_POINTER, f"cannot use a pointer for {fields.spot.name}: it names no file")
    elif pointer is not None:
        words = (*words, pointer)
    if not words:
        fields.wrong(said[0], f"cannot use nothing for {fields.spot.name}.{said[0].name}")
    return SecretSource(said[0].name, words, hosts)


_NEVER: Final = dict.fromkeys(("value", "token", "password"), "a value never stands in a file")

SECRETS: Final = Key(
    "secrets",
    MapOf(
        SECRET_ID,
        Section((*_PROVIDERS, _POINTER, _HOSTS), _build, "provider", elsewhere=_NEVER),
        MAX_SECRETS,
        "mapping of a secret's id to env, file, command or keyring, and hosts",
    ),
    (),
    "Where clients find the values that policies bind. See docs/secrets.md.",
    "none",
)

FOREIGN_CREDENTIALS: Final = Key(
    "foreign_credentials",
    MapOf(
        values.host(),
        values.choice("strip", "pass"),
        256,
        "mapping of a host that secrets are bound to, to strip or pass",
    ),
    (),
    "What becomes of a credential that is no placeholder on its way to such a host: strip takes it"
    " out of the request, pass lets it through. A host that is not here: the request is refused.",
    "none",
)
