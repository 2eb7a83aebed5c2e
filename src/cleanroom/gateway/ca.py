"""The certificate authority of one sandbox, and the leaves it shows there.

In: the names it may speak for, how long. Out: its certificate; a TLS context for a name.
Never: its key, or a leaf's, outside this process's memory; a leaf for a name it may not speak for;
a clock (the daemon says the times).

The authority can vouch for those names only, whoever trusts it: critical name constraints. Leaves
share one key, since it is made for this sandbox and never leaves.
"""

import contextlib
import os
import re
import ssl
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cleanroom.policy.opened import OpenedName

MAX_CONTEXTS: Final = 256  # of one sandbox; a wildcard rule may ask for any number
_CERTIFICATE: Final = re.compile("-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----")
_EVERY_ADDRESS: Final = (ip_network("0.0.0.0/0"), ip_network("::/0"))


@dataclass(frozen=True, slots=True)
class Validity:
    """From when to when, in seconds since 1970."""

    since: int
    until: int


class Authority:
    """Speaks for `names` towards one sandbox."""

    def __init__(self, names: Iterable[OpenedName], validity: Validity) -> None:
        self._names = frozenset(names)
        self._validity = validity
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._leaf_key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = self._certify_itself()
        self._contexts: OrderedDict[str, ssl.SSLContext] = OrderedDict()

    @property
    def certificate(self) -> str:
        """What the sandbox is to trust, as PEM."""
        return self._certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")

    def speaks_for(self, name: str) -> bool:
        """Tell whether it may show a certificate for `name`, canonical."""
        parents = name.split(".")[1:]
        return OpenedName(name) in self._names or any(
            OpenedName(".".join(parents[at:]), below=True) in self._names
            for at in range(len(parents))
        )

    def context_for(self, name: str) -> ssl.SSLContext | None:
        """Return the context that shows a leaf for `name`; None if it may not speak for it.

        Raises OSError when no descriptor is left to make one with.
        """
        if not self.speaks_for(name):
            return None
        context = self._contexts.get(name)
        if context is None:
            context = _server_context(self._leaf(name), self._leaf_key)
            self._contexts[name] = context
            if len(self._contexts) > MAX_CONTEXTS:
                self._contexts.popitem(last=False)
        self._contexts.move_to_end(name)
        return context

    def _certify_itself(self) -> x509.Certificate:
        names = sorted({each.value for each in self._names})
        addresses = [x509.IPAddress(each) for each in _EVERY_ADDRESS]
        return (
            self._builder(_title("cleanroom sandbox authority"), self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
            .add_extension(
                x509.NameConstraints([x509.DNSName(name) for name in names], addresses),
                critical=True,
            )
            .sign(self._key, hashes.SHA256())
        )

    def _leaf(self, name: str) -> x509.Certificate:
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        return (
            self._builder(_title("cleanroom gateway"), self._leaf_key.public_key())
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(usage, critical=False)
            .add_extension(issuer, critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(_title("cleanroom sandbox authority"))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.fromtimestamp(self._validity.since, UTC))
            .not_valid_after(datetime.fromtimestamp(self._validity.until, UTC))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )


def _title(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, text)])


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _server_context(leaf: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    # Only HTTP/1.1 has a reason phrase, and one request at a time to be judged.
    context.set_alpn_protocols(["http/1.1"])
    pem = leaf.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    # SECURITY: `ssl` reads keys from files only; this one is memory, and gone after the call.
    memory = os.memfd_create("leaf", os.MFD_CLOEXEC)
    try:
        os.write(memory, pem)
        context.load_cert_chain(f"/proc/self/fd/{memory}")
    finally:
        os.close(memory)
    return context


def load() -> None:
    """Load what making certificates and sessions loads, while it can still be read."""
    made = Authority((OpenedName("localhost"),), Validity(0, 1))
    made.context_for("localhost")
    context = upstream_context(made.certificate)
    context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="localhost")


def upstream_context(roots: str) -> ssl.SSLContext:
    """Return the context that verifies upstreams against `roots` (PEM) and nothing else.

    What OpenSSL cannot read as a certificate is not trusted.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies chain and name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the operator may trust an intermediate
    context.set_alpn_protocols(["http/1.1"])
    for certificate in _CERTIFICATE.findall(roots):
        with contextlib.suppress(ssl.SSLError):
            context.load_verify_locations(cadata=certificate)
    return context
