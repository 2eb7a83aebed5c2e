"""Connections as conversations: nothing passes before its verdict is allowed and reported."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.decide.model import Allow, Deny
from cleanroom.errors import Code
from cleanroom.gateway.layers.http import HttpLayer
from cleanroom.gateway.layers.tcp import Inner, TcpLayer
from cleanroom.gateway.layers.watched_relay import WatchedRelay
from cleanroom.gateway.wire import (
    Abort,
    Command,
    DataReceived,
    Dial,
    DialFailed,
    Dialled,
    End,
    Ended,
    Event,
    Expired,
    Fetched,
    Finish,
    Layer,
    Opened,
    Relay,
    Report,
    Send,
    Side,
    Target,
)
from cleanroom.policy.model import CompiledPolicy, RegistryPolicy, SecretBinding
from tests.decide.policies import policy, rule
from tests.gateway.hellos import extension, hello, records
from tests.gateway.playbook import Play, Verdict
from tests.gateway.secret_talk import PLACEHOLDER, keys

SANDBOX, UPSTREAM = Side.SANDBOX, Side.UPSTREAM
POLICY = replace(
    policy(
        "a.test:22,80,443,8080",
        "203.0.113.0/24:443",
        rule("i.test:443,5000,5001", inspect=True),
        "npm.test:80,8080",
    ),
    registries=(RegistryPolicy("npm", enabled=True, allowed_hosts=("npm.test",)),),
)
ADDRESS = "203.0.113.7"
HELLO = hello(b"a.test")
GET = b"GET / HTTP/1.1\r\nHost: a.test:8080\r\n\r\n"
ABORT = Abort()


class Opening:
    """A layer that stands for opened TLS: it says what it was given."""

    def handle(self, event: Event) -> list[Command]:
        return [Send(SANDBOX, event.data)] if isinstance(event, DataReceived) else []


def opening(_policy: CompiledPolicy, target: Target, allow: Allow) -> Layer | Deny | None:
    """Open what is to be opened, but for ports 443 and 5001 of i.test."""
    assert allow.rule.value == target.name
    if target.port == 5001:
        return Deny(Code.RESOURCE_LIMIT, "no descriptor is left")
    return Opening() if target.port == 5000 else None


INNER = Inner(HttpLayer, opening)


def play(port: int = 443, name: str = "a.test", address: str = "198.18.0.16") -> Play:
    """Begin a conversation about one connection."""
    return Play(TcpLayer(POLICY, Target(name, address, port, 1), INNER))


def says(data: bytes) -> DataReceived:
    """Have the sandbox say something."""
    return DataReceived(SANDBOX, data)


def test_tls_is_read_judged_dialled_reported_and_then_relayed() -> None:
    allowed = Verdict(protocol="tls", address=ADDRESS, rule="a.test:22,80,443,8080")
    assert (
        play() >> Opened() << []
        >> says(HELLO[:30]) << []
        >> says(HELLO[30:]) << [Dial()]
        >> Dialled(ADDRESS) << [allowed, Send(UPSTREAM, HELLO), Relay()]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("port", "name", "address", "code"),
    [
        (443, "b.test", "198.18.0.17", "host_not_allowed"),
        (25, "a.test", "198.18.0.16", "port_not_allowed"),
        (443, "", "198.51.100.1", "host_not_allowed"),
        (443, "", "127.0.0.1", "host_not_allowed"),
    ],
)
def test_a_denied_target_is_reset_without_a_byte(
    port: int, name: str, address: str, code: str
) -> None:
    denied = Verdict(code, address=address, port=port, name=name)
    assert play(port, name, address) >> Opened() << [denied, ABORT]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (hello(b"b.test"), "sni_mismatch"),
        (hello(b"203.0.113.7"), "sni_mismatch"),
        (hello(b"a.test", extension(0xFE0D, b"")), "ech_not_allowed"),
        (records(b"\x02\0\0\0"), "protocol_not_allowed"),
        (b"\x16\x03\x01\0\0", "protocol_not_allowed"),
        (b"SSH-2.0-x\r\n", "protocol_not_allowed"),
        (b"PING\r\n", "protocol_not_allowed"),
        (b"\0\0\0\x08", "protocol_not_allowed"),
    ],
)
def test_wrong_first_bytes_on_443_are_refused(data: bytes, code: str) -> None:
    assert play() >> Opened() >> says(data) << [Verdict(code), ABORT]


def test_without_a_name_the_absent_server_name_is_the_match() -> None:
    nameless = records(b"\x01" + (43).to_bytes(3, "big") + b"\x03\x03" + bytes(32) + b"\0" +
                       b"\0\x02\x13\x01" + b"\x01\0" + b"\0\0")  # fmt: skip
    by_address = play(443, "", ADDRESS)
    assert by_address >> Opened() >> says(nameless) << [Dial()]
    assert play(443, "", ADDRESS) >> Opened() >> says(HELLO) << [Verdict("sni_mismatch"), ABORT]


@pytest.mark.parametrize("port", [443, 22])
def test_a_failed_dial_is_reported_with_its_address(port: int) -> None:
    deny = Deny(Code.ADDRESS_NOT_ALLOWED, "private")
    failed = DialFailed(deny, "10.0.0.1")
    begun = play(port) >> Opened()
    begun = begun >> says(HELLO) << [Dial()] if port == 443 else begun << [Dial()]
    denied = Verdict("address_not_allowed", address="10.0.0.1", reason="private")
    assert begun >> failed << [denied, ABORT]


def test_a_client_that_says_nothing_is_refused_in_time() -> None:
    assert play() >> Opened() >> Expired() << [Verdict("protocol_not_allowed"), ABORT]
    begun = play() >> Opened() >> says(HELLO[:9])
    assert begun >> Expired() << [Verdict("protocol_not_allowed", protocol="tls"), ABORT]


def test_a_client_that_goes_away_silently_is_no_matter() -> None:
    assert play() >> Opened() >> Ended(SANDBOX) << [Finish()]
    begun = play() >> Opened() >> says(b"GE")
    assert begun >> Ended(SANDBOX) << [Verdict("protocol_not_allowed"), ABORT]
    begun = play() >> Opened() >> says(HELLO[:9])
    assert begun >> Ended(SANDBOX) << [Verdict("handshake_failed", protocol="tls"), ABORT]


def test_a_server_may_speak_first_on_another_port() -> None:
    assert (
        play(22) >> Opened() << [Dial()]
        >> Dialled(ADDRESS) << [Verdict(protocol="tcp", address=ADDRESS)]
        >> DataReceived(UPSTREAM, b"SSH-2.0-s\r\n") << [Send(SANDBOX, b"SSH-2.0-s\r\n")]
        >> says(b"SSH-2.0-c\r\n") << [Send(UPSTREAM, b"SSH-2.0-c\r\n"), Relay()]
    )  # fmt: skip


@pytest.mark.parametrize("side", [SANDBOX, UPSTREAM])
def test_a_half_closed_connection_on_another_port_is_relayed(side: Side) -> None:
    begun = play(22) >> Opened() << [Dial()] >> Dialled(ADDRESS) << [Verdict()]
    assert begun >> Ended(side) << [Relay()]


def test_tls_on_another_port_is_judged_before_it_passes() -> None:
    for name, commands in (
        (b"a.test", [Send(UPSTREAM, HELLO), Relay()]),
        (b"b.test", [Verdict("sni_mismatch", protocol="tls"), ABORT]),
    ):
        data = hello(name)
        begun = play(22) >> Opened() << [Dial()] >> Dialled(ADDRESS) << [Verdict()]
        assert begun >> says(data[:1]) << [] >> says(data[1:]) << commands


def test_http_on_another_port_is_judged_on_the_connection_there_is() -> None:
    begun = play(8080) >> Opened() << [Dial()] >> Dialled(ADDRESS) << [Verdict(protocol="tcp")]
    assert (
        begun
        >> says(GET)
        << [
            Verdict(protocol="http", address=ADDRESS, method="GET"),
            Send(UPSTREAM, GET),
        ]
    )


def test_http_on_another_port_with_another_host_goes_nowhere() -> None:
    begun = play(8080) >> Opened() << [Dial()] >> Dialled(ADDRESS) << [Verdict(protocol="tcp")]
    begun >> says(GET.replace(b"a.test", b"b.test"))
    assert begun.reports[-1] == Verdict("host_header_mismatch", protocol="http")
    assert not any(isinstance(c, Send) and c.side is UPSTREAM for c in begun.unsaid())


def test_http_on_80_is_dialled_once_its_request_was_judged() -> None:
    request = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
    assert (
        play(80) >> Opened() >> says(request[:7]) << [] >> says(request[7:]) << [Dial()]
        >> Dialled(ADDRESS) << [Verdict(protocol="http", address=ADDRESS), Send(UPSTREAM, request)]
    )  # fmt: skip


def test_tls_that_is_to_be_opened_is_handed_on_whole_on_any_port() -> None:
    data = hello(b"i.test")
    begun = play(5000, "i.test") >> Opened() << []  # not dialled: nobody may speak first
    assert begun >> says(data[:9]) << [] >> says(data[9:]) << [Send(SANDBOX, data)]
    assert begun >> says(b"more") << [Send(SANDBOX, b"more")]


def test_what_is_to_be_opened_and_cannot_be_is_never_relayed() -> None:
    begun = play(443, "i.test") >> Opened()
    assert begun >> says(hello(b"i.test")) << [Verdict("protocol_not_allowed"), ABORT]


def test_what_cannot_be_opened_now_is_refused_with_its_reason() -> None:
    begun = play(5001, "i.test") >> Opened()
    assert begun >> says(hello(b"i.test")) << [Verdict("resource_limit"), ABORT]


def test_what_is_to_be_opened_speaks_tls_or_http() -> None:
    begun = play(5000, "i.test") >> Opened()
    assert begun >> says(b"SSH-2.0-c\r\n") << [Verdict("protocol_not_allowed"), ABORT]
    begun = play(5000, "i.test") >> Opened()
    assert begun >> says(hello(b"a.test")) << [Verdict("sni_mismatch"), ABORT]
    request = b"GET / HTTP/1.1\r\nHost: i.test:5000\r\n\r\n"
    assert play(5000, "i.test") >> Opened() >> says(request) << [Dial()]


@pytest.mark.parametrize("port", [80, 8080])
def test_a_registry_is_not_asked_without_tls_whatever_a_rule_allows(port: int) -> None:
    begun = play(port, "npm.test") >> Opened() << []
    refused = Verdict("protocol_not_allowed", reason="a registry is asked over TLS only")
    assert begun >> says(b"GET / HTTP/1.1\r\n") << [refused, ABORT]


def test_what_nobody_fetched_is_no_matter() -> None:
    assert play() >> Opened() >> Fetched(b"x") << []


def test_bytes_that_come_out_of_turn_end_the_connection() -> None:
    begun = play() >> Opened() >> says(HELLO) << [Dial()]
    assert begun >> says(b"more") << [ABORT]


EVENTS = st.one_of(
    st.sampled_from(
        [Opened(), Ended(SANDBOX), Ended(UPSTREAM), Expired(), Dialled(ADDRESS), says(HELLO),
         says(GET), says(hello(b"b.test")), DataReceived(UPSTREAM, b"x")]
    ),
    st.builds(says, st.binary(min_size=1, max_size=40)),
)  # fmt: skip


@given(st.sampled_from([22, 25, 80, 443, 8080]), st.lists(EVENTS, max_size=8))
def test_a_layer_never_sends_before_it_reported_an_allow(port: int, events: list[Event]) -> None:
    layer = TcpLayer(POLICY, Target("a.test", "198.18.0.16", port, 1), INNER)
    allowed = False
    for event in events:
        for command in layer.handle(event):
            if isinstance(command, Report):
                allowed = allowed or command.event.allowed
            if isinstance(command, Relay) or (
                isinstance(command, Send) and command.side is UPSTREAM
            ):
                assert allowed, (event, command)


def watched(target: Target) -> Layer:
    return WatchedRelay(target, keys())


WATCHING = Inner(HttpLayer, opening, watched)
SSH = Target("a.test", "198.18.0.16", 22, 5)
TO_SSH = Verdict(name="a.test", address=ADDRESS)


def test_a_sandbox_with_secrets_is_relayed_in_sight() -> None:
    layer = TcpLayer(POLICY, SSH, WATCHING)
    said = PLACEHOLDER.encode()
    assert (
        Play(layer)
        >> Opened() << [Dial()]
        >> Dialled(ADDRESS) << [TO_SSH]
        >> DataReceived(UPSTREAM, b"SSH-2.0-x\r\n") << [Send(SANDBOX, b"SSH-2.0-x\r\n")]
        >> DataReceived(SANDBOX, b"SSH-2.0-y\r\n" + said[:3]) << [
            Send(UPSTREAM, b"SSH-2.0-y\r\n" + said[:3])
        ]
        >> DataReceived(SANDBOX, said[3:]) << [Verdict("secret_scope_violation"), ABORT]
    )  # fmt: skip


def test_it_is_in_sight_where_the_server_has_ended_before_the_client_spoke() -> None:
    layer = TcpLayer(POLICY, SSH, WATCHING)
    assert (
        Play(layer)
        >> Opened() << [Dial()]
        >> Dialled(ADDRESS) << [TO_SSH]
        >> Ended(UPSTREAM) << [End(SANDBOX)]
        >> DataReceived(SANDBOX, PLACEHOLDER.encode()) << [
            Verdict("secret_scope_violation"), ABORT
        ]
    )  # fmt: skip


@pytest.mark.parametrize("port", [22, 80, 443, 8080])
def test_what_was_told_a_secret_that_is_over_is_asked_nothing_more(port: int) -> None:
    deny = Deny(Code.SECRET_UNAVAILABLE, "the secret 'gh' is gone: the policy no longer binds it")
    inner = replace(INNER, silenced={"a.test": deny, "i.test": deny}.get)
    talk = Play(TcpLayer(POLICY, Target("a.test", "198.18.0.16", port, 1), inner))
    assert talk >> Opened() << [Verdict("secret_unavailable"), ABORT]


def test_where_tls_is_opened_its_requests_are_refused_one_by_one() -> None:
    deny = Deny(Code.SECRET_UNAVAILABLE, "the secret 'gh' is gone: its time is over")
    inner = replace(INNER, silenced={"i.test": deny}.get)
    talk = Play(TcpLayer(POLICY, Target("i.test", "198.18.0.16", 5000, 1), inner))
    assert talk >> Opened() << []


TOLD = replace(POLICY, secrets=(SecretBinding("gh", "GH", ("a.test",)),))


def told(port: int) -> Play:
    layer = TcpLayer(TOLD, Target("a.test", "198.18.0.16", port, 1), INNER)
    return Play(layer) >> Opened() << [Dial()] >> Dialled(ADDRESS) << [Verdict(protocol="tcp")]


def test_a_host_that_is_told_a_secret_at_another_port_has_its_tls_opened_here_too() -> None:
    inner = replace(INNER, opened=lambda *_: Opening())
    target = Target("a.test", "198.18.0.16", 8080, 1)
    talk = Play(TcpLayer(TOLD, target, inner)) >> Opened() << [Dial()]
    talk = talk >> Dialled(ADDRESS) << [Verdict(protocol="tcp")]
    assert talk >> says(HELLO) << [Send(SANDBOX, HELLO)]
    assert told(8080) >> says(HELLO) << [Verdict("protocol_not_allowed"), ABORT]  # nobody can


def test_what_speaks_neither_tls_nor_http_there_is_relayed() -> None:
    said = b"SSH-2.0-c\r\n"
    assert told(22) >> says(said) << [Send(UPSTREAM, said), Relay()]
