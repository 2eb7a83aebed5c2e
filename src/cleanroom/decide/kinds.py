"""What a secret's value is, by its kind: what it must look like, what is searched for in answers.

In: a kind, a value. Out: why it cannot be one; the words that must not come back. Never: a value in
a reason; a kind that is taken for another.

Another kind is one more entry of KINDS. One whose value is not what is sent (signatures, tokens)
says in its own module what is sent instead, as oauth2.py does.
"""

import json
from collections.abc import Mapping
from typing import Final, Protocol

from cleanroom.decide.placeholder import LEAST, why_unusable


class Kind(Protocol):
    """What the vault and the providers ask of a kind."""

    def why_unusable(self, value: bytes) -> str:
        """Return why a value cannot be of this kind, "" if it can; never with a part of it."""
        ...

    def words(self, value: bytes) -> tuple[bytes, ...]:
        """Return what of a value is looked for in answers."""
        ...


class Static:
    """What is sent."""

    def why_unusable(self, value: bytes) -> str:
        """Implement Kind."""
        return why_unusable(value)

    def words(self, value: bytes) -> tuple[bytes, ...]:
        """Implement Kind."""
        return (value,)


class Basic:
    """`user:password`, sent as the whole of Basic credentials."""

    def why_unusable(self, value: bytes) -> str:
        """Implement Kind."""
        why = why_unusable(value)
        if why:
            return why
        user, colon, password = value.partition(b":")
        if not user or not colon:
            return "it is not written user:password"
        if len(password) < LEAST:
            return f"its password has fewer than {LEAST} bytes"
        return ""

    def words(self, value: bytes) -> tuple[bytes, ...]:
        """Implement Kind."""
        return (value, value.partition(b":")[2])


class OAuth2:
    """What tokens are minted with: one text, or a JSON object of several (read_parts)."""

    def why_unusable(self, value: bytes) -> str:
        """Implement Kind."""
        why = why_unusable(value)
        if why:
            return why
        parts = read_parts(value)
        if parts is None:
            return f"it is a JSON object without the texts {', '.join(PARTS)}"
        for name in SECRET_PARTS:
            why = why_unusable(parts[name].encode()) if name in parts else ""
            if why:
                return f"{why} (its {name})"
        return ""

    def words(self, value: bytes) -> tuple[bytes, ...]:
        """Implement Kind."""
        parts = read_parts(value) or {}
        named = tuple(parts[name].encode() for name in SECRET_PARTS if name in parts)
        return named or (value,)


SECRET_PARTS: Final = ("refresh_token", "client_secret")
PARTS: Final = (*SECRET_PARTS, "client_id")
KINDS: Final[Mapping[str, Kind]] = {"static": Static(), "basic": Basic(), "oauth2": OAuth2()}


def read_parts(value: bytes) -> dict[str, str] | None:
    """Return the parts of a value that is a JSON object; {} of any other text, None if it is wrong.

    What else such a file says (`type`, `scopes`, a time) is passed over.
    """
    if not value.startswith(b"{"):
        return {}
    try:
        found = json.loads(value.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    parts = {name: found[name] for name in PARTS if name in found}
    whole = all(isinstance(part, str) and part.isascii() and part for part in parts.values())
    return parts if whole and parts else None
