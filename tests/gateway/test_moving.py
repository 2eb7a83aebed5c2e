"""Where an upstream sends a Want: whom it may name, and what is said if it may not."""

from dataclasses import replace

import pytest

from cleanroom.decide.artifact import Grant, Refusal
from cleanroom.decide.mirror import Mirror
from cleanroom.decide.model import Deny
from cleanroom.decide.storage import Stored
from cleanroom.errors import Code
from cleanroom.gateway.moving import MAX_REDIRECTS, heard, judge_move
from cleanroom.gateway.source import Answer, Want
from tests.gateway.upstreams import HOST, artifact, page, want

FILE = "/ms/-/ms-2.1.3.tgz"
PLAIN = want(artifact(b"x"))
MIRROR = Mirror(HOST, "https://m.example/npm", storage=("s3.example", "m.example"))
MIRRORED = replace(PLAIN, mirrors={HOST: MIRROR})
SIGNED = "https://s3.example/b/1?sig=of-this-request"
STORED = replace(MIRRORED, stored=Stored("s3.example", 443, "/b/1?sig=of-this-request"))


def judge(asked: Want, host: str, target: str) -> Grant | Refusal:
    """Judge as a policy that names HOST and files.example, whose grammar is FILE."""
    if host not in (HOST, "files.example") or target != FILE:
        return Refusal(Deny(Code.REGISTRY_NOT_ALLOWED, f"{host}{target} is nothing"))
    return asked.grant


def move(asked: Want, location: str, count: int = 1) -> Want | Deny:
    return judge_move(judge, asked, location, count)


def refused(asked: Want, location: str, count: int = 1) -> str:
    outcome = move(asked, location, count)
    assert isinstance(outcome, Deny)
    assert outcome.code is Code.REGISTRY_NOT_ALLOWED
    assert "sig=" not in outcome.reason
    return outcome.reason


def test_a_file_of_a_mirror_may_lie_in_its_storage() -> None:
    assert move(MIRRORED, SIGNED) == STORED


def test_what_is_below_the_mirror_is_a_place_of_it_though_its_host_is_storage_too() -> None:
    assert move(MIRRORED, f"https://m.example/npm{FILE}") == MIRRORED
    assert refused(MIRRORED, "https://m.example/npm/other") == f"{HOST}/other is nothing"
    stored = move(MIRRORED, "https://m.example/files/1?sig=x")
    assert isinstance(stored, Want)
    assert stored.stored == Stored("m.example", 443, "/files/1?sig=x")


def test_another_public_host_of_the_policy_is_followed_as_before() -> None:
    assert move(MIRRORED, f"https://files.example{FILE}") == replace(MIRRORED, host="files.example")


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.example/b/1?sig=x",
        "https://evil.example:8443/b/1?sig=x",
        "http://s3.example/b/1?sig=x",
        "https://10.0.0.1/b/1?sig=x",
        "https://s3.example:8443/b/1?sig=x",
    ],
)
def test_nowhere_else(location: str) -> None:
    reason = refused(MIRRORED, location)
    assert reason.startswith(f"m.example, the mirror of {HOST}, redirects ")
    assert "/b/1" not in reason


def test_a_host_that_could_be_storage_is_named_with_the_setting() -> None:
    assert refused(MIRRORED, "https://new.example/b/1?sig=x") == (
        f"m.example, the mirror of {HOST}, redirects ms 2.1.3 to new.example, no place of it: "
        f"mirrors.{HOST}.storage in config.yaml names the hosts that have its files"
    )


def test_a_page_is_not_had_heard() -> None:
    paged = want(page(), mirrors={HOST: MIRROR})
    assert refused(paged, SIGNED).endswith(": only the files of packages are had from storage")


def test_without_a_mirror_nobody_has_storage() -> None:
    assert refused(PLAIN, SIGNED) == "s3.example/b/1 is nothing"
    assert refused(PLAIN, "http://s3.example/") == f"{HOST} redirects to where nobody may be sent"


def test_storage_sends_nobody_on() -> None:
    for location in (SIGNED, f"https://{HOST}{FILE}", "/b/2"):
        reason = refused(STORED, location)
        assert reason.startswith(f"s3.example, storage of the mirror of {HOST}, redirects on")


def test_not_for_ever() -> None:
    assert refused(MIRRORED, SIGNED, MAX_REDIRECTS + 1).endswith("redirects too often")


def test_storage_has_the_file_or_nothing() -> None:
    answer = Answer(200, (("content-type", "x/y"), ("location", SIGNED)), 3)
    assert heard(STORED, answer) == Answer(200, (("content-type", "x/y"),), 3)
    for status in (204, 206, 304, 307, 403, 404, 500):
        deny = heard(STORED, replace(answer, status=status))
        assert isinstance(deny, Deny)
        assert deny.code is Code.UPSTREAM_UNREACHABLE
        assert deny.reason == (
            f"s3.example, storage of the mirror of {HOST}, answers {status} for ms 2.1.3"
        )


def test_a_mirror_that_does_not_take_the_operators_secret_is_said() -> None:
    no = Answer(401, (), 0)
    told = replace(MIRRORED, mirrors={HOST: replace(MIRROR, auth="company")})
    deny = heard(told, no)
    assert deny == Deny(
        Code.SECRET_UNAVAILABLE,
        f"m.example, the mirror of {HOST}, answers 401: it does not take the operator's secret "
        "'company' for ms 2.1.3",
    )
    for asked in (PLAIN, MIRRORED, replace(told, host="files.example")):
        assert heard(asked, no) == no
    assert heard(told, replace(no, status=403)) == replace(no, status=403)
