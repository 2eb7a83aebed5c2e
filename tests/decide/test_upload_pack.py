import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.decide.artifact import (
    SHOWN,
    Grant,
    Refusal,
    decide_request,
    warns_of,
)
from cleanroom.decide.objects import Asked
from cleanroom.decide.registries import judge_by
from cleanroom.decide.upload_pack import PACK, TALK, advertised, asked_of, decide_talk
from cleanroom.errors import Code
from cleanroom.policy.model import (
    CompiledPolicy,
    GitScope,
    PushRules,
    RegistryPolicy,
    SecretBinding,
)
from tests.decide.git_policies import LOCK, held, pin

A, B = "a" * 40, "b" * 40
ABLE = b"object-format=sha1"


def policy(**changes: object) -> CompiledPolicy:
    git = RegistryPolicy("git", enabled=True, allowed_hosts=("git.test",))
    git = dataclasses.replace(git, **changes)  # type: ignore[arg-type]
    return CompiledPolicy("sha256:0", "", registries=(git,))


def decide(method: str, target: str, **changes: object) -> Grant | Refusal:
    registries = judge_by(policy(**changes)).registries
    return decide_request(registries, "git.test", method, target, "2027-01-15")


def talk() -> Grant:
    grant = decide("POST", "/team/lib.git/git-upload-pack")
    assert isinstance(grant, Grant)
    assert (grant.kind, grant.name, grant.sites) == ("talk", "team/lib.git", ("git.test",))
    return grant


def pkt(*lines: bytes | str | int) -> bytes:
    """Return packets; a number is a mark."""
    made = b""
    for each in lines:
        if isinstance(each, int):
            made += b"%04x" % each
            continue
        text = each.encode() if isinstance(each, str) else each
        made += b"%04x%b" % (len(text) + 4, text)
    return made


def fetch(*lines: str, able: tuple[bytes, ...] = (b"agent=git/2", ABLE)) -> bytes:
    return pkt("command=fetch", *able, 1, *(f"{line}\n" for line in lines), 0)


def granted(body: bytes) -> Grant:
    grant = decide_talk(talk(), body)
    assert isinstance(grant, Grant), grant
    return grant


def refused(body: bytes) -> Refusal:
    refusal = decide_talk(talk(), body)
    assert isinstance(refusal, Refusal), refusal
    assert refusal.label == "team/lib.git"
    return refusal


def test_a_fetch_is_an_artifact_that_is_found_by_what_is_asked() -> None:
    grant = granted(fetch(f"want {A}", f"have {B}", "done"))
    assert grant.body == pkt(
        "command=fetch\n", ABLE + b"\n", 1, f"want {A}\n", f"have {B}\n", "done\n", 0
    )
    assert (grant.kind, grant.version, grant.protocol) == ("artifact", "a" * 12, "version=2")
    assert (grant.digests, grant.strength, grant.is_lasting) == ((PACK, TALK), "unlocked", True)
    assert grant.form != granted(fetch(f"want {B}", "done")).form
    assert granted(grant.body) == grant  # it is its one spelling


def test_what_a_client_says_of_itself_is_dropped() -> None:
    plain = granted(fetch(f"want {A}", able=()))
    named = granted(fetch(f"want {A}", able=(b"agent=git/2.47.3-Linux\n", b"session-id=x")))
    assert plain == named
    assert b"agent" not in named.body


def test_lists_of_branches_are_metadata() -> None:
    lines = ("peel", "symrefs", "unborn", "ref-prefix refs/heads/\u00e9", "ref-prefix HEAD")
    grant = granted(pkt("command=ls-refs\n", ABLE, 1, *(f"{each}\n" for each in lines), 0))
    assert (grant.kind, grant.version, grant.digests) == ("metadata", "", ())
    assert granted(pkt("command=ls-refs\n", 0)).body == pkt("command=ls-refs\n", 0)


@pytest.mark.parametrize("line", ["want-ref refs/heads/main", "deepen-not refs/tags/v1"])
def test_what_depends_on_a_branch_is_not_kept(line: str) -> None:
    assert not granted(fetch(f"want {A}", line)).is_lasting
    assert granted(fetch(f"want {A}", f"want {B}")).version == ""


@pytest.mark.parametrize(
    "line",
    [
        "thin-pack", "no-progress", "include-tag", "ofs-delta", "deepen 1", "deepen-relative",
        "deepen-since 1700000000", f"shallow {A}", "filter blob:none", "sideband-all",
        "wait-for-done", f"want {A}{A[:24]}",
    ],
)  # fmt: skip
def test_every_line_that_reading_needs_passes(line: str) -> None:
    assert f"{line}\n".encode() in granted(fetch(line)).body


@pytest.mark.parametrize(
    "body",
    [
        fetch("server-option=x"),
        fetch("packfile-uris https"),
        fetch("want main"),
        fetch(f"want {A} x"),
        fetch(f"want {A}\n"),
        fetch(able=(b"server-option=a",)),
        pkt("command=fetch", 1, f"want {A}", 1, 0),
        pkt("command=fetch", 1, f"want {A}"),
        pkt("command=fetch", 0, 0),
        pkt("command=object-info", 0),
        pkt("command=bundle-uri", 0),
        pkt("command=ls-refs", 1, f"want {A}", 0),
        b"",
        pkt(0),
        pkt(f"have {A}", 0),
        pkt(f"want {A} push-cert=x", 0),
        pkt(f"want {A}", 0, "evil", 0),
        pkt(f"want {A}", 1),
    ],
)
def test_a_line_that_reading_does_not_need_is_refused(body: bytes) -> None:
    refusal = refused(body)
    assert (refusal.status, refusal.deny.code) == (403, Code.REGISTRY_NOT_ALLOWED)


@pytest.mark.parametrize(
    "body",
    [
        b"00",
        b"000",
        b"GET /",
        b"0004",
        b"0002",
        b"0003",
        b"-001",
        b"00ffab",
        b"0010\xff",
        b"0000" * 40_000,
    ],
)
def test_what_is_no_packet_is_refused(body: bytes) -> None:
    refusal = refused(body)
    assert (refusal.status, refusal.deny.code) == (400, Code.PROTOCOL_NOT_ALLOWED)


def test_older_versions_are_read_too() -> None:
    able = "multi_ack_detailed side-band-64k agent=git/2 ofs-delta"
    lines = (f"want {B}\n", f"shallow {B}\n", "deepen 1\n", 0, f"have {B}\n", 0, "done\n")
    grant = granted(pkt(f"want {A} {able}\n", *lines))
    first = f"want {A} multi_ack_detailed side-band-64k ofs-delta\n"
    assert grant.body == pkt(first, *lines)
    assert (grant.protocol, grant.kind, grant.is_lasting) == ("", "artifact", True)


@given(st.lists(st.sampled_from([f"want {A}", "done", 0, 1, "x", "command=fetch", ABLE])))
def test_whatever_is_granted_has_one_spelling(lines: list[bytes | str | int]) -> None:
    verdict = decide_talk(talk(), pkt(*lines))
    if isinstance(verdict, Grant):
        assert granted(verdict.body) == verdict


@pytest.mark.parametrize(
    ("asked", "protocol"),
    [("version=2", "version=2"), ("a:version=2", "version=2"), ("version=1", ""), ("", "")],
)
def test_a_first_page_has_two_forms(asked: str, protocol: str) -> None:
    page = decide("GET", "/lib.git/info/refs?service=git-upload-pack")
    assert isinstance(page, Grant)
    assert (page.kind, page.name, page.has_versions) == ("metadata", "lib.git", False)
    found = advertised(page, asked)
    assert (found.protocol, found.form) == (protocol, f"git {protocol}".strip())


@pytest.mark.parametrize(
    ("method", "target", "words"),
    [
        ("GET", "/a/git-upload-pack", "asked by POST, not by GET"),
        ("POST", "/a/info/refs?service=git-upload-pack", "nothing else"),
        ("GET", "/a/info/refs?service=git-receive-pack", "nothing may be pushed"),
        ("GET", "/a/HEAD", "smart HTTP"),
    ],
)
@pytest.mark.parametrize("read_only", [True, False])
def test_nothing_is_pushed_whatever_the_policy_says(
    method: str, target: str, words: str, *, read_only: bool
) -> None:
    refusal = decide(method, target, read_only=read_only)
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.deny.code) == (403, Code.REGISTRY_NOT_ALLOWED)
    assert words in refusal.deny.reason


def secret(*repositories: str, host: str = "git.test") -> SecretBinding:
    return SecretBinding("a", "A", (host,), git=GitScope(repositories, PushRules(("*",))))


@pytest.mark.parametrize(
    ("method", "target", "words"),
    [
        ("POST", "/team/lib.git/git-receive-pack", ""),
        ("GET", "/team/lib/info/refs?service=git-receive-pack", ""),
        ("POST", "/other/lib.git/git-receive-pack", "only team/* may be pushed"),
        ("GET", "/team/lib.git/git-receive-pack", "is asked by POST, not by GET"),
        ("HEAD", "/team/lib/info/refs?service=git-receive-pack", "is asked by GET, not by HEAD"),
    ],
)
def test_a_push_is_for_what_a_secret_names(method: str, target: str, words: str) -> None:
    bound = dataclasses.replace(policy(), secrets=(secret("team/*"), secret("x", host="b.test")))
    found = decide_request(judge_by(bound).registries, "git.test", method, target, "2027-01-15")
    if not words:
        assert isinstance(found, Grant)
        assert (found.kind, found.path) == ("push", target)
        return
    assert isinstance(found, Refusal)
    assert found.deny.code is Code.PUSH_NOT_ALLOWED
    assert words in found.deny.reason


# --- held to commits -------------------------------------------------------------------------


PAGE = "/team/lib.git/info/refs?service=git-upload-pack"


def held_talk(policy: CompiledPolicy) -> Grant:
    registries = judge_by(policy).registries
    target = "/team/lib.git/git-upload-pack"
    grant = decide_request(registries, "git.test", "POST", target, "2027-01-15")
    assert isinstance(grant, Grant)
    return grant


def test_what_is_pinned_may_be_fetched() -> None:
    grant = decide_talk(held_talk(held(pin(A), pin(B))), fetch(f"want {B}", f"want {A}", "done"))
    assert isinstance(grant, Grant)
    assert (grant.strength, grant.pin) == ("lockfile", f"{LOCK}:97")
    branches = decide_talk(held_talk(held(pin())), pkt("command=ls-refs", 1, "peel", 0))
    assert isinstance(branches, Grant)
    assert branches.commits is not None  # its answer is seen through them


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (fetch(f"want {B}"), f" bbbbbbbbbbbb is not in {LOCK}, which pins aaaaaaaaaaaa"),
        (fetch(f"want {A}", f"want {B}"), f" bbbbbbbbbbbb is not in {LOCK}, which pins aaa"),
        (fetch(f"want {A}{A[:24]}"), f" aaaaaaaaaaaa is not in {LOCK}"),
        (fetch(f"want {A}", "want-ref refs/heads/main"), "no commit's name"),
        (fetch(f"want {A}", "filter sparse:oid=x"), "no commit's name"),
        (fetch(f"want {A}", f"shallow {B}", "deepen 2147483647"), " bbbbbbbbbbbb is deepened"),
        (fetch(f"want {A}", "deepen 1", f"shallow {B}"), "fetch without --depth"),
        (fetch(f"want {A}", "deepen-since 1", f"shallow {B}"), "fetch without --depth"),
        (fetch(f"want {A}", "deepen-not refs/x", f"shallow {B}"), "fetch without --depth"),
        (pkt(f"want {B} ofs-delta\n", 0, "done\n"), f" bbbbbbbbbbbb is not in {LOCK}"),
        (pkt(f"want {A}\n", f"want {B}\n", 0, "done\n"), f" bbbbbbbbbbbb is not in {LOCK}"),
        (pkt(f"want {A}\n", f"shallow {B}\n", "deepen 9\n", 0), "fetch without --depth"),
        (fetch(f"want {A}", f"shallow {A}", "deepen 5", f"have {A}"), "clone it anew"),
        (fetch(f"want {A}", f"shallow {A}", "deepen 1", "deepen-relative"), "clone it anew"),
        (pkt(f"want {A} filter\n", "filter blob:none\n", 0, "done\n"), "no commit's name"),
    ],
)
def test_what_is_not_pinned_may_not_be_fetched(body: bytes, why: str) -> None:
    refusal = decide_talk(held_talk(held(pin())), body)
    assert isinstance(refusal, Refusal)
    assert (refusal.deny.code, refusal.status) == (Code.LOCKFILE_VIOLATION, 403)
    assert refusal.deny.reason.startswith("team/lib.git ")
    assert why in refusal.deny.reason


def test_a_pinned_commit_may_be_had_in_part_and_again() -> None:
    body = fetch(f"want {A}", f"shallow {A}", "deepen 1", f"have {A}", f"have {B}", "done")
    again = decide_talk(held_talk(held(pin())), body)
    assert isinstance(again, Grant)
    wanted = frozenset({bytes.fromhex(A)})
    assert asked_of(again) == Asked(wanted, has_some=True, is_part=True, had=wanted)
    body = fetch(f"want {A}", f"shallow {B}", "deepen 5", f"have {B}", "done")
    assert isinstance(decide_talk(held_talk(held(pin(), pin(B))), body), Grant)
    assert isinstance(
        decide_talk(held_talk(held(pin())), fetch(f"want {A}", f"shallow {B}")), Grant
    )


@pytest.mark.parametrize("line", [f"have {B}", f"shallow {A}"])
def test_what_an_answer_must_be_is_what_was_asked(line: str) -> None:
    wanted = frozenset({bytes.fromhex(A)})
    new = decide_talk(held_talk(held(pin())), fetch(f"want {A}", "thin-pack", "done"))
    old = decide_talk(held_talk(held(pin())), pkt(f"want {A} thin-pack\n", 0, "done\n"))
    assert isinstance(new, Grant)
    assert isinstance(old, Grant)
    assert asked_of(new) == asked_of(old) == Asked(wanted)
    some = decide_talk(held_talk(held(pin())), fetch(f"want {A}", line, "thin-pack", "done"))
    assert isinstance(some, Grant)
    assert asked_of(some) == Asked(wanted, has_some=True)
    part = decide_talk(held_talk(held(pin())), fetch(f"want {A}", "deepen 1", "done"))
    assert isinstance(part, Grant)
    assert asked_of(part) == Asked(wanted, is_part=True)
    assert b"thin-pack" not in some.body  # which could not be read without what the client has
    branches = decide_talk(held_talk(held(pin())), pkt("command=ls-refs", 1, "peel", 0))
    loose = decide_talk(held_talk(held(mode="off")), fetch(f"want {A}", line, "thin-pack"))
    assert isinstance(branches, Grant)
    assert isinstance(loose, Grant)
    assert asked_of(branches) is asked_of(loose) is asked_of(talk()) is None
    assert b"thin-pack" in loose.body


def test_tags_that_would_come_along_are_not_asked_for() -> None:
    new = decide_talk(held_talk(held(pin())), fetch(f"want {A}", "include-tag", "done"))
    assert isinstance(new, Grant)
    assert b"include-tag" not in new.body
    old = decide_talk(held_talk(held(pin())), pkt(f"want {A} include-tag ofs-delta\n", 0, "done\n"))
    assert isinstance(old, Grant)
    assert old.body == pkt(f"want {A} no-progress\n", 0, "done\n")
    loose = decide_talk(held_talk(held(mode="off")), fetch(f"want {A}", "include-tag", "done"))
    assert isinstance(loose, Grant)
    assert b"include-tag" in loose.body


def test_it_is_said_that_branches_are_not_the_hosts() -> None:
    registries = judge_by(held(pin())).registries
    registry = registries["git.test"][""]
    page = decide_request(registries, "git.test", "GET", PAGE, "2027-01-15")
    branches = decide_talk(held_talk(held(pin())), pkt("command=ls-refs", 1, "peel", 0))
    fetched = decide_talk(held_talk(held(pin())), fetch(f"want {A}", "done"))
    loose = decide_talk(held_talk(held(mode="off")), pkt("command=ls-refs", 1, "peel", 0))
    for grant, said in ((page, SHOWN), (branches, SHOWN), (fetched, ""), (loose, "")):
        assert isinstance(grant, Grant)
        assert warns_of(registry, grant) == said
    assert isinstance(page, Grant)
    assert warns_of(registry, advertised(page, "version=2")) == ""


@pytest.mark.parametrize(
    ("wants", "strength"), [((A,), "lockfile"), ((A, B), "unlocked"), ((), "unlocked")]
)
def test_under_warn_it_is_said_whether_all_is_pinned(wants: tuple[str, ...], strength: str) -> None:
    talk = held_talk(held(pin(), mode="warn"))
    grant = decide_talk(talk, fetch(*(f"want {each}" for each in wants)))
    assert isinstance(grant, Grant)
    assert grant.strength == strength


def test_what_an_exception_names_is_said_to_be_one() -> None:
    purl = f"pkg:generic/lib?vcs_url=git+https://git.test/team/lib@{B}"
    policy = held(pin(), excepted=(purl,))
    grant = decide_talk(held_talk(policy), fetch(f"want {A}", f"want {B}"))
    assert isinstance(grant, Grant)
    assert (grant.strength, grant.pin) == ("exception", f"exceptions: {purl}")
