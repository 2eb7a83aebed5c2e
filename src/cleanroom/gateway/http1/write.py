"""A response of our own, as bytes.

In: status, reason, fields, body. Out: one whole message that ends its connection.
Never: a control character or non-ASCII character in the head, whatever the texts hold.
"""

import re
from typing import Final

_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e]")
MAX_REASON: Final = 200  # characters; clients show it as it is


def encode_response(
    status: int, reason: str, fields: tuple[tuple[str, str], ...], body: bytes, *, head_only: bool
) -> bytes:
    """Return a response with `Content-Length` and `Connection: close`.

    `head_only` is for the method HEAD: the length is said, the body not sent.
    """
    lines = [f"HTTP/1.1 {status} {printable(reason, MAX_REASON)}"]
    lines += [f"{name}: {printable(value)}" for name, value in fields]
    lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode("ascii") + (b"" if head_only else body)


def printable(text: str, limit: int = 1024) -> str:
    """Return `text` in printable ASCII, at most `limit` characters."""
    return _UNPRINTABLE.sub("?", text[:limit])
