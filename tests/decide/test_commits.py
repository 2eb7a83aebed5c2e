from collections.abc import Iterator

import pytest

from cleanroom.decide.artifact import Grant, Refusal, decide_request
from cleanroom.decide.commits import UNLOCKED, Commit, Commits, Named, commits_of, index_commits
from cleanroom.decide.exception import index_excepted
from cleanroom.decide.grammar import GRAMMARS
from cleanroom.decide.registries import judge_by
from cleanroom.errors import Code
from cleanroom.policy.artifact_pin import ArtifactPin
from cleanroom.policy.model import RegistryPolicy
from tests.decide.git_policies import HOST, LOCK, A, B, C, git, held, pin

TODAY = "2027-01-15"
PURL = f"pkg:generic/lib?vcs_url=git+https://{HOST}/team/lib"
REFS = "/info/refs?service=git-upload-pack"


def of(policy: RegistryPolicy, path: str = "team/lib") -> Commits:
    excepted = index_excepted(policy, GRAMMARS["git"])
    return commits_of(policy, index_commits(policy), excepted, f"{HOST}/{path}", TODAY)


@pytest.mark.parametrize("path", ["team/lib", "team/lib.git"])
def test_commits_are_those_of_this_repository_of_this_host(path: str) -> None:
    pins = (pin(B), pin(A), pin(C, "team/other"), pin(C, host="other.test"))
    commits = of(git(*pins), path)
    assert tuple(commits.names()) == (A, B)
    assert commits.find(A) == Commit(A, "lockfile", f"{LOCK}:97")
    assert commits.find(C) is None
    assert commits.lockfiles == LOCK


@pytest.mark.parametrize(
    "path", ["Team/lib", "team/lib2", "team", "team/lib.git.git", "x/team/lib"]
)
def test_another_path_is_another_repository(path: str) -> None:
    assert tuple(of(git(pin()), path).names()) == ()


@pytest.mark.parametrize("mode", ["warn", "off", ""])
def test_what_is_not_held_may_be_had(mode: str) -> None:
    commits = of(git(pin(), mode=mode))
    assert commits.find(C) == UNLOCKED
    assert tuple(commits.names()) == ((A,) if mode == "warn" else ())


def test_an_exception_names_a_commit_or_all_of_them_until_its_day() -> None:
    commits = of(git(pin(), excepted=(f"{PURL}@{C}", f"{PURL}@{A}")))
    assert commits.find(C) == Commit(C, "exception", f"exceptions: {PURL}@{C}")
    assert commits.find(A) == Commit(A, "lockfile", f"{LOCK}:97")
    assert commits.find(B) is None
    whole = of(git(excepted=(PURL,)))
    assert whole.find(B) == Commit("", "exception", f"exceptions: {PURL}")
    over = of(git(pin(), excepted=(PURL,), expires="2027-01-14"))
    assert over.find(B) is None
    other = of(git(pin(C, "team/other"), excepted=(PURL, "pkg:npm/lib@1.0.0")), "team/other")
    assert other.find(B) is None


class Unseen(dict[str, Commit]):
    """Commits of which nobody may look at each."""

    def __iter__(self) -> Iterator[str]:
        message = "all commits of a lock file are looked at"
        raise AssertionError(message)

    # All of them raise, so what they would return does not matter.
    keys = values = items = __iter__  # type: ignore[assignment]


def test_no_request_looks_at_all_commits_of_a_lock_file() -> None:
    policy = git(pin(), excepted=(f"{PURL}@{C}",))
    locked = {
        name: Named(named.digest, Unseen(named.by_name))
        for name, named in index_commits(policy).items()
    }
    excepted = index_excepted(policy, GRAMMARS["git"])
    commits = commits_of(policy, locked, excepted, f"{HOST}/team/lib", TODAY)
    assert not commits.is_none
    assert commits.find(A) == Commit(A, "lockfile", f"{LOCK}:97")
    assert commits.find(C) == Commit(C, "exception", f"exceptions: {PURL}@{C}")
    assert commits.find(B) is None
    assert {commits: 1}[of(policy)] == 1  # a view of branches is found again by them
    assert commits != of(git(pin()))
    assert commits != of(git(pin(B), excepted=(f"{PURL}@{C}",)))
    with pytest.raises(AssertionError, match="looked at"):
        tuple(commits.names())


def decide(method: str, target: str, *pins: ArtifactPin, host: str = HOST) -> Grant | Refusal:
    registries = judge_by(held(*pins)).registries
    return decide_request(registries, host, method, target, TODAY)


@pytest.mark.parametrize(
    ("method", "step"), [("GET", REFS), ("HEAD", REFS), ("POST", "/git-upload-pack")]
)
def test_a_repository_of_which_no_commit_is_pinned_is_not_asked(method: str, step: str) -> None:
    refusal = decide(method, f"/team/other.git{step}", pin())
    assert isinstance(refusal, Refusal)
    assert (refusal.deny.code, refusal.status) == (Code.LOCKFILE_VIOLATION, 403)
    assert refusal.label == "team/other.git"
    assert refusal.deny.reason == (
        f"team/other.git of {HOST} is in no lock file: {LOCK} pins no commit of it"
    )
    grant = decide(method, f"/team/lib.git{step}", pin())
    assert isinstance(grant, Grant)
    assert grant.commits is not None
    assert tuple(grant.commits.names()) == (A,)
    elsewhere = decide(method, f"/team/lib.git{step}", pin(), host="other.test")
    assert isinstance(elsewhere, Refusal)


@pytest.mark.parametrize(
    "target",
    [
        f"/team//lib{REFS}", f"/team/./lib{REFS}", f"/x/../team/lib{REFS}", f"/team/%6cib{REFS}",
        f"/team/lib/{REFS}", f"//team/lib{REFS}", f"/team%00/lib{REFS}", f"/team/lib;a{REFS}",
    ],
)  # fmt: skip
def test_a_path_with_two_readings_is_none(target: str) -> None:
    refusal = decide("GET", target, pin())
    assert isinstance(refusal, Refusal)
    assert refusal.status in (400, 403)
