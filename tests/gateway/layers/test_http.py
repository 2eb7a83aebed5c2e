"""Plain HTTP: conversations. Each request is judged, reported, and only then passed on."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.decide.model import Deny
from cleanroom.errors import Code
from cleanroom.events import NetworkEvent, Protocol
from cleanroom.gateway.layers.http import MAX_PATH, MAX_WAITING
from cleanroom.gateway.wire import (
    Abort,
    Dial,
    DialFailed,
    Dialled,
    Finish,
    Report,
    Send,
    Target,
)
from tests.gateway.talk import GET, OK, SANDBOX, TARGET, UPSTREAM, Talk


def test_a_request_is_dialled_for_reported_and_then_sent() -> None:
    talk = Talk(dials=False)
    assert talk.asks(GET) == [Dial()]
    report, send = talk.take(Dialled("203.0.113.7"))
    assert send == Send(UPSTREAM, GET)
    assert isinstance(report, Report)
    assert report.event == NetworkEvent(
        phase="verdict",
        allowed=True,
        protocol=Protocol.HTTP,
        name="a.test",
        address="203.0.113.7",
        port=80,
        code="",
        reason="",
        rule="a.test:80,8080",
        connection_id=5,
        method="GET",
        path="/a",
    )
    assert talk.answers(OK) == [Send(SANDBOX, OK[:-2]), Send(SANDBOX, OK[-2:])]


def test_each_request_of_a_connection_is_judged_anew() -> None:
    talk = Talk()
    talk.asks(GET)
    talk.answers(OK)
    talk.asks(GET.replace(b"a.test", b"b.test"))
    assert [event.allowed for event in talk.reports] == [True, False]
    assert talk.reports[1].code == "host_header_mismatch"
    assert talk.sent(UPSTREAM) == GET
    assert talk.refusal() == (403, "host_header_mismatch")
    assert talk.commands[-1] == Finish()


def test_a_body_passes_and_the_next_request_is_found_behind_it() -> None:
    post = b"POST /p HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello"
    chunks = b"POST /c HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks += b"5\r\nhello\r\n0\r\n\r\n"
    talk = Talk()
    talk.asks(post + chunks + GET)
    assert talk.sent(UPSTREAM) == post + chunks + GET
    assert [event.path for event in talk.reports] == ["/p", "/c", "/a"]


@pytest.mark.parametrize("step", [1, 3, 1000])
@pytest.mark.parametrize(
    "trailers", [b"\n", b"A: b\n", b"A: b\r\n\n", b"A\r\n", b" \r\n", b"A: b\r\n \r\n"]
)
def test_no_reader_sees_an_end_in_trailers_that_have_none(trailers: bytes, step: int) -> None:
    """What follows a bare LF is another request to careless servers, and nobody judged it."""
    begin = b"POST /c HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\n"
    talk = Talk()
    talk.asks(begin)
    stream = trailers + smuggled
    for start in range(0, len(stream), step):
        if not talk.is_over:
            talk.asks(stream[start : start + step])
    passed = talk.sent(UPSTREAM).removeprefix(begin)
    assert talk.is_over
    assert b"\n" not in passed.replace(b"A: b\r\n", b"")
    assert b"GET" not in passed


@given(st.lists(st.integers(1, 300), max_size=5), st.lists(st.integers(1, 200), max_size=5))
def test_pieces_change_nothing(cuts: list[int], answer_cuts: list[int]) -> None:
    post = b"POST /p HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello"
    requests, answers = GET + post + GET, OK * 3
    talk = Talk()
    for start, end in pairwise(sorted({0, len(requests), *cuts})):
        if requests[start:end]:
            talk.asks(requests[start:end])
    for start, end in pairwise(sorted({0, len(answers), *answer_cuts})):
        if answers[start:end]:
            talk.answers(answers[start:end])
    assert talk.sent(UPSTREAM) == requests
    assert talk.sent(SANDBOX) == answers
    assert len(talk.reports) == 3
    assert not talk.is_over


@given(st.binary(max_size=80), st.integers(0, 3))
def test_upstream_sees_as_many_requests_as_the_audit(odd: bytes, place: int) -> None:
    stream = GET * place + odd + GET * 2
    talk = Talk()
    talk.asks(stream)
    allowed = sum(event.allowed for event in talk.reports)
    assert talk.sent(UPSTREAM).count(b"HTTP/1.1\r\n") <= allowed
    for at, command in enumerate(talk.commands):
        if isinstance(command, Send) and command.side is UPSTREAM:
            assert any(isinstance(c, Report) and c.event.allowed for c in talk.commands[:at])


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_head", "status", "code"),
    [
        (GET.replace(b"a.test", b"evil.test"), 403, "host_header_mismatch"),
        (GET.replace(b"a.test", b"b.test"), 403, "host_header_mismatch"),  # allowed, but not here
        (GET.replace(b"a.test", b"a.test:8080"), 403, "host_header_mismatch"),
        (GET.replace(b"a.test", b"198.18.0.16"), 403, "host_header_mismatch"),
        (GET.replace(b"a.test", b"x.a.test"), 403, "host_header_mismatch"),
        (b"GET / HTTP/1.0\r\n\r\n", 403, "host_header_mismatch"),
        (b"CONNECT a.test:80 HTTP/1.1\r\nHost: a.test\r\n\r\n", 403, "protocol_not_allowed"),
        (b"CONNECT evil.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\n", 403, "protocol_not_allowed"),
        (GET[:-2] + b"Upgrade: websocket\r\n\r\n", 403, "protocol_not_allowed"),
        (GET[:-2] + b"Connection: Upgrade\r\n\r\n", 403, "protocol_not_allowed"),
        (
            GET[:-2] + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n",
            403,
            "protocol_not_allowed",
        ),
        (GET[:-2] + b"X-Forwarded-Host: evil.test\r\n\r\n", 400, "host_header_mismatch"),
        (GET[:-2] + b"X-Original-URL: /x\r\n\r\n", 400, "host_header_mismatch"),
        (GET[:-2] + b"Forwarded: host=evil.test\r\n\r\n", 400, "host_header_mismatch"),
        (GET[:-2] + b"Host: a.test\r\n\r\n", 400, "protocol_not_allowed"),
        (GET[:-2] + b"Host : evil.test\r\n\r\n", 400, "protocol_not_allowed"),
        (GET[:-2] + b" Host: evil.test\r\n\r\n", 400, "protocol_not_allowed"),
        (GET.replace(b"/a", b"http://evil.test/a"), 400, "protocol_not_allowed"),
        (GET[:-2] + b"Content-Length: 1, 1\r\n\r\n", 400, "protocol_not_allowed"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "protocol_not_allowed"),
        (b"\x16\x03\x01\x00", 400, "protocol_not_allowed"),
    ],
)
def test_a_refused_request_is_reported_answered_and_never_sent(
    request_head: bytes, status: int, code: str
) -> None:
    talk = Talk()
    report, answer, end = talk.asks(request_head)
    assert isinstance(report, Report)
    assert (report.event.allowed, report.event.code) == (False, code)
    assert report.event.reason
    assert isinstance(answer, Send)
    assert talk.refusal() == (status, code)
    assert end == Finish()
    assert talk.sent(UPSTREAM) == b""
    assert Dial() not in talk.commands
    assert talk.asks(GET) == []  # and nothing after it


def test_a_refused_head_request_gets_no_body() -> None:
    talk = Talk()
    talk.asks(b"HEAD / HTTP/1.1\r\nHost: evil.test\r\n\r\n")
    assert talk.sent(SANDBOX).endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("target", "host"),
    [
        (TARGET, b"A.TEST"),
        (TARGET, b"a.test."),
        (TARGET, b"a.test:80"),
        (replace(TARGET, port=8080), b"a.test:8080"),
        (Target("", "203.0.113.9", 80, 1), b"203.0.113.9"),
        (Target("", "203.0.113.9", 80, 1), b"203.0.113.9:80"),
    ],
)
def test_the_hosts_own_spellings_pass(target: Target, host: bytes) -> None:
    talk = Talk(target)
    talk.asks(GET.replace(b"a.test", host))
    assert [event.allowed for event in talk.reports] == [True]


def test_a_denial_waits_behind_the_answers_before_it() -> None:
    talk = Talk()
    talk.asks(GET + GET + GET.replace(b"a.test", b"evil.test") + GET)
    assert [event.allowed for event in talk.reports] == [True, True, False]
    assert talk.sent(UPSTREAM) == GET * 2
    talk.answers(OK)
    assert not talk.is_over
    talk.answers(OK)
    assert talk.sent(SANDBOX).startswith(OK * 2 + b"HTTP/1.1 403 ")
    assert talk.commands[-1] == Finish()


def test_a_request_that_turns_out_malformed_within_its_body_is_cut() -> None:
    talk = Talk()
    talk.asks(b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\n")
    assert talk.reports[-1].code == "protocol_not_allowed"
    assert talk.commands[-1] == Abort()


def test_too_many_unanswered_requests_are_refused() -> None:
    talk = Talk()
    talk.asks(GET * (MAX_WAITING + 1))
    assert len(talk.reports) == MAX_WAITING + 1
    assert talk.reports[-1].code == "resource_limit"
    assert talk.sent(UPSTREAM) == GET * MAX_WAITING


def test_a_long_path_is_cut_in_the_report_only() -> None:
    talk = Talk()
    long = GET.replace(b"/a?", b"/" + b"x" * 5000 + b"?")
    talk.asks(long)
    assert talk.reports[0].path == "/" + "x" * (MAX_PATH - 1)
    assert talk.sent(UPSTREAM) == long


# --- dialling ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "status"), [(Code.ADDRESS_NOT_ALLOWED, 403), (Code.UPSTREAM_UNREACHABLE, 502)]
)
def test_a_dial_that_fails_is_reported_and_answered(code: Code, status: int) -> None:
    talk = Talk(dials=False)
    talk.asks(GET.replace(b"GET", b"HEAD") + GET)
    report, answer, end = talk.take(DialFailed(Deny(code, "it is so"), "127.0.0.1"))
    assert isinstance(report, Report)
    assert (report.event.address, report.event.method, report.event.path) == (
        "127.0.0.1",
        "HEAD",
        "/a",
    )
    assert isinstance(answer, Send)
    assert answer.data.endswith(b"\r\n\r\n")  # it was a HEAD
    assert talk.refusal() == (status, str(code))
    assert end == Finish()


def test_a_dial_that_fails_at_no_address_names_the_one_asked_for() -> None:
    talk = Talk(dials=False)
    talk.asks(GET)
    talk.take(DialFailed(Deny(Code.UPSTREAM_UNREACHABLE, "it is so")))
    assert talk.reports[0].address == "198.18.0.16"


def test_a_dial_nobody_asked_for_ends_the_connection() -> None:
    assert Talk().take(Dialled("203.0.113.7")) == [Abort()]
    report, _, end = Talk().take(DialFailed(Deny(Code.UPSTREAM_UNREACHABLE, "it is so")))
    assert isinstance(report, Report)
    assert end == Finish()
