"""Where the value of a secret is, in words: a flag's, or the operator's.

In: a binding as the daemon tells it, `--secret` flags. Out: Source. Never: a value, also not in a
message about a flag: somebody may have written one there.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from cleanroom.client.reply import Reply
from cleanroom.errors import Code, Refused, UsageError

_FLAG: Final = (  # compiled when it is used: most commands do not
    r"(?P<id>[A-Za-z0-9][A-Za-z0-9._-]*)"
    r"(?P<given>=(?:fd:(?P<fd>[0-9]{1,4})|(?P<env>[A-Za-z_][A-Za-z0-9_]*)))?"
    r"(?:@(?P<hosts>[A-Za-z0-9.,-]+))?"
)
_SHAPE: Final = "write --secret ID=VARIABLE, ID=VARIABLE@HOST,…, ID=fd:3, or ID@HOST"
_LEAST_FD: Final = 3  # 0 to 2 are the command's own


class Source(NamedTuple):
    """Where one secret is: `words` are a name, a path, a number, an argv or attributes."""

    secret_id: str
    provider: str  # "env", "file", "fd", "command" or "keyring"
    words: tuple[str, ...]  # () of a flag that only names hosts
    hosts: tuple[str, ...] = ()  # approved for this run
    by_flag: bool = False

    def text(self) -> str:
        """Return it in words; of a command only its name, whose arguments may tell more.

        Of a flag nothing: somebody may have written the value where a variable's name belongs.
        """
        if self.by_flag:
            return "--secret"
        shown = self.words[:1] if self.provider == "command" else self.words
        return f"{self.provider} {' '.join(shown)}"


def given_secrets(flags: Sequence[str]) -> dict[str, Source]:
    """Return what `--secret` says. Raises UsageError."""
    given: dict[str, Source] = {}
    for flag in flags:
        found = re.fullmatch(_FLAG, flag)
        if found is None or found["id"] in given or not _is_whole(found):
            message = "cannot read --secret: it names a variable or a descriptor, once an id"
            raise UsageError(Code.REQUEST_INVALID, message, _SHAPE)
        hosts = tuple(host.lower() for host in (found["hosts"] or "").split(",") if host)
        provider, word = ("fd", found["fd"]) if found["fd"] else ("env", found["env"])
        words = (word,) if found["given"] else ()
        given[found["id"]] = Source(found["id"], provider, words, hosts, by_flag=True)
    return given


def _is_whole(found: re.Match[str]) -> bool:
    says_something = found["given"] or found["hosts"]
    return bool(says_something) and int(found["fd"] or _LEAST_FD) >= _LEAST_FD


def source_of(need: Reply, given: Mapping[str, Source]) -> Source | None:
    """Return where a binding's value is: a flag's word before the operator's; None: nobody says."""
    secret_id = need.text("id")
    if secret_id in given and given[secret_id].words:
        return given[secret_id]
    if "source" not in need:
        return None
    source = need.item("source")
    return Source(secret_id, source.text("provider"), tuple(source.texts("words")))


def no_source(secret_id: str, variable: str = "") -> Refused:
    """Return the error for a secret that nobody says where to find; `variable` is looked at."""
    message = f"cannot use the secret '{secret_id}': nothing says where its value is"
    hint = f"set {variable}, or " if variable else ""
    hint += f"--secret {secret_id}=VARIABLE, or `secrets:` in config.yaml"
    hint += " (its path: cleanroom config show)"
    return Refused(Code.SECRET_UNAVAILABLE, message, hint)
