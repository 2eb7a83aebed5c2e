"""Conversations with a git client that pushes."""

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.decide.ancestry import MAX_PACK
from cleanroom.decide.mirror import Mirror
from cleanroom.decide.model import Deny
from cleanroom.errors import Code
from cleanroom.gateway.layers import push as module
from cleanroom.gateway.wire import (
    Abort,
    Command,
    DataReceived,
    Dial,
    DialFailed,
    Dialled,
    Ended,
    Event,
    Expired,
    Finish,
    Hold,
    Report,
    Send,
    Side,
)
from cleanroom.policy.model import GitScope, PushRules, RegistryPolicy
from tests.decide.policies import policy
from tests.decide.test_push_commands import NONE, A, line, push
from tests.gateway.layers.test_registry import SANDBOX, Talk, refused
from tests.gateway.playbook import Verdict
from tests.gateway.secret_talk import PLACEHOLDER, VALUE, Keys, keys

HOST = "npm.test"  # where Talk is
UPSTREAM = Side.UPSTREAM
SCOPE = GitScope(("team/*",), PushRules(("agent/*",)))
BODY = push(line()) + b"PACK" + bytes(100)
TYPE = "Content-Type: application/x-git-receive-pack-request"
BASIC = f"Authorization: Basic {base64.b64encode(f'me:{PLACEHOLDER}'.encode()).decode()}"
TOLD = f"authorization: basic {base64.b64encode(b'me:' + VALUE).decode()}".lower().encode()
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
PAGE = "/team/lib.git/info/refs?service=git-receive-pack"


class PushTalk:
    """One connection to a git host that a secret may push to."""

    def __init__(self, scope: GitScope = SCOPE, keyring: Keys | None = None) -> None:
        self.keys = keyring or keys(allowed_hosts=(HOST,), git=scope)
        bindings = tuple(ref.binding for ref in self.keys.held)
        git = RegistryPolicy("git", enabled=True, allowed_hosts=(HOST,))
        self.talk = Talk(
            replace(policy(), registries=(git,), secrets=bindings), self.keys, lends=True
        )
        self.commands: list[Command] = []

    def take(self, event: Event) -> list[Command]:
        commands = self.talk.take(event)
        self.commands += commands
        return commands

    def asks(self, data: bytes) -> list[Command]:
        return self.take(DataReceived(SANDBOX, data))

    def dials(self) -> bytes:
        """Connect; return what went upstream."""
        assert self.commands[-1] == Dial()
        assert not self.sent(UPSTREAM)
        self.take(Dialled("203.0.113.7"))
        return self.sent(UPSTREAM)

    def sent(self, side: Side) -> bytes:
        return b"".join(c.data for c in self.commands if isinstance(c, Send) and c.side is side)

    @property
    def reports(self) -> list[object]:
        return [command.event for command in self.commands if isinstance(command, Report)]


def post(body: bytes = BODY, *fields: str, framing: str = "") -> bytes:
    lines = [
        f"POST /team/lib.git/git-receive-pack HTTP/1.1\r\nHost: {HOST}",
        *(fields or (TYPE, BASIC)),
    ]
    return "\r\n".join([*lines, framing or f"Content-Length: {len(body)}", "", ""]).encode() + body


@given(st.integers(1, 400))
def test_a_push_is_judged_reported_and_passed_on_as_it_came(cut: int) -> None:
    talk = PushTalk()
    wire = post(BODY, TYPE, BASIC, "X-Other: y", "Accept: a/b", "Git-Protocol: version=1")
    for at in range(0, len(wire), cut):
        talk.asks(wire[at : at + cut])
        if talk.commands and talk.commands[-1] == Dial():
            talk.dials()
    head, _, body = talk.sent(UPSTREAM).partition(b"\r\n\r\n")
    assert body == BODY
    first, *fields = head.lower().split(b"\r\n")
    assert first == b"post /team/lib.git/git-receive-pack http/1.1"
    assert sorted(fields) == sorted(
        [
            b"host: npm.test", TYPE.lower().encode(), TOLD, b"accept: a/b",
            f"content-length: {len(BODY)}".encode(), b"user-agent: cleanroom",
            b"connection: close", b"accept-encoding: identity",
        ]
    )  # fmt: skip
    assert talk.reports == [
        Verdict(method="POST", path="/team/lib.git/git-receive-pack",
                artifact="team/lib.git agent/fix", address="203.0.113.7")
    ]  # fmt: skip
    talk.take(DataReceived(UPSTREAM, OK))
    assert talk.sent(SANDBOX) == (
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2\r\nok\r\n0\r\n\r\n"
    )
    assert talk.commands[-1] == Finish()


def test_the_client_is_told_that_nothing_may_follow() -> None:
    """Else it would ask again on a connection that is about to close."""
    talk = PushTalk()
    talk.asks(post(b"0000"))
    talk.dials()
    talk.take(DataReceived(UPSTREAM, b"HTTP/1.1 102 Processing\r\n\r\n"))
    empty = b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n"
    talk.take(DataReceived(UPSTREAM, empty))
    assert talk.sent(SANDBOX) == (
        b"HTTP/1.1 102 Processing\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
    assert talk.commands[-1] == Finish()


def test_the_branches_are_asked_for_first() -> None:
    talk = PushTalk()
    talk.asks(f"GET {PAGE} HTTP/1.1\r\nHost: {HOST}\r\n{BASIC}\r\n\r\n".encode())
    assert talk.dials().startswith(f"GET {PAGE} HTTP/1.1\r\n".encode())
    assert talk.reports == [Verdict(method="GET", artifact="team/lib.git")]


def test_chunks_pass_as_they_came_and_the_rest_of_a_pack_too() -> None:
    talk = PushTalk()
    chunks = b"%x\r\n%b\r\n" % (len(BODY), BODY)
    talk.asks(post(chunks, framing="Transfer-Encoding: chunked"))
    assert talk.dials().endswith(chunks)
    talk.asks(b"4\r\nmore\r\n0\r\n\r\n")
    assert talk.sent(UPSTREAM).endswith(b"4\r\nmore\r\n0\r\n\r\n")


def test_a_question_whether_it_may_be_passes() -> None:
    talk = PushTalk()
    talk.asks(post(b"0000"))
    assert talk.dials().endswith(b"\r\n\r\n0000")


def test_a_host_that_cannot_be_reached_is_said_in_plain_text() -> None:
    talk = PushTalk()
    talk.asks(post())
    talk.take(DialFailed(Deny(Code.UPSTREAM_UNREACHABLE, "it does not answer")))
    assert b"Content-Type: text/plain" in talk.sent(SANDBOX)


NONE_OF = "is none of the branches that may be pushed"


def report(*lines: str) -> bytes:
    """Return git's report, in its band."""
    inner = b"".join(b"%04x%b\n" % (len(each) + 5, each.encode()) for each in lines) + b"0000"
    return b"%04x\x01%b0000" % (len(inner) + 5, inner)


def test_a_refusal_is_gits_own_report() -> None:
    talk = PushTalk()
    bad = push(line("refs/heads/main"), line()) + b"PACK"
    commands = talk.asks(post(bad))
    assert [type(each) for each in commands] == [Report, Hold, Send, Finish]
    assert commands[1] == Hold(-len(bad))
    why = "push_not_allowed: the push to team/lib.git is refused: refs/heads/main"
    head, _, body = talk.sent(SANDBOX).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-receive-pack-resu")
    assert b"\x02" + why.encode() in body
    assert body.endswith(
        report(
            "unpack ok",
            f"ng refs/heads/main push_not_allowed: {NONE_OF}: agent/*",
            "ng refs/heads/agent/fix push_not_allowed: the push is refused as a whole",
        )
    )
    assert talk.reports == [
        Verdict("push_not_allowed", method="POST", artifact="team/lib.git main agent/fix")
    ]


def test_without_bands_a_report_stands_alone_and_without_a_report_it_is_plain_text() -> None:
    talk = PushTalk()
    talk.asks(post(push(line("refs/heads/main"), able="report-status") + b"PACK"))
    assert b"\r\n\r\n000eunpack ok\n" in talk.sent(SANDBOX)
    talk = PushTalk()
    talk.asks(post(push(line("refs/heads/main"), able="quiet") + b"PACK"))
    assert talk.sent(SANDBOX).startswith(b"HTTP/1.1 403 push_not_allowed: ")
    talk = PushTalk()
    talk.asks(post(b"what is it"))
    assert talk.sent(SANDBOX).startswith(b"HTTP/1.1 403 push_not_allowed: ")


def test_a_refusal_is_sent_when_the_push_has_ended() -> None:
    talk = PushTalk()
    bad = push(line("refs/heads/main")) + b"PACK"
    wire = post(bad + bytes(1000))
    assert [type(each) for each in talk.asks(wire[:-700])] == [Report, Hold]
    assert talk.asks(wire[-700:-100]) == []
    send, finish = talk.asks(wire[-100:])
    assert isinstance(send, Send)
    assert finish == Finish()
    assert talk.asks(b"more") == []


def test_one_that_ends_early_is_answered_all_the_same() -> None:
    talk = PushTalk()
    talk.asks(post(push(line("refs/heads/main")) + b"PACK" + bytes(99))[:-10])
    assert talk.take(Expired()) == []
    send, finish = talk.take(Ended(SANDBOX))
    assert isinstance(send, Send)
    assert finish == Finish()


@pytest.mark.parametrize("end", [Ended(SANDBOX), Expired()])
def test_one_that_never_begins_ends(end: Event) -> None:
    talk = PushTalk()
    talk.asks(post()[:-120])
    assert talk.take(end) == [Finish()]


def test_no_more_of_a_refused_push_is_awaited_than_is_bearable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_DRAINED", 1000)
    talk = PushTalk()
    bad = push(line("refs/heads/main")) + b"PACK" + bytes(5000)
    talk.asks(post(bad)[:-5000])
    assert talk.asks(bytes(999)) == []
    assert talk.asks(bytes(2))[-1] == Finish()


def test_half_a_push_is_said_to_be_held() -> None:
    talk = PushTalk()
    wire = post()
    assert talk.asks(wire[: -len(BODY)]) == []
    assert talk.asks(BODY[:50]) == [Hold(50)]


@pytest.mark.parametrize(
    ("wire", "status", "code"),
    [
        (post(BODY, TYPE), 403, "push_not_allowed"),
        (post(BODY, BASIC, "Content-Type: text/plain"), 400, "protocol_not_allowed"),
        (post(BODY, TYPE, BASIC, "Content-Encoding: gzip"), 403, "protocol_not_allowed"),
        (post(b""), 400, "protocol_not_allowed"),
        (post().replace(b"team/lib", b"team%2flib"), 400, "protocol_not_allowed"),
        (post().replace(b"team/lib", b"other/lib"), 403, "secret_scope_violation"),
        (post(BODY, TYPE).replace(b"team/lib", b"other/lib"), 403, "push_not_allowed"),
        (post(b"x\r\n", framing="Transfer-Encoding: chunked"), 400, "protocol_not_allowed"),
    ],
)
def test_a_request_that_is_no_push_is_refused_at_once(wire: bytes, status: int, code: str) -> None:
    talk = PushTalk()
    talk.asks(wire)
    assert talk.sent(SANDBOX).startswith(f"HTTP/1.1 {status} {code}: ".encode())
    assert talk.commands[-1] == Finish()
    assert len(talk.reports) == 1


def test_a_secret_for_reading_pushes_nothing() -> None:
    reading = keys(allowed_hosts=(HOST,), git=replace(SCOPE, push=None))
    pushing = keys(allowed_hosts=(HOST,), git=replace(SCOPE, repositories=("team/x",)))
    both = Keys({**reading.held})
    both.held[replace(next(iter(pushing.held)), placeholder="cleanroom_b" + "b" * 20)] = b"v" * 20
    talk = PushTalk(keyring=both)
    talk.asks(post())
    assert b"only team/x may be pushed" in talk.sent(SANDBOX)
    talk = PushTalk(keyring=both)
    talk.asks(post().replace(b"team/lib", b"team/x"))
    assert b"no credential of a secret that may push there" in talk.sent(SANDBOX)


def test_a_connection_that_lends_nothing_pushes_nothing() -> None:
    held = keys(allowed_hosts=(HOST,), git=SCOPE)
    git = RegistryPolicy("git", enabled=True, allowed_hosts=(HOST,))
    bindings = tuple(ref.binding for ref in held.held)
    talk = Talk(replace(policy(), registries=(git,), secrets=bindings))
    report, *_ = talk.asks(post(BODY, TYPE))
    assert isinstance(report, Report)
    assert report.event == Verdict("push_not_allowed")


def test_a_placeholder_in_what_is_pushed_is_a_violation() -> None:
    for body in (
        push(line(f"refs/heads/agent/{PLACEHOLDER}")) + b"PACK",
        BODY + PLACEHOLDER.encode(),
    ):
        talk = PushTalk()
        talk.asks(post(body))
        assert talk.reports == [Verdict("secret_scope_violation")]
        assert PLACEHOLDER not in repr(talk.reports)
        assert not talk.sent(UPSTREAM)


def test_a_placeholder_later_in_a_pack_cuts_it() -> None:
    talk = PushTalk()
    wire = post(BODY + PLACEHOLDER.encode())
    talk.asks(wire[:-10])
    talk.dials()
    assert talk.asks(wire[-10:])[-1] == Abort()
    assert not talk.sent(UPSTREAM).endswith(PLACEHOLDER.encode())


def test_too_small_pieces_are_too_many() -> None:
    talk = PushTalk()
    moved = push(line(old=A, new="b" * 40)) + b"PACK"
    talk.asks(post(b"%x\r\n%b\r\n" % (len(moved), moved), framing="Transfer-Encoding: chunked"))
    piece = b"1\r\nx\r\n" * 10_000
    while talk.commands[-1] == Hold(len(piece)) or len(talk.commands) == 1:
        talk.asks(piece)
        assert len(talk.commands) * len(piece) < 3 * MAX_PACK
    assert talk.reports == [Verdict("resource_limit")]
    talk.asks(b"0\r\n\r\n")
    assert talk.sent(SANDBOX).startswith(b"HTTP/1.1 403 resource_limit: ")


def test_a_refused_push_that_is_no_longer_http_is_cut() -> None:
    talk = PushTalk()
    bad = push(line("refs/heads/main", NONE)) + b"PACK"
    talk.asks(post(b"%x\r\n%b\r\n" % (len(bad), bad), framing="Transfer-Encoding: chunked"))
    assert talk.asks(b"what\r\n") == [Abort()]


def test_there_is_no_upstream_before_it_is_dialled() -> None:
    talk = PushTalk()
    talk.asks(post()[:-120])
    assert talk.take(DataReceived(UPSTREAM, b"x")) == [Abort()]


@given(st.binary(max_size=60), st.integers(0, len(BODY)), st.integers(1, 300))
def test_nothing_leaves_that_was_not_reported_as_allowed(noise: bytes, at: int, cut: int) -> None:
    talk = PushTalk()
    wire = post(BODY[:at] + noise + BODY[at + len(noise) :])
    for start in range(0, len(wire), cut):
        talk.asks(wire[start : start + cut])
        if talk.commands and talk.commands[-1] == Dial():
            talk.take(Dialled("203.0.113.7"))
    allowed = [event for event in talk.reports if event == Verdict()]
    assert bool(talk.sent(UPSTREAM)) is bool(allowed)
    assert len(talk.reports) == 1


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        (post(), Code.SECRET_SCOPE_VIOLATION),
        (post(BODY, TYPE), Code.PUSH_NOT_ALLOWED),
        (f"GET {PAGE} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode(), Code.PUSH_NOT_ALLOWED),
    ],
)
def test_nothing_is_pushed_to_a_host_that_is_asked_at_a_mirror(wire: bytes, code: Code) -> None:
    """Its public name is not dialled, and no secret of the policy goes to the mirror."""
    keyring = keys(allowed_hosts=(HOST,), git=SCOPE)
    git = RegistryPolicy("git", enabled=True, allowed_hosts=(HOST,))
    bound = replace(policy(), registries=(git,), secrets=tuple(r.binding for r in keyring.held))
    mirrors = {HOST: Mirror(HOST, "https://m.test/code")}
    data, _ = refused(Talk(bound, keyring, lends=True, mirrors=mirrors).asks(wire))
    assert data.startswith(f"HTTP/1.1 403 {code}: ".encode())
