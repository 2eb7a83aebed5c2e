"""Plain HTTP: what comes back, and how connections end."""

import pytest

from cleanroom.gateway.wire import (
    Abort,
    Ended,
    Expired,
    Finish,
)
from tests.gateway.talk import GET, OK, SANDBOX, UPSTREAM, Talk


@pytest.mark.parametrize(
    "answer",
    [
        OK,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 3 + OK,
    ],
)
def test_an_answer_passes_and_the_connection_goes_on(answer: bytes) -> None:
    talk = Talk()
    talk.asks(GET)
    talk.answers(answer)
    assert talk.sent(SANDBOX) == answer
    talk.asks(GET)
    assert talk.sent(UPSTREAM) == GET * 2
    assert not talk.is_over


def test_the_answer_to_head_has_no_body() -> None:
    talk = Talk()
    talk.asks(GET.replace(b"GET", b"HEAD") + GET)
    talk.answers(OK[:-2] + OK)
    assert talk.sent(SANDBOX) == OK[:-2] + OK
    assert not talk.is_over


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ],
)
def test_an_answer_that_closes_closes(answer: bytes) -> None:
    talk = Talk()
    talk.asks(GET + GET)
    talk.answers(answer)
    assert talk.sent(SANDBOX) == answer
    assert talk.commands[-1] == Finish()


@pytest.mark.parametrize(
    "last", [GET[:-2] + b"Connection: close\r\n\r\n", GET.replace(b"1.1", b"1.0")]
)
def test_nothing_is_read_after_the_last_request(last: bytes) -> None:
    talk = Talk()
    talk.asks(last + GET)
    assert talk.sent(UPSTREAM) == last
    assert talk.asks(GET) == []
    talk.answers(OK)
    assert talk.sent(SANDBOX) == OK
    assert talk.commands[-1] == Finish()


def test_an_answer_that_ends_with_the_connection_is_whole_then() -> None:
    talk = Talk()
    talk.asks(GET)
    talk.answers(b"HTTP/1.1 200 OK\r\n\r\nanything")
    assert not talk.is_over
    assert talk.take(Ended(UPSTREAM)) == [Finish()]


def test_a_cut_answer_is_not_passed_off_as_whole() -> None:
    for part in (OK[:-1], OK[:10]):
        talk = Talk()
        talk.asks(GET)
        talk.answers(part)
        assert talk.take(Ended(UPSTREAM)) == [Abort()]


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX: a\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    ],
)
def test_a_malformed_answer_becomes_a_bad_gateway(answer: bytes) -> None:
    talk = Talk()
    talk.asks(GET)
    talk.answers(answer)
    assert talk.refusal() == (502, "protocol_not_allowed")
    assert "server's answer" in talk.reports[-1].reason
    assert talk.commands[-1] == Finish()
    assert not talk.answers(OK)


def test_an_answer_that_turns_malformed_within_its_body_is_cut() -> None:
    talk = Talk()
    talk.asks(GET)
    talk.answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokXX")
    assert not talk.reports[-1].allowed
    assert talk.commands[-1] == Abort()


def test_bytes_that_nobody_asked_for_end_the_connection_and_do_not_pass() -> None:
    talk = Talk()
    talk.asks(GET)
    talk.answers(OK + b"HTTP/1.1 408 Request Timeout\r\n\r\n")
    assert talk.sent(SANDBOX) == OK
    assert talk.commands[-1] == Finish()


def test_an_answer_before_the_requests_end_waits_for_it() -> None:
    post = b"POST / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\nContent-Length: 5\r\n\r\n"
    talk = Talk()
    talk.asks(post + b"he")
    talk.answers(OK)
    assert not talk.is_over
    talk.asks(b"llo")
    assert talk.sent(UPSTREAM) == post + b"hello"
    assert talk.commands[-1] == Finish()


# --- ends ----------------------------------------------------------------------------------------


def test_the_sandbox_may_stop_sending_and_still_gets_its_answer() -> None:
    talk = Talk()
    talk.asks(GET)
    assert talk.take(Ended(SANDBOX)) == []
    talk.answers(OK)
    assert talk.sent(SANDBOX) == OK
    assert talk.commands[-1] == Finish()


def test_the_sandbox_may_leave_between_requests() -> None:
    talk = Talk()
    talk.asks(GET)
    talk.answers(OK)
    assert talk.take(Ended(SANDBOX)) == [Finish()]


def test_a_cut_request_is_not_passed_off_as_whole() -> None:
    talk = Talk()
    talk.asks(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhe")
    assert talk.take(Ended(SANDBOX)) == [Abort()]


def test_an_upstream_that_leaves_before_answering_just_leaves() -> None:
    talk = Talk()
    talk.asks(GET)
    assert talk.take(Ended(UPSTREAM)) == [Finish()]  # clients ask again on a new connection
    assert talk.take(Ended(SANDBOX)) == []


def test_a_slow_client_is_let_go_but_not_a_slow_answer() -> None:
    assert Talk().take(Expired()) == [Finish()]
    slow = Talk()
    slow.asks(GET[:10])
    assert slow.take(Expired()) == [Finish()]
    waiting = Talk()
    waiting.asks(GET)
    assert waiting.take(Expired()) == []
    dialling = Talk(dials=False)
    dialling.asks(GET)
    assert dialling.take(Expired()) == []
