"""Whom a Want is asked of, and where a redirect leads."""

import dataclasses

import pytest

from cleanroom.decide.mirror import Mirror
from cleanroom.decide.storage import Stored
from cleanroom.gateway.places import named, place_of, redirected
from tests.gateway.upstreams import HOST, page, want

PLAIN = want(page())
MIRROR = Mirror(HOST, "https://m.example:8443/npm")
MIRRORED = dataclasses.replace(PLAIN, mirrors={HOST: MIRROR})


def test_a_host_with_a_mirror_is_asked_there() -> None:
    assert place_of(PLAIN) == ("sbx-a", HOST, 443, False)
    assert place_of(MIRRORED) == ("sbx-a", "m.example", 8443, True)
    assert (named(PLAIN), named(MIRRORED)) == (HOST, f"m.example:8443, the mirror of {HOST},")


def test_a_redirect_is_read_from_where_the_mirror_has_it() -> None:
    index = Mirror(HOST, "https://d.example/root/pypi", simple="+simple")
    grant = dataclasses.replace(PLAIN.grant, path="/simple/Six/")
    asked = dataclasses.replace(PLAIN, grant=grant, mirrors={HOST: index})
    for location in ("../six/", "/root/pypi/+simple/six/", f"https://{HOST}/simple/six/"):
        assert redirected(asked, location) == (HOST, "/simple/six/")


def test_a_file_in_storage_is_asked_there() -> None:
    stored = dataclasses.replace(MIRRORED, stored=Stored("s3.example", 443, "/x?signed"))
    assert place_of(stored) == ("sbx-a", "s3.example", 443, True)
    assert named(stored) == f"s3.example, storage of the mirror of {HOST},"


def test_what_a_policy_names_is_another_place_than_what_the_operator_names() -> None:
    """Though it is the same host: only the operator's may be private."""
    same = dataclasses.replace(PLAIN, host="m.example")
    mirror = Mirror(HOST, "https://m.example/npm")
    assert place_of(same) != place_of(dataclasses.replace(PLAIN, mirrors={HOST: mirror}))


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
