"""The Host of a request."""

import pytest

from cleanroom.decide.http import decide_host_header
from cleanroom.decide.model import Deny
from tests.decide.policies import policy

EXAMPLE = policy("a.test:80,8080", "203.0.113.0/24:80", "2001:db8::/32:80")


@pytest.mark.parametrize(
    ("host", "port", "allowed"),
    [
        ("a.test", 443, True),
        ("A.test.:443", 443, True),
        ("a.test", 8443, False),
        ("a.test:8443", 8443, True),
        ("a.test:80", 443, False),
        ("b.test", 443, False),
    ],
)
def test_inside_tls_a_host_without_a_port_means_443(
    host: str,
    port: int,
    allowed: bool,  # noqa: FBT001
) -> None:
    opened = policy("a.test:443,8443")
    verdict = decide_host_header(opened, "a.test", host, port, 443)
    assert isinstance(verdict, Deny) is not allowed


@pytest.mark.parametrize(
    ("name", "host", "port", "expected"),
    [
        ("a.test", "a.test", 80, "allowed"),
        ("a.test", "A.TEST.:80", 80, "allowed"),
        ("a.test", "a.test:8080", 8080, "allowed"),
        ("a.test", "a.test", 8080, "host_header_mismatch"),
        ("a.test", "a.test:8080", 80, "host_header_mismatch"),
        ("a.test", "a.test:", 80, "host_header_mismatch"),
        ("a.test", "a.test:080", 80, "host_header_mismatch"),
        ("a.test", "b.test", 80, "host_header_mismatch"),
        ("a.test", "", 80, "host_header_mismatch"),
        ("a.test", "a.test a.test", 80, "host_header_mismatch"),
        ("a.test", "user@a.test", 80, "host_header_mismatch"),
        ("b.test", "b.test", 80, "host_not_allowed"),
        ("a.test", "a.test:81", 81, "port_not_allowed"),
        ("203.0.113.5", "203.0.113.5", 80, "allowed"),
        ("203.0.114.5", "203.0.114.5", 80, "host_not_allowed"),
        ("2001:db8::1", "[2001:db8::1]", 80, "allowed"),
        ("2001:db8::1", "[2001:db8::1]:80", 80, "allowed"),
        ("2001:db8::1", "2001:db8::1", 80, "host_header_mismatch"),
    ],
)
def test_the_host_must_be_the_connections(name: str, host: str, port: int, expected: str) -> None:
    verdict = decide_host_header(EXAMPLE, name, host, port)
    assert expected == (verdict.code if isinstance(verdict, Deny) else "allowed")
