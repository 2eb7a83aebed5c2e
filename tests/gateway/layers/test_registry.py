"""Conversations with a client of a registry."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.decide.mirror import Mirrors
from cleanroom.decide.model import Allow, Deny
from cleanroom.decide.registries import judge_by
from cleanroom.errors import Code
from cleanroom.gateway.layers.custody import Watched
from cleanroom.gateway.layers.lending import Lending
from cleanroom.gateway.layers.mirroring import Mirrored, Mirroring
from cleanroom.gateway.layers.registry import RegistryLayer
from cleanroom.gateway.layers.visit import Visit
from cleanroom.gateway.source import Answer, Served
from cleanroom.gateway.wire import (
    Abort,
    Begun,
    Command,
    DataReceived,
    Dialled,
    Ended,
    Event,
    Expired,
    Fetch,
    Fetched,
    FetchEnded,
    FetchFailed,
    Finish,
    Opened,
    Pause,
    Report,
    Resume,
    Send,
    Side,
    Target,
)
from cleanroom.policy.artifact_pin import ArtifactPin
from cleanroom.policy.model import CompiledPolicy, LockfilePolicy, RegistryException, RegistryPolicy
from tests.decide.policies import policy, rule
from tests.gateway.playbook import Verdict
from tests.gateway.secret_talk import PLACEHOLDER, VALUE, Keys, keys

SANDBOX = Side.SANDBOX
LOCK = LockfilePolicy(enabled=True, mode="deny_unknown", lockfiles=("package-lock.json",))
POLICY = replace(
    policy(),
    registries=(RegistryPolicy("npm", enabled=True, allowed_hosts=("npm.test",), lockfile=LOCK),),
)
GET = b"GET /left-pad HTTP/1.1\r\nHost: npm.test\r\nAccept: a/b\r\nCookie: c\r\n\r\n"
OLD = GET.replace(b"HTTP/1.1", b"HTTP/1.0")
ARTIFACT = GET.replace(b"/left-pad", b"/left-pad/-/left-pad-1.3.1.tgz")
ALLOWED = Allow(rule("npm.test:443", inspect=True))


class Talk:
    """One connection to npm.test."""

    def __init__(
        self,
        judged_by: CompiledPolicy = POLICY,
        keyring: Keys | None = None,
        *,
        offline: bool = False,
        lends: bool = False,
        mirrors: Mirrors | None = None,
    ) -> None:
        registries = judge_by(judged_by).registries
        self.today = "2026-11-27"
        visit = Visit("sbx_1", judged_by, registries, lambda: self.today, offline)
        if mirrors is not None:
            visit = replace(visit, mirroring=Mirroring(keyring or keys(), mirrors))
        at = Target("npm.test", "198.18.0.9", 443, 3)
        custody = Watched(keyring, at, verified=True) if keyring else None
        if keyring and lends:
            custody = Lending(keyring, at, [ref.binding for ref in keyring.held])
        if keyring and at.name in (mirrors or {}):  # whatever is bound, as the door does
            custody = Mirrored(keyring, at, verified=True)
        self.layer = RegistryLayer(visit, at, ALLOWED, custody)
        self.take(Opened())

    def take(self, event: Event) -> list[Command]:
        return list(self.layer.handle(event))

    def asks(self, data: bytes) -> list[Command]:
        return self.take(DataReceived(SANDBOX, data))

    def answers(self, answer: Answer, *pieces: bytes) -> bytes:
        events: list[Event] = [Begun(answer), *map(Fetched, pieces)]
        return b"".join(
            command.data
            for event in events
            for command in self.take(event)
            if isinstance(command, Send)
        )


def refused(commands: list[Command]) -> tuple[bytes, Verdict | object]:
    """Return the answer of a refusal and what the audit has."""
    report, send, finish = commands
    assert isinstance(report, Report)
    assert isinstance(send, Send)
    assert finish == Finish()
    return send.data, report.event


def test_what_is_granted_is_reported_then_fetched_without_the_clients_fields() -> None:
    pause, report, fetch = Talk().asks(GET)
    assert pause == Pause(SANDBOX)
    assert isinstance(report, Report)
    assert report.event == Verdict(protocol="https", method="GET", path="/left-pad")
    assert isinstance(fetch, Fetch)
    want = fetch.want
    assert (want.host, want.method, want.accept) == ("npm.test", "GET", "a/b")
    assert (want.grant.kind, want.grant.path) == ("metadata", "/left-pad")


def test_a_part_of_what_may_have_changed_is_not_asked_for() -> None:
    for field, wanted in ((b"", "bytes=2-"), (b'If-Range: "x"\r\n', "")):
        fetch = Talk().asks(GET[:-2] + b"Range: bytes=2-\r\n" + field + b"\r\n")[-1]
        assert isinstance(fetch, Fetch)
        assert fetch.want.range == wanted


def test_an_exception_ends_with_its_day_in_the_middle_of_a_connection() -> None:
    """What is kept in the cache by then is no way around it: each request is judged."""
    npm = POLICY.registries[0]
    excepted = RegistryException("pkg:npm/left-pad@1.3.1", "2026-11-27", "a fix")
    talk = Talk(replace(POLICY, registries=(replace(npm, exceptions=(excepted,)),)))
    *_, fetch = talk.asks(ARTIFACT)
    assert isinstance(fetch, Fetch)
    assert fetch.want.grant.strength == "exception"
    talk.answers(Answer(200, (), 5), b"hello")
    talk.take(FetchEnded(Served(cache="hit")))
    talk.today = "2026-11-28"
    data, _ = refused(talk.asks(ARTIFACT))
    assert data.startswith(b"HTTP/1.1 403 lockfile_violation: left-pad 1.3.1 is not in ")


@pytest.mark.parametrize("offline", [False, True])
def test_what_an_offline_sandbox_wants_must_not_be_asked_upstream(*, offline: bool) -> None:
    *_, fetch = Talk(offline=offline).asks(GET)
    assert isinstance(fetch, Fetch)
    assert fetch.want.offline is offline


def test_an_answer_is_framed_anew_and_the_next_request_read() -> None:
    talk = Talk()
    assert len(talk.asks(GET + GET)) == 3  # the second waits
    said = talk.answers(Answer(200, (("etag", "x"),), 5), b"hel", b"lo")
    assert said == b"HTTP/1.1 200 OK\r\netag: x\r\ncontent-length: 5\r\n\r\nhello"
    report, resume, *more = talk.take(FetchEnded(Served("miss", "sha256:0", "203.0.113.7")))
    assert isinstance(report, Report)
    event = report.event
    assert (event.phase, event.bytes_in, event.artifact) == ("served", 5, "left-pad")
    assert (event.cache, event.digest, event.address) == ("miss", "sha256:0", "203.0.113.7")
    assert resume == Resume(SANDBOX)
    assert [type(command) for command in more] == [Pause, Report, Fetch]


def test_an_answer_of_unknown_length_comes_in_chunks_or_ends_the_connection() -> None:
    talk = Talk()
    talk.asks(GET)
    said = talk.answers(Answer(200, (), None), b"hello")
    assert said.endswith(b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n")
    assert talk.take(FetchEnded(Served()))[0] == Send(SANDBOX, b"0\r\n\r\n")
    talk = Talk()
    talk.asks(OLD)
    assert talk.answers(Answer(200, (), None), b"hi").endswith(b"connection: close\r\n\r\nhi")
    assert talk.take(FetchEnded(Served()))[-1] == Finish()


@pytest.mark.parametrize(("method", "status"), [(b"HEAD", 200), (b"GET", 304)])
def test_an_answer_without_a_body_has_none(method: bytes, status: int) -> None:
    talk = Talk()
    talk.asks(GET.replace(b"GET", method))
    said = talk.answers(Answer(status, (), 7))
    assert said.endswith(b"\r\n\r\n")
    assert (b"content-length: 7" in said) is (status == 200)
    assert talk.take(FetchEnded(Served()))[1] == Resume(SANDBOX)


def test_an_answer_that_is_cut_is_seen_to_be() -> None:
    for last in (FetchEnded(Served()), FetchFailed(Deny(Code.INTEGRITY_MISMATCH, "x"))):
        talk = Talk()
        talk.asks(GET)
        talk.answers(Answer(200, (), 5), b"hel")
        assert talk.take(last)[-1] == Abort()
    talk = Talk()
    talk.asks(GET)
    assert talk.take(FetchEnded(Served())) == [Abort()]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (Code.UPSTREAM_UNREACHABLE, 502),
        (Code.UPSTREAM_CERTIFICATE_INVALID, 502),
        (Code.INTEGRITY_MISMATCH, 403),
        (Code.REGISTRY_NOT_ALLOWED, 403),
        (Code.COOLDOWN_ACTIVE, 403),
    ],
)
def test_a_fetch_that_fails_is_said_in_the_answer(code: Code, status: int) -> None:
    talk = Talk()
    talk.asks(GET)
    answer, event = refused(talk.take(FetchFailed(Deny(code, "left-pad is so"))))
    assert answer.startswith(f"HTTP/1.1 {status} {code}: left-pad is so\r\n".encode())
    assert event == Verdict(code)


def test_what_no_lock_file_pins_is_refused_in_every_form_a_client_shows() -> None:
    answer, event = refused(Talk().asks(ARTIFACT))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 403 lockfile_violation: left-pad 1.3.1 is not in ")
    assert b"\r\nnpm-notice: cleanroom: left-pad 1.3.1" in head
    assert json.loads(body)["code"] == "lockfile_violation"
    assert json.loads(body)["errors"][0]["code"] == "DENIED"
    assert event == Verdict("lockfile_violation", path="/left-pad/-/left-pad-1.3.1.tgz")


def _with(mode: str, *pins: ArtifactPin) -> CompiledPolicy:
    (registry,) = POLICY.registries
    changed = replace(registry, lockfile=replace(LOCK, mode=mode), artifact_allowlist=pins)
    return replace(POLICY, registries=(changed,))


def test_what_an_artifact_is_held_to_is_in_every_line_about_it() -> None:
    pin = ArtifactPin("left-pad", "1.3.1", digests=("sha512:0",), source="package-lock.json:7")
    for last in (FetchEnded(Served("hit", "sha256:1")), FetchFailed(Deny(Code.RESOURCE_LIMIT, ""))):
        talk = Talk(_with("deny_unknown", pin))
        _, first, _ = talk.asks(ARTIFACT)
        talk.answers(Answer(200, (), 2), b"ok" if isinstance(last, FetchEnded) else b"o")
        for report in (first, talk.take(last)[0]):
            assert isinstance(report, Report)
            event = report.event
            said = (event.artifact, event.strength, event.pin)
            assert said == ("left-pad 1.3.1", "lockfile", "package-lock.json:7")


def test_what_passes_with_a_warning_says_so_in_its_verdict() -> None:
    _, report, _ = Talk(_with("warn")).asks(ARTIFACT)
    assert isinstance(report, Report)
    assert report.event.allowed
    warning = "left-pad 1.3.1 is not in package-lock.json; mode: warn lets it pass"
    assert (report.event.reason, report.event.strength) == (warning, "unlocked")


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (GET.replace(b"npm.test", b"evil.test"), 403),
        (GET.replace(b"npm.test", b"npm.test:80"), 403),
        (GET[:-2] + b"X-Forwarded-Host: evil.test\r\n\r\n", 400),
        (GET[:-2] + b"Upgrade: websocket\r\n\r\n", 403),
        (GET[:-2] + b"Content-Length: 1\r\n\r\nx", 400),
        (b"CONNECT npm.test:443 HTTP/1.1\r\nHost: npm.test\r\n\r\n", 403),
        (b"PRI * HTTP/2.0\r\n\r\n", 400),
        (b"PUT /left-pad HTTP/1.1\r\nHost: npm.test\r\nContent-Length: 0\r\n\r\n", 403),
        (b"POST /-/npm/v1/security/audits HTTP/1.1\r\nHost: npm.test\r\n\r\n", 403),
        *(
            (GET.replace(b"/left-pad", path), 400)
            for path in (b"/a/..;/b", b"/a%2f%2e%2e", b"/a%252fb", b"/a\\b", b"/a%00", b"/../a")
        ),
    ],
)
def test_what_is_no_sound_question_is_refused(request_head: bytes, status: int) -> None:
    answer, event = refused(Talk().asks(request_head))
    assert int(answer[9:12]) == status
    assert not getattr(event, "allowed", True)


def test_ends_and_silence_end_the_connection_once_the_answer_is_through() -> None:
    assert Talk().take(Expired()) == [Finish()]
    talk = Talk()
    talk.asks(GET)
    assert talk.take(Ended(SANDBOX)) == []
    talk.answers(Answer(200, (), 2), b"ok")
    assert talk.take(FetchEnded(Served()))[-1] == Finish()
    assert talk.asks(GET) == []


def test_what_cannot_happen_ends_the_connection() -> None:
    for event in (Dialled("203.0.113.7"), Fetched(b"x"), DataReceived(Side.UPSTREAM, b"x")):
        assert Talk().take(event) == [Abort()]


def test_bytes_that_come_meanwhile_wait() -> None:
    talk = Talk()
    talk.asks(GET)
    assert talk.asks(GET) == []


@given(st.lists(st.binary(min_size=1, max_size=60), max_size=4))
def test_no_bytes_raise_or_fetch_without_a_report(pieces: list[bytes]) -> None:
    talk = Talk()
    for piece in [*pieces, GET]:
        commands = talk.asks(piece)
        for at, command in enumerate(commands):
            assert not isinstance(command, Fetch) or isinstance(commands[at - 1], Report)


def test_a_placeholder_on_its_way_to_a_registry_is_a_violation() -> None:
    talk = Talk(keyring=keys(on_violation="terminate"))
    commands = talk.asks(GET.replace(b"Cookie: c", b"Authorization: " + PLACEHOLDER.encode()))
    answer, event = refused(commands)
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert event == Verdict("secret_scope_violation", ends_sandbox=True)
    commands = Talk(keyring=keys()).asks(GET.replace(b"GET /", b"GET /%b/" % PLACEHOLDER.encode()))
    assert "path='/***/" in repr(commands)


BOUND = GET.replace(b"Cookie: c", b"Authorization: Bearer " + PLACEHOLDER.encode())


def lending() -> Talk:
    """Return a connection to a host that a secret is bound to."""
    return Talk(_with("off"), keys(allowed_hosts=("npm.test",)), lends=True)


def test_a_bound_registry_is_asked_with_the_value_and_for_the_whole() -> None:
    asked = BOUND[:-2] + b"Range: bytes=0-1\r\nIf-None-Match: x\r\n\r\n"
    *_, fetch = lending().asks(asked)
    assert isinstance(fetch, Fetch)
    want = fetch.want
    assert (want.range, want.if_none_match) == ("", "")
    assert want.credential
    told = want.credential.lines("npm.test", "/left-pad")
    assert told == (b"authorization: Bearer " + VALUE,)
    assert want.identity
    assert want.identity == want.credential.identity
    assert want.credential.sieve().feed(VALUE) == b""
    *_, fetch = lending().asks(GET)
    assert isinstance(fetch, Fetch)
    assert fetch.want.credential
    assert (fetch.want.credential.lines("npm.test", "/left-pad"), fetch.want.identity) == ((), "")


def test_a_value_that_is_gone_is_a_refusal() -> None:
    gone = Keys(dict.fromkeys(keys(allowed_hosts=("npm.test",)).held, b""))
    talk = Talk(_with("off"), gone, lends=True)
    answer, event = refused(talk.asks(BOUND))
    assert answer.startswith(b"HTTP/1.1 403 secret_unavailable")
    assert event == Verdict("secret_unavailable")


def test_what_a_bound_registry_repeats_is_the_placeholder_in_a_page() -> None:
    talk = lending()
    talk.asks(BOUND)
    fields = (("etag", "x"), ("last-modified", VALUE.decode()))
    said = talk.answers(Answer(200, fields, 50), b"{" + VALUE[:5], VALUE[5:] + b"}")
    assert said == b""  # the head goes with the first bytes of the body
    rest, end, _, resume = talk.take(FetchEnded(Served()))
    head = b"HTTP/1.1 200 OK\r\nlast-modified: %b\r\ntransfer-encoding: chunked\r\n\r\n"
    body = b"{" + PLACEHOLDER.encode() + b"}"
    assert rest == Send(SANDBOX, head % PLACEHOLDER.encode() + b"%x\r\n%b\r\n" % (len(body), body))
    assert end == Send(SANDBOX, b"0\r\n\r\n")
    assert resume == Resume(SANDBOX)


def test_a_page_that_cannot_be_searched_is_refused() -> None:
    talk = lending()
    talk.asks(BOUND)
    answer = Answer(200, (("content-type", "text/html; charset=utf-16"),), 5)
    said, event = refused(talk.take(Begun(answer)))
    assert said.startswith(b"HTTP/1.1 403 protocol_not_allowed")
    assert event == Verdict("protocol_not_allowed")


@pytest.mark.parametrize("at", [0, 400])
def test_a_package_that_has_the_value_in_it_is_cut(at: int) -> None:
    talk = lending()
    talk.asks(BOUND.replace(b"/left-pad", b"/left-pad/-/left-pad-1.3.1.tgz"))
    half = len(VALUE) // 2
    talk.answers(Answer(200, (), at + len(VALUE)), *([bytes(at)] if at else []))
    sent = talk.take(Fetched(VALUE[:half]))
    report, abort = talk.take(Fetched(VALUE[half:]))
    assert abort == Abort()
    assert isinstance(report, Report)
    assert report.event.code == "secret_scope_violation"
    assert VALUE[:1] not in b"".join(each.data for each in sent if isinstance(each, Send))


def test_a_package_without_it_comes_as_it_is() -> None:
    talk = lending()
    talk.asks(BOUND.replace(b"/left-pad", b"/left-pad/-/left-pad-1.3.1.tgz"))
    said = talk.answers(Answer(200, (), 1000), bytes(1000))
    rest, *_ = talk.take(FetchEnded(Served()))
    assert isinstance(rest, Send)
    assert (said + rest.data).endswith(b"content-length: 1000\r\n\r\n" + bytes(1000))
