"""What may be pushed, as a table; everything else is refused with its reason."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.decide.ancestry import MAX_PACK
from cleanroom.decide.push import Pass, PushJudge, Refused, short
from cleanroom.errors import Code
from cleanroom.policy.model import PushRules
from tests.decide.test_ancestry import ONE, TWO, entry, named, pack
from tests.decide.test_push_commands import ABLE, NONE, A, B, line, push

RULES = PushRules(("agent/*", "fix"))
PACK = pack()
NEW, OLD = named(TWO), "a" * 40
CHAIN = pack(entry(1, TWO), entry(1, ONE))


def judged(data: bytes, rules: PushRules = RULES, cut: int = 1 << 20) -> Pass | Refused | None:
    judge = PushJudge("team/lib.git", rules)
    for at in range(0, len(data), cut):
        found = judge.feed(data[at : at + cut], is_whole=at + cut >= len(data))
        if found is not None:
            return found
    return None


def why(data: bytes, rules: PushRules = RULES) -> str:
    """Return why a push is refused, "" if it may pass."""
    found = judged(data, rules)
    if isinstance(found, Pass):
        return ""
    assert isinstance(found, Refused)
    assert found.deny.code is Code.PUSH_NOT_ALLOWED
    assert found.deny.reason.startswith("the push to team/lib.git is refused: ")
    return found.deny.reason


@given(st.integers(1, 90))
def test_a_new_branch_may_pass_in_any_pieces(cut: int) -> None:
    data = push(line(), line("refs/heads/fix")) + PACK
    found = judged(data, cut=cut)
    assert isinstance(found, Pass)
    assert [short(each.ref) for each in found.asked.commands] == ["agent/fix", "fix"]


@pytest.mark.parametrize(
    "ref",
    [
        "refs/heads/main", "refs/heads/agent", "refs/heads/agents/x", "refs/heads/fix/x",
        "refs/heads/Agent/x", "refs/heads/xagent/x",
    ],
)  # fmt: skip
def test_a_branch_is_one_that_the_rules_name(ref: str) -> None:
    said = why(push(line(ref)) + PACK)
    assert f"{ref} is none of the branches that may be pushed: agent/*, fix" in said


@pytest.mark.parametrize(
    "ref",
    ["refs/tags/v1", "HEAD", "refs/for/main", "refs/changes/01/1/1", "refs/pull/1/head", "fix",
     "agent/x", "refs/headsx", "refs/remotes/origin/fix", "refs/meta/config", "REFS/heads/fix"],
)  # fmt: skip
def test_nothing_but_branches_is_pushed_even_if_every_branch_may_be(ref: str) -> None:
    rules = PushRules(("*",), force=True, delete=True)
    assert f"{ref} is no branch" in why(push(line(ref)) + PACK, rules)


@pytest.mark.parametrize(
    "branch",
    ["", "agent/", "agent//x", "agent/../main", "agent/.x", "agent/x.", "agent/x.lock",
     "agent/x.lock/y", "agent/x@{1}", "agent/x~1", "agent/x^", "agent/x:main", "agent/x?",
     "agent/*", "agent/[x]", "agent/x\\y", "agent/-x", "@", "agent/%2e%2e"],
)  # fmt: skip
def test_a_name_has_one_reading(branch: str) -> None:
    rules = PushRules(("*", "agent/*"), force=True, delete=True)
    said = why(push(line(f"refs/heads/{branch}")) + PACK, rules)
    assert "could be read in two ways" in said


def test_one_that_may_not_be_refuses_all() -> None:
    found = judged(push(line(), line("refs/heads/main"), line("refs/tags/v1")) + PACK)
    assert isinstance(found, Refused)
    assert list(found.why) == ["refs/heads/main", "refs/tags/v1"]
    assert found.deny.reason.endswith("agent/*, fix (1 more may not either)")


@pytest.mark.parametrize("word", ["push-options", "push-cert=x", "multi_ack", "x", "ofs-deltas"])
def test_a_wish_that_pushing_does_not_need_is_refused(word: str) -> None:
    name = word.partition("=")[0]
    assert f"would be pushed with '{name}'" in why(push(line(), able=f"{ABLE} {word}") + PACK)


def test_what_git_says_of_itself_may_pass() -> None:
    able = "report-status side-band-64k quiet atomic ofs-delta session-id=a object-format=sha256"
    assert why(push(line(), able=able) + PACK) == ""


def test_a_deletion_needs_its_word() -> None:
    data = push(line(old=A, new=NONE))
    assert "needs 'delete: true'" in why(data)
    assert "needs 'delete: true'" in why(data, dataclasses.replace(RULES, force=True))
    deleting = dataclasses.replace(RULES, delete=True)
    assert why(data, deleting) == ""
    assert "is none of" in why(push(line("refs/heads/main", A, NONE)), deleting)


def test_a_branch_that_is_there_moves_on_or_needs_force() -> None:
    moved = push(line(old=OLD, new=NEW))
    assert why(moved + CHAIN) == ""
    for data in (
        moved + PACK,
        moved + pack(entry(1, TWO)),
        push(line(old=B, new=NEW)) + CHAIN,
        push(line(old=OLD, new=B)) + CHAIN,
    ):
        assert "is not proven to follow what it is at" in why(data)
        assert why(data, dataclasses.replace(RULES, force=True)) == ""
    both = push(line(old=OLD, new=NEW), line("refs/heads/main", OLD, NEW)) + CHAIN
    assert "refs/heads/main is none of" in why(both)


def test_what_proves_is_awaited_and_no_more() -> None:
    moved = push(line(old=OLD, new=NEW))
    judge = PushJudge("lib", RULES)
    assert judge.feed(moved, is_whole=False) is None
    assert judge.feed(CHAIN, is_whole=False) is None
    assert isinstance(judge.feed(b"", is_whole=True), Pass)
    judge = PushJudge("lib", RULES)
    assert judge.feed(moved + CHAIN, is_whole=False) is None
    assert isinstance(judge.feed(bytes(MAX_PACK), is_whole=False), Pass)
    judge = PushJudge("lib", RULES)
    assert isinstance(judge.feed(moved + PACK + bytes(MAX_PACK), is_whole=False), Refused)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (push(line()), "not followed by a pack"),
        (push(line()) + b"PAC", "not followed by a pack"),
        (push(line()) + b"0000" + PACK, "not followed by a pack"),
        (push(line()) + push(line("refs/heads/main")) + PACK, "not followed by a pack"),
        (b"0000" + PACK, "nothing needs its pack"),
        (b"0000" + push(line()), "nothing needs its pack"),
        (PACK + push(line()), "git's packets"),
        (push(line())[:-4], "does not end"),
        (b"", "does not end"),
        (b"000", "does not end"),
    ],
)
def test_a_pack_stands_where_it_belongs(data: bytes, said: str) -> None:
    judge = PushJudge("team/lib.git", RULES)
    found = judge.feed(data, is_whole=True)
    assert isinstance(found, Refused)
    assert said in found.deny.reason


def test_a_pack_behind_a_deletion_is_refused_when_it_comes() -> None:
    judge = PushJudge("lib", dataclasses.replace(RULES, delete=True))
    assert judge.feed(push(line(old=A, new=NONE)), is_whole=False) is None
    assert isinstance(judge.feed(b"P", is_whole=False), Refused)


def test_a_question_whether_it_may_be_passes_when_it_has_ended() -> None:
    judge = PushJudge("lib", RULES)
    assert judge.feed(b"0000", is_whole=False) is None
    assert isinstance(judge.feed(b"", is_whole=True), Pass)
