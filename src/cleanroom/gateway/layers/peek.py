"""What does a connection speak, by the first bytes the sandbox sent?

In: first bytes. Out: a Speech, or None while they could still become several. Never: a guess.
"""

import re
from enum import Enum
from typing import Final

STRICT_PORTS: Final = frozenset({80, 443})  # only TLS and HTTP pass here

_MAX_METHOD: Final = 24  # longer than any registered HTTP method
_METHOD: Final = re.compile(rb"[A-Z][A-Z-]*")
_TLS_HANDSHAKE: Final = 0x16
# The methods of RFC 9110 and PATCH, before a target in any form but CONNECT's: enough to know an
# HTTP client by, and nothing an SMTP, FTP, IRC or Redis client begins with.
_REQUEST: Final = re.compile(
    rb"(?:GET|HEAD|POST|PUT|DELETE|OPTIONS|TRACE|PATCH) (?:[/*]|https?:)|CONNECT ", re.IGNORECASE
)


class Speech(Enum):
    """What the first bytes look like."""

    TLS = "tls"
    HTTP = "http"
    OTHER = "other"


def classify(data: bytes) -> Speech | None:
    """Say what bytes on a strict port are; None: too few to say."""
    if not data:
        return None
    if data[0] == _TLS_HANDSHAKE:
        return Speech.TLS
    method, space, _ = data.partition(b" ")
    if len(method) > _MAX_METHOD or not _METHOD.fullmatch(method):
        return Speech.OTHER
    return Speech.HTTP if space else None


def sniff(first: bytes) -> Speech:
    """Say what the first piece of bytes on any other port is; undecidable is OTHER.

    Other protocols may pass there by name, so this finds clients that speak TLS or HTTP to have
    their server name or Host checked; it does not force anybody.
    """
    if first[0] == _TLS_HANDSHAKE and first[1:2] in (b"", b"\x03"):
        return Speech.TLS
    return Speech.HTTP if _REQUEST.match(first) else Speech.OTHER
