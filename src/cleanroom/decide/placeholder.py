"""What stands for a secret inside: shaped like the real thing, worth nothing anywhere else.

In: the value, random bytes. Out: a placeholder. Never: a character of the value beyond a prefix
that says which product issued it.
"""

import base64
import json
import re
from typing import Final

ENTROPY_BYTES: Final = 128  # what `placeholder_like` is given
LEAST: Final = 8  # bytes of a value: a shorter one would be found in everything
MOST: Final = 16 * 1024

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# Prefix -> how many characters follow. Clients check these before they send anything.
_SHAPES: Final = {
    "github_pat_": 82, "ghp_": 36, "gho_": 36, "ghu_": 36, "ghs_": 36, "ghr_": 36,
    "glpat-": 20, "sk-ant-api03-": 95, "sk-ant-oat01-": 95, "sk-proj-": 48, "sk-": 48,
    "npm_": 36, "pypi-": 100, "hf_": 34, "AIza": 35, "xoxb-": 50, "xoxp-": 50, "dop_v1_": 64,
}  # fmt: skip
_JWT: Final = re.compile(rb"eyJ[\w-]+\.[\w-]+\.[\w-]+")
_PLAIN: Final = ("cleanroom_", 32)


def why_unusable(value: bytes) -> str:
    """Return why a value cannot be a secret, "" if it can; never with a part of it."""
    if len(value) < LEAST:
        return f"it has fewer than {LEAST} bytes" if value else "it is empty"
    if len(value) > MOST:
        return f"it has more than {MOST} bytes"
    if any(byte < 0x20 or byte == 0x7F for byte in value):
        return "it holds a line end, a NUL or another control character"
    return ""


def placeholder_like(value: bytes, entropy: bytes) -> str:
    """Return a new placeholder; `entropy` are ENTROPY_BYTES that were never used before."""
    if _JWT.fullmatch(value):
        return _jwt(entropy)
    for prefix, length in _SHAPES.items():
        if value.startswith(prefix.encode()):
            return prefix + _word(entropy, length)
    return _PLAIN[0] + _word(entropy, _PLAIN[1])


def _word(entropy: bytes, length: int) -> str:
    return "".join(_DIGITS[byte % len(_DIGITS)] for byte in entropy[:length])


def _jwt(entropy: bytes) -> str:
    head = {"alg": "HS256", "typ": "JWT"}
    claims = {"iss": "cleanroom", "jti": _word(entropy, 24), "exp": 4_102_444_800}
    return ".".join((_part(json.dumps(head)), _part(json.dumps(claims)), _word(entropy[24:], 43)))


def _part(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
