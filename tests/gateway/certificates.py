"""Certificates for tests, of authorities that they make, and TLS peers without sockets.

Times are around the moment the file is loaded: certificates of today are valid, those of PAST not.
"""

import copy
import ssl
import time
from collections import OrderedDict
from functools import cache

from cleanroom.gateway.ca import Authority, Validity
from cleanroom.gateway.layers.tls_session import TlsSession
from cleanroom.policy.opened import OpenedName

_DAY = 86_400
_NOW = int(time.time())  # noqa: TID251 -- OpenSSL looks at the machine's clock
TODAY = Validity(_NOW - _DAY, _NOW + _DAY)
PAST = Validity(_NOW - 9 * _DAY, _NOW - 8 * _DAY)


@cache
def authority(*names: str) -> Authority:
    """Return the authority for these names; `.x.test` means those below x.test."""
    opened = [OpenedName(name.removeprefix("."), name.startswith(".")) for name in names]
    return Authority(opened, TODAY)


def server(name: str, *names: str) -> ssl.SSLContext:
    """Return the context of a server that shows a certificate for `name`, of authority(*names)."""
    context = authority(*(names or (name,))).context_for(name)
    assert context is not None
    return context


def expired_server(name: str, *names: str) -> ssl.SSLContext:
    """Return the context of a server whose certificate was good until some days ago."""
    made = copy.copy(authority(*names))
    made._validity, made._contexts = PAST, OrderedDict()
    context = made.context_for(name)
    assert context is not None
    return context


def client(*trusted: Authority, protocols: tuple[str, ...] = ()) -> ssl.SSLContext:
    """Return the context of a client that trusts these authorities, strictly."""
    context = ssl.create_default_context()
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    for each in trusted:
        context.load_verify_locations(cadata=each.certificate)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


def connect(one: TlsSession, other: TlsSession) -> None:
    """Have two sessions shake hands. Raises TlsError."""
    for _ in range(4):
        one.handshake()
        other.feed(one.take())
        other.handshake()
        one.feed(other.take())
    assert one.is_open
    assert other.is_open
