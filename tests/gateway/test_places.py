"""Whom a Want is asked of, and where a redirect leads."""

import dataclasses

import pytest

from cleanroom.decide.mirror import Mirror
from cleanroom.gateway.places import named, place_of, redirected
from tests.gateway.upstreams import HOST, page, want

PLAIN = want(page())
MIRROR = Mirror(HOST, "https://m.example:8443/npm")
MIRRORED = dataclasses.replace(PLAIN, mirrors={HOST: MIRROR})


def test_a_host_with_a_mirror_is_asked_there() -> None:
    assert place_of(PLAIN) == ("sbx-a", HOST, 443)
    assert place_of(MIRRORED) == ("sbx-a", "m.example", 8443)
    assert (named(PLAIN), named(MIRRORED)) == (HOST, f"m.example:8443, the mirror of {HOST},")


@pytest.mark.parametrize(
    ("location", "plain", "mirrored"),
    [
        ("/x", (HOST, "/x"), None),
        ("/npm/x", (HOST, "/npm/x"), (HOST, "/x")),
        ("x", (HOST, "/x"), (HOST, "/x")),
        ("https://other.example", ("other.example", "/"), ("other.example", "/")),
        ("https://m.example:8443/npm/x", None, (HOST, "/x")),
        ("https://m.example:8443/npmx", None, None),
        ("http://m.example:8443/npm/x", None, None),
        ("https://u@m.example:8443/npm/x", None, None),
        ("https://other.example:99999/", None, None),
    ],
)
def test_a_redirect_leads_to_a_public_place(
    location: str, plain: tuple[str, str] | None, mirrored: tuple[str, str] | None
) -> None:
    assert redirected(PLAIN, location) == plain
    assert redirected(MIRRORED, location) == mirrored
