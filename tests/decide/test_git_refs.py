"""Lists of branches as they were sent, and as they are seen by who may have some commits."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.decide.artifact import Grant
from cleanroom.decide.commits import NONE_NAMED, UNLOCKED, Commit, Commits, name_commits
from cleanroom.decide.cooldown import UnreadableError
from cleanroom.decide.git_refs import holding
from tests.decide.git_policies import A, B, C
from tests.decide.test_upload_pack import pkt

D = "d" * 40
ABLE = "multi_ack symref=HEAD:refs/heads/main filter include-tag agent=git/2"


def grant(*commits: str, body: bytes = b"0000") -> Grant:
    named = name_commits(Commit(each, "lockfile") for each in commits)
    return Grant("git", "metadata", "/lib", body=body, commits=Commits(named, None, "x"))


def seen(page: bytes, *commits: str, body: bytes = b"0000") -> bytes:
    show = holding(grant(*commits, body=body))
    assert show is not None
    return show(page)


def refs(*lines: str) -> bytes:
    return pkt(*(f"{line}\n" for line in lines), 0)


def test_branches_are_at_what_may_be_had() -> None:
    page = refs(
        f"{D} HEAD symref-target:refs/heads/main",
        f"{D} refs/heads/main",
        f"{B} refs/heads/old",
        f"{A} refs/pull/1/head",
        f"{D} refs/pull/2/head",
        f"{C} refs/tags/v1 peeled:{A}",
        f"{C} refs/tags/v2 peeled:{D}",
        f"{B} refs/tags/v3",
    )
    assert seen(page, A, B) == refs(
        f"{A} HEAD symref-target:refs/heads/main",
        f"{A} refs/heads/main",
        f"{B} refs/heads/old",
        f"{A} refs/pull/1/head",
        f"{A} refs/tags/v1",
        f"{B} refs/tags/v3",
    )


def test_a_commit_that_no_branch_is_at_has_a_branch_of_its_own() -> None:
    own = [f"{each} refs/heads/locked-{each[:12]}" for each in (A, B)]
    assert seen(refs(f"{A} refs/tags/v1"), A, B) == refs(*own, f"{A} refs/tags/v1")
    assert seen(refs("unborn HEAD symref-target:refs/heads/main"), A) == refs(own[0])
    assert seen(refs(), A) == refs(own[0])
    taken = f"{D} refs/heads/locked-{B[:12]}"
    assert seen(refs(taken), A, B) == refs(f"{B} refs/heads/locked-{B[:12]}")


@pytest.mark.parametrize("head", [("# service=git-upload-pack\n", 0), ()])
def test_the_first_page_of_version_2_loses_what_no_commit_bounds(
    head: tuple[str | int, ...],
) -> None:
    lines = ("version 2\n", "agent=git/2\n", "ls-refs=unborn\n")
    page = pkt(
        *head,
        *lines,
        "fetch=shallow wait-for-done filter ref-in-want sideband-all\n",
        "server-option\n",
        0,
    )
    cut = pkt(*head, *lines, "fetch=shallow wait-for-done\n", "server-option\n", 0)
    assert seen(page, A, body=b"") == cut


def test_the_first_page_of_older_versions_is_a_list_of_branches() -> None:
    page = pkt(
        *("# service=git-upload-pack\n", 0, f"{D} HEAD\0{ABLE}\n", f"{D} refs/heads/main\n"),
        *(f"{C} refs/tags/v1\n", f"{A} refs/tags/v1^{{}}\n", f"shallow {D}\n", 0),
    )
    assert seen(page, A, body=b"") == pkt(
        *("# service=git-upload-pack\n", 0),
        f"{A} HEAD\0multi_ack symref=HEAD:refs/heads/main agent=git/2\n",
        *(f"{A} refs/heads/main\n", f"{A} refs/tags/v1\n", f"shallow {D}\n", 0),
    )
    empty = pkt(f"{'0' * 40} capabilities^{{}}\0multi_ack\n", 0)
    own = f"{A} refs/heads/locked-{A[:12]}\0multi_ack\n"
    assert seen(empty, A, body=b"") == pkt(own, 0)


@pytest.mark.parametrize(
    "page",
    [
        b"",
        b"what",
        pkt("# service=git-upload-pack\n"),
        pkt("# service=git-upload-pack\n", "version 2\n", 0),
        pkt("# service=git-upload-pack\n", 0),
        pkt("version 1\n", f"{A} HEAD\0\n", 0),
        pkt(f"{A} refs/heads/main\0\n"),
        pkt(f"{A} refs/heads/main\0\n", 1, 0),
        pkt(f"{A} refs/heads/main\0\n", 0, 0),
        pkt(f"{A} refs/tags/v1^{{}} x\0\n", 0),
        pkt(0),
        f"{A}\trefs/heads/main\n".encode(),
    ],
)
def test_a_first_page_that_cannot_be_read_is_none(page: bytes) -> None:
    with pytest.raises(UnreadableError):
        seen(page, A, body=b"")


@pytest.mark.parametrize(
    "page",
    [
        b"",
        pkt(f"{A} HEAD\n"),
        refs(f"{A[:39]} HEAD"),
        refs(f"{A.upper()} HEAD"),
        refs(f"{A} HEAD other:x"),
        refs(f"{A} HEAD peeled:{A[:39]}"),
        refs("ERR no"),
        refs("unborn refs/heads/main"),
        pkt(f"{A} HEAD\n", 1, f"{A} refs/heads/main\n", 0),
    ],
)
def test_a_list_that_cannot_be_read_is_none(page: bytes) -> None:
    with pytest.raises(UnreadableError):
        seen(page, A)


def test_what_is_not_held_stays_as_it_is() -> None:
    held = grant(A)
    assert holding(held) is not None
    assert holding(dataclasses.replace(held, kind="artifact")) is None
    assert holding(dataclasses.replace(held, commits=None)) is None
    loose = Commits(NONE_NAMED, UNLOCKED, "x")
    assert holding(dataclasses.replace(held, commits=loose)) is None


OID = st.sampled_from([A, B, C, D])
NAME = st.sampled_from(["HEAD", "refs/heads/main", "refs/heads/x", "refs/tags/v1", "refs/pull/1"])
PEELED = st.one_of(st.just(""), OID.map(" peeled:{}".format))


@given(st.lists(st.tuples(OID, NAME, PEELED)), st.sampled_from([(A,), (A, B)]))
def test_no_page_names_another_object(
    said: list[tuple[str, str, str]], commits: tuple[str, ...]
) -> None:
    page = seen(refs(*(f"{oid} {name}{peeled}" for oid, name, peeled in said)), *commits)
    assert C.encode() not in page
    assert all((each.encode() in page) is (each in commits) for each in (A, B, D))
