"""What becomes of a page: young versions hidden, a mirror's links renamed, or both."""

import dataclasses
import json

from cleanroom.decide.artifact import Grant
from cleanroom.decide.commits import Commit, Commits, name_commits
from cleanroom.decide.mirror import Mirror
from cleanroom.gateway.refining import refining
from tests.decide.git_policies import A, B
from tests.gateway.upstreams import HOST, artifact, page, want

MIRRORS = {HOST: Mirror(HOST, "https://corp.test/npm")}
_TIMES = {"1.0.0": "1970-01-01T00:00:10Z", "2.0.0": "1970-01-01T00:01:00Z"}
PAGE = json.dumps(
    {
        "versions": {each: {"dist": {"tarball": "https://corp.test/npm/x"}} for each in _TIMES},
        "time": _TIMES,
    }
).encode()


def test_a_page_stays_as_it_is_without_either() -> None:
    assert refining(want(page()), 100.0) is None
    assert refining(want(artifact(b""), mirrors=MIRRORS), 100.0) is None


def test_each_alone() -> None:
    hide = refining(want(page(cooldown_s=60)), 100.0)
    rename = refining(want(page(), mirrors=MIRRORS), 100.0)
    assert hide is not None
    assert rename is not None
    assert list(json.loads(hide(PAGE))["versions"]) == ["1.0.0"]
    assert b"corp.test" in hide(PAGE)
    assert len(json.loads(rename(PAGE))["versions"]) == 2
    assert b"corp.test" not in rename(PAGE)


def test_both() -> None:
    both = refining(want(page(cooldown_s=60), mirrors=MIRRORS), 100.0)
    assert both is not None
    assert list(json.loads(both(PAGE))["versions"]) == ["1.0.0"]
    assert b"corp.test" not in both(PAGE)


def test_branches_of_a_repository_that_is_held_are_those_that_may_be_had() -> None:
    commits = Commits(name_commits([Commit(A, "lockfile")]), None, "x")
    grant = Grant("git", "metadata", "/lib/git-upload-pack", body=b"0000", commits=commits)
    show = refining(want(grant, mirrors=MIRRORS), 100.0)
    assert show is not None
    assert show(f"003d{B} refs/heads/main\n0000".encode()).count(A.encode()) == 1
    free = dataclasses.replace(grant, commits=None)
    assert refining(want(free, mirrors=MIRRORS), 100.0) is None


def test_who_reads_html_has_html() -> None:
    grant = dataclasses.replace(page(cooldown_s=60), manager="pypi")
    refine = refining(want(grant, accept="text/html"), 100.0)
    assert refine is not None
    assert refine(b'{"name": "x", "files": []}').startswith(b"<!DOCTYPE html>")
