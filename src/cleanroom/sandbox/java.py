"""A bundle of certificates as Java's own trust store, since Java reads no PEM file.

In: certificates as PEM. Out: a JKS file (version 2), which every Java since 1.2 reads.
Never: a key, a clock; the store's password protects nothing and is the customary one.
"""

import base64
import binascii
import hashlib
import re
import struct
from typing import Final

_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----([^-]*)-----END CERTIFICATE-----")
_MAGIC, _VERSION, _TRUSTED = 0xFEEDFEED, 2, 2
_PASSWORD: Final = "changeit"  # noqa: S105 -- of every Java's cacerts
_WHITENER: Final = b"Mighty Aphrodite"  # of the format's checksum


def java_trust_store(bundle: bytes) -> bytes:
    """Return the certificates of `bundle`, in order and without those that are not base64."""
    certificates = []
    for text in _PEM.findall(bundle):
        try:
            certificates.append(base64.b64decode(b"".join(text.split()), validate=True))
        except binascii.Error:
            continue  # nobody else trusts it either
    entries = [_entry(number, each) for number, each in enumerate(certificates)]
    store = struct.pack(">III", _MAGIC, _VERSION, len(entries)) + b"".join(entries)
    checksum = hashlib.sha1(  # noqa: S324 -- the format's; the file is not secret
        _PASSWORD.encode("utf-16-be") + _WHITENER + store
    )
    return store + checksum.digest()


def _entry(number: int, certificate: bytes) -> bytes:
    head = struct.pack(">I", _TRUSTED) + _text(f"root{number}") + bytes(8)  # made in 1970
    return head + _text("X.509") + struct.pack(">I", len(certificate)) + certificate


def _text(text: str) -> bytes:
    return struct.pack(">H", len(text)) + text.encode("ascii")
