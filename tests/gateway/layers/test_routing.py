"""A second host in a request is seen, whatever the case of its field."""

import pytest

from cleanroom.gateway.http1.heads import parse_request
from cleanroom.gateway.layers.routing import names_second_host


@pytest.mark.parametrize(
    ("field", "second"),
    [
        ("X-Forwarded-Host: b.test", True),
        ("x_forwarded-host: b.test", True),
        ("X_Original_URL: /b", True),
        ("FORWARDED: host=b", True),
        ("X-Other: b.test", False),
    ],
)
def test_a_field_that_names_another_host_is_seen(field: str, second: bool) -> None:  # noqa: FBT001
    head = f"GET / HTTP/1.1\r\nHost: a.test\r\n{field}\r\n\r\n".encode()
    assert names_second_host(parse_request(head)) is second
