"""Conversations with git, whose questions stand in bodies."""

import gzip
from dataclasses import replace

import pytest

from cleanroom.decide.upload_pack import TALK
from cleanroom.gateway.layers.upload import MAX_UPLOAD
from cleanroom.gateway.source import Answer, Served
from cleanroom.gateway.wire import Fetch, FetchEnded, Finish, Hold, Pause, Report, Resume
from cleanroom.policy.model import LockfilePolicy, RegistryPolicy
from tests.decide.git_policies import B, held, pin
from tests.decide.policies import policy
from tests.decide.test_upload_pack import fetch
from tests.gateway.layers.test_registry import SANDBOX, Talk, refused
from tests.gateway.playbook import Verdict
from tests.gateway.secret_talk import PLACEHOLDER, VALUE, keys

HOST = "npm.test"  # where Talk is
GIT = RegistryPolicy(
    "git", enabled=True, allowed_hosts=(HOST,), lockfile=LockfilePolicy(mode="warn")
)
POLICY = replace(policy(), registries=(GIT,))
BODY = fetch(f"want {'a' * 40}", "done")


def post(body: bytes, *fields: str) -> bytes:
    lines = ["POST /lib.git/git-upload-pack HTTP/1.1", f"Host: {HOST}", *fields]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("is_packed", [True, False])
def test_what_is_asked_is_judged_when_all_of_it_is_there(size: int, *, is_packed: bool) -> None:
    encoding = ("Content-Encoding: gzip",) if is_packed else ()
    wire = post(gzip.compress(BODY) if is_packed else BODY, *encoding, "Range: bytes=1-2")
    talk = Talk(POLICY)
    found = [each for at in range(0, len(wire), size) for each in talk.asks(wire[at : at + size])]
    pause, report, asked = (each for each in found if not isinstance(each, Hold))
    assert pause == Pause(SANDBOX)
    assert isinstance(report, Report)
    assert report.event.artifact == f"lib.git {'a' * 12}"
    assert report.event.reason == ""
    assert isinstance(asked, Fetch)
    want = asked.want
    assert (want.method, want.range, want.grant.kind) == ("POST", "", "artifact")
    assert want.grant.digests[1] == TALK
    assert b"agent" not in want.grant.body


def test_a_bound_host_is_asked_with_the_value_also_where_the_question_is_a_body() -> None:
    talk = Talk(POLICY, keys(allowed_hosts=(HOST,)), lends=True)
    wire = post(BODY, f"Authorization: Bearer {PLACEHOLDER}")
    *_, asked = [each for at in range(0, len(wire), 50) for each in talk.asks(wire[at : at + 50])]
    assert isinstance(asked, Fetch)
    assert asked.want.credential
    told = asked.want.credential.lines(HOST, asked.want.grant.path)
    assert told == (b"authorization: Bearer " + VALUE,)


@pytest.mark.parametrize("lends", [True, False])
def test_a_placeholder_in_a_question_is_a_violation(*, lends: bool) -> None:
    talk = Talk(POLICY, keys(allowed_hosts=(HOST,)), lends=lends)
    answer, event = refused(talk.asks(post(fetch(f"want-ref refs/heads/{PLACEHOLDER}"))))
    assert answer.startswith(b"HTTP/1.1 403 secret_scope_violation: ")
    assert event == Verdict("secret_scope_violation", artifact="lib.git")


def test_half_a_body_is_said_to_be_held() -> None:
    talk, wire = Talk(POLICY), post(bytes(1000))
    assert talk.asks(wire[:-400]) == [Hold(600)]
    assert talk.asks(wire[-400:-100]) == [Hold(300)]


def test_a_question_is_said_to_be_held_until_its_answer_is_over() -> None:
    talk = Talk(POLICY)
    *_, held, asked = talk.asks(post(BODY))
    assert isinstance(asked, Fetch)
    assert held == Hold(len(asked.want.grant.body))
    talk.answers(Answer(200, (), 4), b"0000")
    assert Hold(-held.size) in talk.take(FetchEnded(Served()))


def test_another_request_follows_the_answer() -> None:
    page = f"GET /lib.git/info/refs?service=git-upload-pack HTTP/1.1\r\nHost: {HOST}\r\n"
    talk = Talk(POLICY)
    assert len(talk.asks(post(BODY) + f"{page}Git-Protocol: version=2\r\n\r\n".encode())) == 4
    assert talk.answers(Answer(200, (), 4), b"0000").endswith(b"0000")
    _, _, resume, _, _, asked = talk.take(FetchEnded(Served()))
    assert resume == Resume(SANDBOX)
    assert isinstance(asked, Fetch)
    grant = asked.want.grant
    assert (grant.kind, grant.protocol, grant.form) == ("metadata", "version=2", "git version=2")


@pytest.mark.parametrize(
    ("wire", "status", "code"),
    [
        (post(b"0000"), 403, "registry_not_allowed"),
        (post(b"what"), 400, "protocol_not_allowed"),
        (post(BODY, "Content-Encoding: br"), 403, "resource_limit"),
        (post(bytes(MAX_UPLOAD + 1)), 403, "resource_limit"),
    ],
)
def test_a_body_that_may_not_be_is_refused_in_plain_text(
    wire: bytes, status: int, code: str
) -> None:
    commands = Talk(POLICY).asks(wire)
    answer, event = refused(commands)
    assert answer.startswith(f"HTTP/1.1 {status} {code}: ".encode())
    assert b"\r\nContent-Type: text/plain" in answer
    assert event == Verdict(code, artifact="lib.git")
    assert commands[-1] == Finish()


def test_what_no_lock_file_pins_is_refused_in_words_of_git() -> None:
    locked = replace(policy(), registries=held(pin(B, "lib", HOST)).registries)
    locked = replace(locked, registries=(replace(locked.registries[0], allowed_hosts=(HOST,)),))
    answer, event = refused(Talk(locked).asks(post(BODY)))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack")
    reason = b"lib.git aaaaaaaaaaaa is not in package-lock.json, which pins bbbbbbbbbbbb"
    assert b"ERR lockfile_violation: " + reason in answer
    assert event == Verdict("lockfile_violation", artifact="lib.git aaaaaaaaaaaa")
    page = f"GET /x.git/info/refs?service=git-upload-pack HTTP/1.1\r\nHost: {HOST}\r\n\r\n"
    answer, event = refused(Talk(locked).asks(page.encode()))
    assert answer.startswith(b"HTTP/1.1 403 lockfile_violation: ")
    assert event == Verdict("lockfile_violation", artifact="x.git")


def test_chunks_that_are_none_are_refused() -> None:
    wire = post(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    answer, _ = refused(Talk(POLICY).asks(wire + b"x\r\n"))
    assert answer.startswith(b"HTTP/1.1 400 protocol_not_allowed: ")
