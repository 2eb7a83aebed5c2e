"""Opened TLS as conversations: five identities agree, or the request goes nowhere."""

import ssl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanroom.decide.model import Deny
from cleanroom.errors import Code
from cleanroom.events import Protocol
from cleanroom.gateway.layers.tls_session import TlsError
from cleanroom.gateway.wire import (
    Abort,
    Command,
    DataReceived,
    DialFailed,
    Dialled,
    End,
    Ended,
    Event,
    Expired,
    Fetched,
    Finish,
    Opened,
    Pause,
    Relay,
    Report,
    Resume,
    Send,
    Side,
)
from tests.gateway.certificates import authority, client, expired_server, server
from tests.gateway.opened_talk import ADDRESS, GET, OK, SANDBOX, UPSTREAM, OpenedTalk
from tests.gateway.playbook import Verdict


def test_a_request_passes_after_its_connection_and_itself_were_reported() -> None:
    talk = OpenedTalk()
    talk.asks(GET)
    assert talk.asked == GET
    talk.answers(OK)
    assert talk.received == OK
    assert talk.reports == [
        Verdict(protocol="tls", address=ADDRESS, rule="a.test:443,8443"),
        Verdict(protocol="https", address=ADDRESS, method="GET", path="/a"),
    ]
    talk.asks(GET)
    talk.answers(OK)
    assert talk.received == OK * 2
    assert len(talk.reports) == 3


def test_no_byte_reaches_the_upstream_before_the_audit_has_the_connection() -> None:
    talk = OpenedTalk()
    talk.asks(GET)
    upstream = [c for c in talk.commands if isinstance(c, Send) and c.side is UPSTREAM]
    first, second = (c for c in talk.commands if isinstance(c, Report))
    assert talk.commands.index(first) < talk.commands.index(upstream[0])
    assert talk.commands.index(second) < talk.commands.index(upstream[-1])
    assert not any(b"GET" in command.data for command in upstream)


def test_nothing_is_dialled_before_a_request_was_judged() -> None:
    talk = OpenedTalk()
    talk.go()
    assert talk.client.is_open
    assert not talk.has_dialled
    talk.asks(GET.replace(b"a.test", b"b.test"))
    assert not talk.has_dialled


# --- the identities ------------------------------------------------------------------------------


@pytest.mark.parametrize("host", [b"b.test", b"evil.test", b"a.test:80", b"203.0.113.7"])
def test_another_host_inside_is_refused_at_each_request(host: bytes) -> None:
    talk = OpenedTalk()
    talk.asks(GET)
    talk.answers(OK)
    talk.asks(GET.replace(b"a.test", host))
    assert talk.asked == GET
    assert talk.received.startswith(OK + b"HTTP/1.1 403 host_header_mismatch")
    assert talk.reports[-1] == Verdict("host_header_mismatch", protocol="https")


@pytest.mark.parametrize("host", [b"a.test", b"A.Test", b"a.test:443", b"a.test."])
def test_the_same_host_in_other_words_passes(host: bytes) -> None:
    talk = OpenedTalk()
    talk.asks(GET.replace(b"a.test", host))
    assert talk.asked == GET.replace(b"a.test", host)


def test_on_another_port_the_host_names_it() -> None:
    talk = OpenedTalk(port=8443)
    talk.asks(GET)
    assert talk.received.startswith(b"HTTP/1.1 403 host_header_mismatch")
    talk = OpenedTalk(port=8443)
    talk.asks(GET.replace(b"a.test", b"a.test:8443"))
    assert talk.asked


@pytest.mark.parametrize(
    ("shown", "why"),
    [
        (expired_server("a.test", "a.test", "b.test"), "certificate has expired"),
        (server("b.test", "a.test", "b.test"), "Hostname mismatch"),
        (server("a.test", "a.test", "evil.test"), "unable to get local issuer"),
    ],
)
def test_an_upstream_that_cannot_be_verified_gets_no_request(
    shown: ssl.SSLContext, why: str
) -> None:
    talk = OpenedTalk(shown)
    talk.asks(GET)
    assert talk.asked == b""
    assert talk.received.startswith(b"HTTP/1.1 502 upstream_certificate_invalid: ")
    denied = talk.reports[-1]
    assert denied == Verdict("upstream_certificate_invalid", protocol="https", address=ADDRESS)
    assert why in denied.reason
    order = [each for each in talk.commands if isinstance(each, Report | Send)]
    refused = [isinstance(each, Report) and not each.event.allowed for each in order].index(True)
    alerts = [each for each in order[refused:] if isinstance(each, Send) and each.side is UPSTREAM]
    assert alerts  # the upstream is told, after the report of what came of it


def test_the_address_is_judged_where_it_is_dialled() -> None:
    talk = OpenedTalk()
    talk.dials = False
    talk.asks(GET)
    talk.take(DialFailed(Deny(Code.ADDRESS_NOT_ALLOWED, "private"), "10.0.0.1"))
    talk.hear()
    assert talk.received.startswith(b"HTTP/1.1 403 address_not_allowed: private")
    assert talk.reports == [Verdict("address_not_allowed", address="10.0.0.1", method="GET")]


# --- the sandbox's side --------------------------------------------------------------------------


def test_http_2_is_not_spoken() -> None:
    trusted = client(authority("a.test"), protocols=("h2",))
    talk = OpenedTalk(trusted=trusted)
    talk.asks(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert talk.received.startswith(b"HTTP/1.1 400 ")
    assert not talk.has_dialled


@pytest.mark.parametrize(
    "data", [b"SSH-2.0-c\r\n", b"\0\1\2", b"PING\r\n", b"\x16\x03\x01\0\5hello"]
)
def test_what_is_not_http_inside_tls_goes_nowhere(data: bytes) -> None:
    talk = OpenedTalk()
    talk.asks(data)
    assert talk.received.startswith(b"HTTP/1.1 400 ")
    assert not talk.has_dialled
    assert talk.reports[-1] == Verdict("protocol_not_allowed", protocol="https")


def test_a_client_that_does_not_trust_the_sandboxs_authority_is_told_of_in_the_audit() -> None:
    talk = OpenedTalk(trusted=client())
    with pytest.raises(TlsError):
        talk.go()
    talk.put(SANDBOX, talk.client.take())
    assert talk.reports == [Verdict("handshake_failed", protocol="tls")]
    assert "unknown ca" in talk.reports[0].reason
    assert talk.last == Abort()


def test_a_client_that_waits_too_long_is_refused() -> None:
    talk = OpenedTalk()
    talk.take(Expired())
    assert talk.reports == [Verdict("handshake_failed", protocol="tls")]
    assert talk.last == Abort()
    talk = OpenedTalk()
    talk.go()
    talk.take(Expired())
    assert talk.last == Finish()


def test_an_upstream_that_does_not_finish_its_handshake_is_not_waited_for() -> None:
    talk = OpenedTalk()
    talk.dials = False
    talk.asks(GET)
    talk.take(Dialled(ADDRESS))
    talk.take(Expired())
    talk.hear()
    assert talk.received.startswith(b"HTTP/1.1 502 upstream_unreachable: no TLS with a.test")


def test_an_upstream_that_speaks_no_tls_is_unreachable() -> None:
    for event in (DataReceived(UPSTREAM, b"HTTP/1.1 400 Bad Request\r\n\r\n"), Ended(UPSTREAM)):
        talk = OpenedTalk()
        talk.dials = False
        talk.asks(GET)
        talk.take(Dialled(ADDRESS))
        talk.take(event)
        talk.hear()
        assert talk.received.startswith(b"HTTP/1.1 502 upstream_unreachable")


def test_the_sandbox_is_not_read_while_the_upstream_is_dialled() -> None:
    talk = OpenedTalk()
    talk.dials = False
    talk.asks(GET)
    assert talk.is_paused
    talk.take(Dialled(ADDRESS))
    talk.go()
    assert [c for c in talk.commands if isinstance(c, Pause | Resume)] == [
        Pause(SANDBOX),
        Resume(SANDBOX),
    ]
    assert talk.asked == GET


def test_a_client_that_ended_after_its_request_still_gets_the_answer() -> None:
    talk = OpenedTalk()
    talk.go()
    request = talk.client.write(GET) + talk.client.end()
    talk.put(SANDBOX, request)
    talk.go()
    talk.answers(OK)
    assert (talk.asked, talk.received) == (GET, OK)
    assert talk.last == Finish()


# --- ends ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("silently", "last"), [(True, Abort()), (False, Finish())])
def test_an_answer_without_a_length_is_whole_only_if_the_upstream_says_so(
    silently: bool,  # noqa: FBT001
    last: Command,
) -> None:
    talk = OpenedTalk()
    talk.asks(GET)
    talk.answers(b"HTTP/1.1 200 OK\r\n\r\nhalf")
    talk.ends(UPSTREAM, silently=silently)
    assert talk.received == b"HTTP/1.1 200 OK\r\n\r\nhalf"
    assert talk.client.is_ended is not silently
    assert talk.last == last


def test_bytes_changed_on_the_way_end_the_connection() -> None:
    for side in (SANDBOX, UPSTREAM):
        talk = OpenedTalk()
        talk.asks(GET)
        talk.take(DataReceived(side, b"\x17\x03\x03\0\x10" + bytes(16)))
        assert talk.last == Abort()
        assert list(talk.layer.handle(Ended(side))) == []


class Inside:
    """A layer that answers with what it is told to."""

    def __init__(self, *commands: Command) -> None:
        self.commands = commands

    def handle(self, event: Event) -> tuple[Command, ...]:
        return self.commands if isinstance(event, DataReceived) else ()


def test_an_inner_layer_may_end_a_side_and_relay_nothing() -> None:
    talk = OpenedTalk(inside=Inside(End(SANDBOX)))
    talk.asks(b"x")
    assert talk.last == End(SANDBOX)
    assert talk.client.is_ended
    assert not talk.client.is_torn
    for wrong in (Relay(), Send(UPSTREAM, b"too early")):
        talk = OpenedTalk(inside=Inside(wrong))
        talk.asks(b"x")
        assert talk.last == Abort()


def test_what_was_fetched_reaches_the_layer_inside() -> None:
    talk = OpenedTalk(inside=Inside())
    talk.go()
    assert talk.take(Fetched(b"x")) == []


def test_an_upstream_that_speaks_before_it_was_dialled_is_a_mistake() -> None:
    talk = OpenedTalk()
    talk.take(DataReceived(UPSTREAM, b"x"))
    assert talk.last == Abort()


# --- any bytes -----------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 400), max_size=12))
@settings(max_examples=30)
def test_pieces_change_nothing(cuts: list[int]) -> None:
    talk = OpenedTalk()
    wire = b""
    for cut in [*cuts, 10_000, 10_000, 10_000, 10_000]:
        talk.client.handshake()
        wire += talk.client.take()
        if talk.client.is_open and GET not in wire:
            break
        talk.put(SANDBOX, wire[:cut])
        wire = wire[cut:]
    talk.put(SANDBOX, wire)
    talk.asks(GET)
    assert talk.asked == GET


EVENTS = st.one_of(
    st.sampled_from([Opened(), Ended(SANDBOX), Ended(UPSTREAM), Expired(), Dialled(ADDRESS)]),
    st.builds(DataReceived, st.sampled_from(Side), st.binary(min_size=1, max_size=40)),
)


@given(st.booleans(), st.lists(EVENTS, max_size=6))
@settings(max_examples=60)
def test_no_event_raises_or_sends_before_an_allow(started: bool, events: list[Event]) -> None:  # noqa: FBT001
    talk = OpenedTalk()
    if started:
        talk.go()
    allowed = False
    for event in events:
        for command in talk.layer.handle(event):
            if isinstance(command, Report):
                allowed = allowed or command.event.allowed
                assert command.event.protocol in (Protocol.TLS, Protocol.HTTPS)
            assert allowed or not (isinstance(command, Send) and command.side is UPSTREAM)
