"""Responses of our own, as bytes.

In: status, reason, fields, body. Out: one whole message that ends its connection, or a head.
Never: a control character or non-ASCII character in the head, whatever the texts hold.
"""

import re
from functools import lru_cache
from typing import Final

_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e]")
_REASONS: Final = {
    200: "OK", 206: "Partial Content", 304: "Not Modified", 400: "Bad Request",
    401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 410: "Gone",
    416: "Range Not Satisfiable", 429: "Too Many Requests", 500: "Internal Server Error",
    502: "Bad Gateway", 503: "Service Unavailable",
}  # fmt: skip
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


@lru_cache(maxsize=1024)
def answer_head(
    status: int,
    fields: tuple[tuple[str, str], ...],
    length: int | None,
    is_chunked: bool,  # noqa: FBT001 -- lru_cache tells calls apart by place at less cost
    is_last: bool,  # noqa: FBT001 -- likewise
) -> bytes:
    """Return the head of an answer whose body is framed like this."""
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Answer')}"]
    lines += [f"{name}: {printable(value, 8192)}" for name, value in fields]
    if is_chunked:
        lines.append("transfer-encoding: chunked")
    elif length is not None:
        lines.append(f"content-length: {length}")
    if is_last:
        lines.append("connection: close")
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")


def printable(text: str, limit: int = 1024) -> str:
    """Return `text` in printable ASCII, at most `limit` characters."""
    return _UNPRINTABLE.sub("?", text[:limit])
