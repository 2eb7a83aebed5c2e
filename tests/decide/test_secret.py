"""Where a secret may go, as a table (S1, S2); everything else is a violation."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.decide.secret import Finder, SecretRef, Spot, Use, decide_use, repeated_in
from cleanroom.errors import Code
from cleanroom.policy.model import GitScope, SecretBinding

GH = SecretBinding("gh", "GH_TOKEN", ("api.example",))
REF = SecretRef("ghp_000000000000", GH)
GOOD = Use(Spot.HEADER, "api.example", 443, True, "GET", "/user", "Authorization")  # noqa: FBT003


def verdict(use: Use, **binding: object) -> str:
    """Return why a use is refused, "" if it is allowed."""
    ref = SecretRef(REF.placeholder, dataclasses.replace(GH, **binding))  # type: ignore[arg-type]
    deny = decide_use(ref, use)
    assert deny is None or deny.code is Code.SECRET_SCOPE_VIOLATION
    assert deny is None or REF.placeholder not in deny.reason
    return deny.reason if deny else ""


def test_a_token_header_of_its_host_is_where_it_belongs() -> None:
    assert verdict(GOOD) == ""
    for header in ("authorization", "X-API-KEY", "Private-Token"):
        assert verdict(dataclasses.replace(GOOD, header=header)) == ""
    assert verdict(dataclasses.replace(GOOD, spot=Spot.BASIC)) == ""


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"host": "evil.test"}, "to evil.test, which its binding does not name"),
        ({"host": "www.api.example"}, "to www.api.example"),
        ({"host": "example"}, "to example,"),
        ({"host": ""}, "to an address"),
        ({"port": 8443}, "to port 8443"),
        ({"port": 80, "verified": False}, "to port 80"),
        ({"verified": False}, "not verified TLS"),
        ({"header": "X-Other"}, "in the field x-other"),
        ({"header": "Referer"}, "in the field referer, where no secret belongs"),
        ({"header": "Proxy-Authorization"}, "where no secret belongs"),
        ({"header": "Proxy-Authorization", "spot": Spot.BASIC}, "where no secret belongs"),
        ({"header": "X-Api-Key", "spot": Spot.BASIC}, "in the field x-api-key"),
        *(
            ({"spot": spot}, f"in the {spot} of a request")
            for spot in Spot
            if spot not in (Spot.HEADER, Spot.BASIC)
        ),
    ],
)
def test_anywhere_else_is_a_violation(changes: dict[str, object], why: str) -> None:
    assert why in verdict(dataclasses.replace(GOOD, **changes))  # type: ignore[arg-type]


def test_a_binding_may_name_other_places() -> None:
    query = dataclasses.replace(GOOD, spot=Spot.QUERY, header="")
    assert verdict(query, target=("query",)) == ""
    assert "in the header" in verdict(GOOD, target=("query",))
    cookie = dataclasses.replace(GOOD, spot=Spot.COOKIE, header="Cookie")
    assert verdict(cookie, target=("cookie",)) == ""
    assert "where no secret" in verdict(
        dataclasses.replace(cookie, header="X-Cookie"), target=("cookie",)
    )
    own = dataclasses.replace(GOOD, header="X-Own")
    assert verdict(own, header="X-Own") == ""
    assert "authorization" in verdict(GOOD, header="X-Own")
    basic = dataclasses.replace(GOOD, spot=Spot.BASIC)
    assert "in the basic" in verdict(basic, header="X-Own")
    assert verdict(basic, target=("basic",)) == ""


@pytest.mark.parametrize(
    ("path", "good"),
    [
        ("/api/%C0%ae./x", False),
        ("/api", True), ("/api/x", True), ("/apix", False), ("/", False), ("/API", False),
        ("/api/../admin", False), ("/api/..", False), ("/api/./x", False), ("/api//x", False),
        ("/api/%2e%2e/admin", False), ("/api/%2Fx", False), ("/api/..;/x", False),
        ("/api\\..\\x", False), ("/api/%5Cx", False), ("/api/..x", True),
    ],
)  # fmt: skip
def test_a_path_that_servers_fold_is_below_nothing(path: str, good: bool) -> None:  # noqa: FBT001
    assert (verdict(dataclasses.replace(GOOD, path=path), paths=("/api",)) == "") is good


def test_methods_are_exact() -> None:
    assert verdict(GOOD, methods=("GET", "HEAD")) == ""
    assert "with the method GET" in verdict(GOOD, methods=("POST",))


GIT = GitScope(("team/*",))
FETCHED = dataclasses.replace(
    GOOD, spot=Spot.BASIC, method="POST", path="/team/lib.git/git-upload-pack"
)


def test_what_is_gits_own_goes_to_its_repositories_as_basic_or_as_a_token() -> None:
    for path in (FETCHED.path, "/team/lib/info/refs", "/team/lib.git/git-receive-pack"):
        for spot in (Spot.BASIC, Spot.HEADER):
            assert verdict(dataclasses.replace(FETCHED, spot=spot, path=path), git=GIT) == ""


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"path": "/other/lib.git/git-upload-pack"}, "to the repository other/lib, which its"),
        ({"path": "/team.git/info/refs"}, "to the repository team, which its"),
        ({"path": "/api/v4/user"}, "in a request that is none of git's"),
        ({"path": "/team/lib.git/info/lfs/objects/batch"}, "in a request for large files (LFS)"),
        ({"path": "/team/../other/lib/info/refs"}, "in a request that is none of git's"),
        ({"host": "evil.test"}, "to evil.test"),
        ({"spot": Spot.HEADER, "header": "X-Api-Key"}, "in the field x-api-key"),
        ({"spot": Spot.BODY}, "in the body of a request"),
    ],
)
def test_what_is_gits_own_goes_nowhere_else(changes: dict[str, object], why: str) -> None:
    assert why in verdict(dataclasses.replace(FETCHED, **changes), git=GIT)  # type: ignore[arg-type]


TWO = (REF, SecretRef("cleanroom_abc", SecretBinding("other", "OTHER", ("a.example",))))


@given(st.binary(max_size=20), st.binary(max_size=20), st.sampled_from(TWO))
def test_a_placeholder_is_found_in_anything(before: bytes, after: bytes, ref: SecretRef) -> None:
    placeholder = ref.placeholder.encode()
    data = before + placeholder + after
    found = list(Finder(TWO).find(data))
    assert (len(before), len(before) + len(placeholder), ref) in found
    assert Finder(TWO).longest == len(REF.placeholder)


def test_without_secrets_nothing_is_found() -> None:
    assert not list(Finder(()).find(b"anything"))
    assert Finder(()).find_folded("anything") is None


def test_a_name_is_searched_without_case_and_dots() -> None:
    finder = Finder(TWO)
    assert finder.find_folded("GHP_000000000000.evil.test") is REF
    assert finder.find_folded("ghp_000000.000000.evil.test") is REF
    assert finder.find_folded("ghp.evil.test") is None


def test_a_file_with_a_value_in_it_is_named_and_refused() -> None:
    denied = repeated_in("lib 1.0")
    assert denied.code is Code.SECRET_SCOPE_VIOLATION
    assert denied.reason == "lib 1.0 has the value of a secret in it; it was not handed over"
