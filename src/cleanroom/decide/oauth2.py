"""Tokens of OAuth 2.0 (RFC 6749): what a token endpoint is asked, what its answer means.

In: a binding's settings, the value that tokens are minted with, the bytes of an answer. Out: one
whole request; a token and how long it is good, or why there is none. Never: what the endpoint says
in free words, which may repeat what it was told.
"""

import base64
import json
import math
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

from cleanroom.decide.kinds import read_parts
from cleanroom.decide.placeholder import why_unusable
from cleanroom.policy.model import OAuth2

UNSAID_S: Final = 3600.0  # how long a token is good whose endpoint does not say
LONGEST_S: Final = 30 * 86_400.0
_OK: Final = 200
_HTTPS_PORT: Final = 443
# What an endpoint may give as a reason (5.2); another word is not repeated.
_ERRORS: Final = frozenset(
    {
        "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client",
        "unsupported_grant_type", "invalid_scope",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Minted:
    """A token, and what the next one is minted with ("" as before)."""

    token: bytes
    lasts_s: float
    refresh_token: str = ""

    def __repr__(self) -> str:
        return "Minted(***)"


def token_request(settings: OAuth2, value: bytes, rotated: str = "") -> bytes:
    """Return the request for a token. `rotated`: the refresh token that the endpoint gave last."""
    parts = read_parts(value) or {}
    text = "" if parts else value.decode("latin-1")
    is_refresh = settings.grant == "refresh_token"
    client_id = parts.get("client_id", settings.client_id)
    client_secret = parts.get("client_secret", "" if is_refresh else text)
    form = {"grant_type": settings.grant}
    if is_refresh:
        form["refresh_token"] = rotated or parts.get("refresh_token", text)
    if settings.scope:
        form["scope"] = settings.scope
    fields = []
    if client_secret and settings.client_auth == "header":
        pair = ":".join(quote_plus(each, encoding="latin-1") for each in (client_id, client_secret))
        fields.append(f"Authorization: Basic {base64.b64encode(pair.encode()).decode()}")
    else:
        form |= {"client_id": client_id} if client_id else {}
        form |= {"client_secret": client_secret} if client_secret else {}
    body = urlencode(form, encoding="latin-1").encode()
    port = "" if settings.port == _HTTPS_PORT else f":{settings.port}"
    lines = [
        f"POST {settings.path} HTTP/1.1",
        f"Host: {settings.host}{port}",
        "User-Agent: cleanroom",
        "Accept: application/json",
        "Accept-Encoding: identity",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *fields,
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def why_unmintable(settings: OAuth2, value: bytes) -> str:
    """Return why no token can be asked for with this value, "" if it can."""
    parts = read_parts(value) or {}
    if settings.grant == "refresh_token":
        return "it has no refresh_token" if parts and "refresh_token" not in parts else ""
    if parts and "client_secret" not in parts:
        return "it has no client_secret"
    if not parts.get("client_id", settings.client_id):
        return "nothing says the client's id"
    return ""


def read_answer(status: int, body: bytes) -> Minted | str:
    """Return the token of an answer, or a phrase why there is none."""
    found = _object(body)
    if status != _OK or found is None:
        error = (found or {}).get("error")
        why = f" ({error})" if isinstance(error, str) and error in _ERRORS else ""
        return f"it answers {status}{why}" if status != _OK else "its answer is no JSON object"
    token, kind = found.get("access_token"), found.get("token_type", "bearer")
    if not isinstance(token, str) or not token.isascii():
        return "its answer has no access_token"
    why = why_unusable(token.encode())
    if why:
        return f"its access_token cannot be used: {why}"
    if not isinstance(kind, str) or kind.lower() != "bearer":
        return "its token is of a type other than Bearer"
    refresh_token = found.get("refresh_token", "")
    if not isinstance(refresh_token, str) or (
        refresh_token and why_unusable(_ascii(refresh_token))
    ):
        return "its answer has a refresh_token that cannot be used"
    return Minted(token.encode(), _lasts_s(found.get("expires_in")), refresh_token)


def _ascii(text: str) -> bytes:
    """Return its bytes; nothing for what is no ASCII."""
    return text.encode() if text.isascii() else b""


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        # SECURITY: of bytes json guesses a coding, and a confined process cannot load its codec.
        found = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _lasts_s(said: object) -> float:
    """Return how long a token is good; some endpoints say it as a text."""
    if isinstance(said, str) and said.isdecimal() and len(said) < len(str(2**53)):
        said = int(said)
    if isinstance(said, bool) or not isinstance(said, int | float):
        return UNSAID_S
    if isinstance(said, float) and math.isnan(said):
        return UNSAID_S
    # SECURITY: bounded first. A number of 400 digits is no float, and would end the gateway.
    return float(min(max(said, 0), LONGEST_S))
