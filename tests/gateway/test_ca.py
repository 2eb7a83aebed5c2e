"""What a sandbox's authority vouches for, and for nothing else."""

import os
import ssl
import subprocess
import sys

import pytest
from cryptography import x509

from cleanroom.gateway import ca
from cleanroom.gateway.ca import Authority, upstream_context
from cleanroom.gateway.layers.tls_session import TlsError, TlsSession
from cleanroom.policy.opened import OpenedName
from tests.gateway.certificates import TODAY, authority, client, connect, server


def meet(shown: ssl.SSLContext, trusting: ssl.SSLContext, name: str) -> None:
    connect(TlsSession(trusting, name), TlsSession(shown))


def test_a_strict_client_that_trusts_it_believes_its_leaf() -> None:
    meet(server("a.test"), client(authority("a.test")), "a.test")


def test_a_name_below_a_wildcard_gets_its_own_leaf() -> None:
    made = authority(".w.test")
    context = made.context_for("x.y.w.test")
    assert context is not None
    meet(context, client(made), "x.y.w.test")
    assert made.context_for("w.test") is None
    assert made.context_for("xw.test") is None


def test_it_has_no_leaf_for_any_other_name() -> None:
    made = authority("a.test")
    for name in ("b.test", "x.a.test", "test", "", "a.test.evil.test"):
        assert made.context_for(name) is None
        assert not made.speaks_for(name)


def test_a_leaf_for_another_name_is_not_believed_whoever_makes_it() -> None:
    """Even with its key nobody can speak for a name, or an address, that is not among its own."""
    made = Authority([OpenedName("a.test")], TODAY)
    made._names = frozenset([OpenedName("evil.test")])
    context = made.context_for("evil.test")
    assert context is not None
    with pytest.raises(TlsError, match="permitted subtree violation"):
        meet(context, client(made), "evil.test")


def test_its_certificate_says_how_little_it_may() -> None:
    made = x509.load_pem_x509_certificate(authority("a.test", ".w.test").certificate.encode())
    limits = made.extensions.get_extension_for_class(x509.NameConstraints)
    assert limits.critical
    assert limits.value.permitted_subtrees == [x509.DNSName("a.test"), x509.DNSName("w.test")]
    basic = made.extensions.get_extension_for_class(x509.BasicConstraints)
    assert basic.value == x509.BasicConstraints(ca=True, path_length=0)
    assert made.not_valid_before_utc.timestamp() == TODAY.since
    assert made.not_valid_after_utc.timestamp() == TODAY.until


def test_two_sandboxes_do_not_trust_each_other() -> None:
    one, other = (Authority([OpenedName("a.test")], TODAY) for _ in range(2))
    context = one.context_for("a.test")
    assert context is not None
    with pytest.raises(TlsError, match=r"self-signed|unable to get"):
        meet(context, client(other), "a.test")


def test_contexts_are_kept_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ca, "MAX_CONTEXTS", 2)
    made = Authority([OpenedName("w.test", below=True)], TODAY)
    first = made.context_for("a.w.test")
    assert made.context_for("a.w.test") is first
    made.context_for("b.w.test")
    made.context_for("c.w.test")
    assert made.context_for("a.w.test") is not first


def test_a_leaf_leaves_no_descriptor_open() -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    Authority([OpenedName("a.test")], TODAY).context_for("a.test")
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_upstreams_are_verified_against_the_roots_given_and_no_others() -> None:
    roots = authority("a.test").certificate
    meet(server("a.test"), upstream_context("no certificate\n" + roots), "a.test")
    broken = roots.replace("MII", "AAA", 1)
    for wrong in ("", broken, authority("b.test").certificate):
        with pytest.raises(TlsError) as failure:
            meet(server("a.test"), upstream_context(wrong), "a.test")
        assert failure.value.certificate


def test_loading_leaves_nothing_for_later() -> None:
    """A confined process can read no module any more."""
    program = "import sys; from cleanroom.gateway import ca; ca.load(); before = set(sys.modules)\n"
    program += "ca.load(); print(set(sys.modules) - before)"
    words = (sys.executable, "-c", program)
    said = subprocess.run(words, check=True, capture_output=True, text=True, timeout=25)
    assert said.stdout == "set()\n"


def test_only_http_1_1_is_agreed_on() -> None:
    trusted = client(authority("a.test"), protocols=("h2", "http/1.1"))
    session = TlsSession(trusted, "a.test")
    connect(session, TlsSession(server("a.test")))
    assert session._tls.selected_alpn_protocol() == "http/1.1"
