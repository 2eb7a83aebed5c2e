"""Asking a company's proxy for a tunnel: HTTP CONNECT (RFC 9110 section 9.3.6).

In: a target; bytes the proxy sent. Out: the request; Granted, Refused, or None (more is needed).
Never: a byte of the tunnel before the proxy granted it.
"""

import re
from dataclasses import dataclass
from typing import Final

_MAX_HEAD: Final = 16 * 1024
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\r\n]*)?\r\n")
_END: Final = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Granted:
    """The tunnel is open."""


@dataclass(frozen=True, slots=True)
class Refused:
    """There is no tunnel: a phrase says why."""

    why: str


def encode_connect(host: str, port: int) -> bytes:
    """Return the request for a tunnel to a canonical name or IP address."""
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode("ascii")


class ConnectReader:
    """Reads the proxy's answer."""

    def __init__(self) -> None:
        self._head = b""

    def feed(self, data: bytes) -> Granted | Refused | None:
        """Take more bytes, which are never empty."""
        self._head += data
        if _END not in self._head:
            too_long = len(self._head) > _MAX_HEAD
            return Refused("the proxy's answer is too long") if too_long else None
        status = _STATUS.match(self._head)
        if status is None:
            return Refused("the proxy's answer is no HTTP")
        if not status[1].startswith(b"2"):
            return Refused(f"the proxy answered {status[1].decode('ascii')}")
        if not self._head.endswith(_END) or self._head.count(_END) != 1:
            # The upstream may speak first, but not before we asked it anything: a confused proxy.
            return Refused("the proxy sent bytes behind its answer")
        return Granted()
