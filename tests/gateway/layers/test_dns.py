"""DNS of a sandbox: allowed names have synthetic addresses, all else does not exist."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.events import NetworkEvent, Protocol
from cleanroom.gateway.layers.dns import MAX_TCP_QUERY, TTL_S, DnsAnswerer, DnsOverTcp
from cleanroom.gateway.layers.names import NameTable
from cleanroom.gateway.wire import (
    Abort,
    DataReceived,
    Ended,
    Expired,
    Finish,
    Opened,
    Report,
    Send,
    Side,
)
from cleanroom.policy.model import CompiledPolicy, NetworkPolicy, Place, Rule, RuleKind
from tests.gateway.queries import (
    AAAA,
    ANY,
    AXFR,
    EDNS,
    EDNS_V1,
    HTTPS,
    IXFR,
    MX,
    NS,
    NULL,
    OPT,
    PTR,
    SOA,
    SRV,
    SVCB,
    TXT,
    A,
    Reply,
    query,
    read_reply,
    wire,
)
from tests.gateway.secret_talk import PLACEHOLDER, keys

V4 = bytes([198, 18, 0, 16])
V6 = bytes.fromhex("fd00c1ea000000000000000000000010")
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, BADVERS = 0, 1, 2, 3, 4, 5, 16
POLICY = CompiledPolicy(
    "sha256:00",
    "cleanroom.yaml",
    NetworkPolicy(
        allow_rules=(
            Rule(RuleKind.EXACT, "registry.example", (443,), place=Place(7, 5)),
            Rule(RuleKind.WILDCARD, "cdn.example", (80, 443)),
        ),
        deny_rules=(Rule(RuleKind.EXACT, "bad.cdn.example", (80, 443), place=Place(9, 5)),),
    ),
)


class Client:
    """A program in the sandbox that asks over UDP."""

    def __init__(self, policy: CompiledPolicy = POLICY, names: NameTable | None = None) -> None:
        self.answerer = DnsAnswerer(policy, "Box", names)

    def send(self, data: bytes) -> tuple[Reply | None, NetworkEvent]:
        answer = self.answerer.answer(data)
        assert answer.report is not None
        reply = None if answer.reply is None else read_reply(answer.reply)
        return reply, answer.report

    def ask(self, name: str, qtype: int = A, extra: bytes = b"") -> Reply:
        reply, _ = self.send(query(name, qtype, extra=extra))
        assert reply is not None
        return reply

    def report(self, name: str, qtype: int = A) -> NetworkEvent:
        return self.send(query(name, qtype))[1]


def test_an_allowed_name_has_its_own_addresses() -> None:
    client = Client()
    assert client.ask("registry.example").answers == ((A, TTL_S, V4),)
    assert client.ask("registry.example", AAAA).answers == ((AAAA, TTL_S, V6),)
    assert client.ask("x.cdn.example").answers != client.ask("registry.example").answers
    assert client.answerer.name_of("198.18.0.16") == "registry.example"
    assert client.answerer.name_of("fd00:c1ea::10") == "registry.example"


def test_an_allowed_question_is_reported_with_its_rule() -> None:
    assert Client().report("registry.example") == NetworkEvent(
        phase="verdict",
        allowed=True,
        protocol=Protocol.DNS,
        name="registry.example",
        address="",
        port=53,
        code="",
        reason="",
        rule="registry.example:443",
        rule_line=7,
    )


@pytest.mark.parametrize(
    "name",
    [
        "evil.test",
        "data.registry.example",  # below an exactly allowed name
        "cdn.example",  # the apex of a wildcard
        "evilcdn.example",
        "registry.example.evil.test",
        "bad.cdn.example",
        "cdn.example.",
        ".",
        "com",
        "registry.example\0.evil.test",
        "192.0.2.1",
        "1.0.0.127.in-addr.arpa",
        "_dns.resolver.arpa",
    ],
)
@pytest.mark.parametrize("qtype", [A, AAAA, TXT, HTTPS, ANY])
def test_any_other_name_does_not_exist(name: str, qtype: int) -> None:
    client = Client()
    reply, event = client.send(query(name.rstrip(".") or ".", qtype))
    assert reply is not None
    assert (reply.rcode, reply.answers) == (NXDOMAIN, ())
    assert (event.allowed, event.code) == (False, "host_not_allowed")
    assert event.reason
    assert len(client.answerer._names) == 0


def test_a_deny_rule_is_named() -> None:
    event = Client().report("bad.cdn.example")
    assert (event.rule, event.rule_line) == ("bad.cdn.example:80,443", 9)


def test_a_client_with_edns_learns_why() -> None:
    ede = Client().ask("evil.test", extra=EDNS).ede
    assert ede is not None
    assert ede[0] == 15
    assert ede[1].startswith("host_not_allowed: ")
    assert Client().ask("evil.test").ede is None


@pytest.mark.parametrize("name", ["REGISTRY.example", "Registry.Example"])
def test_letters_of_any_case_are_the_same_name_and_come_back_as_asked(name: str) -> None:
    reply = Client().ask(name)
    assert reply.answers == ((A, TTL_S, V4),)
    assert reply.question.startswith(wire(name))


@pytest.mark.parametrize("qtype", [TXT, NULL, SRV, MX, ANY, NS, SOA, PTR, 99, 65280])
def test_an_allowed_name_has_no_other_records(qtype: int) -> None:
    reply, event = Client().send(query("registry.example", qtype))
    assert reply is not None
    assert (reply.rcode, reply.answers) == (NOERROR, ())
    assert (event.allowed, event.code) == (False, "protocol_not_allowed")


@pytest.mark.parametrize("qtype", [HTTPS, SVCB])
def test_service_bindings_are_empty_and_no_offence(qtype: int) -> None:
    reply, event = Client().send(query("registry.example", qtype, extra=EDNS))
    assert reply is not None
    assert (reply.rcode, reply.answers, reply.ede) == (NOERROR, (), None)
    assert event.allowed


def test_no_policy_means_no_names() -> None:
    assert Client(CompiledPolicy("sha256:00", "")).ask("registry.example").rcode == NXDOMAIN


def test_a_narrowed_policy_holds_at_once() -> None:
    client = Client()
    client.ask("registry.example")
    client.answerer.narrow(CompiledPolicy("sha256:00", ""))
    assert client.ask("registry.example").rcode == NXDOMAIN
    assert client.answerer.name_of("198.18.0.16") == "registry.example"


def test_more_names_than_a_sandbox_may_hold_are_refused() -> None:
    client = Client(names=NameTable(limit=1))
    client.ask("a.cdn.example")
    reply, event = client.send(query("b.cdn.example", extra=EDNS))
    assert reply is not None
    assert reply.rcode == SERVFAIL
    assert (event.allowed, event.code) == (False, "resource_limit")
    assert client.ask("a.cdn.example").answers


@pytest.mark.parametrize(
    "name",
    [
        f"{PLACEHOLDER}.cdn.example",
        f"x{PLACEHOLDER.upper()}.cdn.example",
        f"{PLACEHOLDER[:9]}.{PLACEHOLDER[9:]}.cdn.example",
        f"{PLACEHOLDER}.evil.example",
    ],
)
def test_a_placeholder_in_a_name_is_a_violation(name: str) -> None:
    answerer = DnsAnswerer(POLICY, keyring=keys(on_violation="terminate"))
    answer = answerer.answer(query(name, extra=EDNS))
    assert read_reply(answer.reply or b"").rcode == NXDOMAIN
    assert answer.report is not None
    assert answer.report.code == "secret_scope_violation"
    assert answer.report.ends_sandbox
    assert answerer.answer(query("a.cdn.example")).report.allowed  # type: ignore[union-attr]


# --- what the sandbox itself is ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST", "a.localhost", "box"])
def test_the_sandbox_knows_its_own_names(name: str) -> None:
    client = Client()
    assert client.ask(name).answers == ((A, TTL_S, bytes([127, 0, 0, 1])),)
    assert client.ask(name, AAAA).answers == ((AAAA, TTL_S, bytes(15) + b"\1"),)
    assert client.ask(name, TXT).answers == ()
    assert client.report(name).allowed


def test_without_a_hostname_the_root_is_nobody() -> None:
    assert read_reply(DnsAnswerer(POLICY).answer(query(".")).reply or b"").rcode == NXDOMAIN


def test_a_synthetic_address_has_its_name() -> None:
    client = Client()
    client.ask("registry.example")
    nibbles = ".".join(reversed(V6.hex()))
    for name in ("16.0.18.198.in-addr.arpa", f"{nibbles}.ip6.arpa", f"{nibbles}.IP6.ARPA"):
        assert client.ask(name, PTR).answers == ((PTR, TTL_S, wire("registry.example")),)


@pytest.mark.parametrize(
    "name",
    ["17.0.18.198.in-addr.arpa", "8.8.8.8.in-addr.arpa", "1.ip6.arpa", f"{'g.' * 32}ip6.arpa"],
)
def test_no_other_address_has_a_name(name: str) -> None:
    assert Client().ask(name, PTR).rcode == NXDOMAIN


# --- unusual messages ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "rcode"),
    [
        (query("registry.example", qclass=3), REFUSED),  # CHAOS
        (query("version.bind", TXT, qclass=3), REFUSED),
        (query("registry.example", qclass=255), REFUSED),
        (query("registry.example", AXFR), REFUSED),
        (query("registry.example", IXFR), REFUSED),
        (query("registry.example", 249), NOTIMP),
        (query("registry.example", 253), NOTIMP),
        (query("registry.example", OPT), FORMERR),
        (query("registry.example", extra=EDNS_V1), BADVERS),
        (query("registry.example", flags=0x2800), NOTIMP),  # UPDATE
        (query("registry.example") + b"x", FORMERR),
    ],
)
def test_an_unusual_message_gets_its_code_and_a_report(data: bytes, rcode: int) -> None:
    reply, event = Client().send(data)
    assert reply is not None
    assert (reply.rcode, reply.answers) == (rcode, ())
    assert (event.allowed, event.code) == (False, "protocol_not_allowed")


@pytest.mark.parametrize("data", [b"", b"SSH-2.0-x", query("a.test", flags=0x8180)])
def test_what_is_no_query_gets_silence_and_a_report(data: bytes) -> None:
    reply, event = Client().send(data)
    assert reply is None
    assert (event.allowed, event.reason) == (False, "this is not a DNS query")


@given(st.binary(max_size=300))
def test_no_bytes_bring_an_address_of_a_denied_name(data: bytes) -> None:
    client = Client()
    reply, event = client.send(data)
    assert reply is None or not reply.answers or event.allowed


# --- TCP -----------------------------------------------------------------------------------------


def framed(data: bytes) -> bytes:
    return len(data).to_bytes(2) + data


def test_tcp_answers_in_order_each_after_its_report() -> None:
    layer = DnsOverTcp(DnsAnswerer(POLICY))
    assert layer.handle(Opened()) == []
    stream = framed(query("registry.example")) + framed(query("evil.test"))
    commands = layer.handle(DataReceived(Side.SANDBOX, stream))
    first, sent, second, refused = commands
    assert isinstance(first, Report)
    assert isinstance(second, Report)
    assert (first.event.allowed, second.event.allowed) == (True, False)
    assert isinstance(sent, Send)
    assert isinstance(refused, Send)
    assert sent.side is refused.side is Side.SANDBOX
    assert int.from_bytes(sent.data[:2]) == len(sent.data) - 2
    assert read_reply(sent.data[2:]).answers == ((A, TTL_S, V4),)
    assert read_reply(refused.data[2:]).rcode == NXDOMAIN


def test_tcp_in_single_bytes_is_the_same() -> None:
    stream = framed(query("registry.example")) + framed(query("evil.test", AAAA, extra=EDNS))
    whole = DnsOverTcp(DnsAnswerer(POLICY)).handle(DataReceived(Side.SANDBOX, stream))
    layer = DnsOverTcp(DnsAnswerer(POLICY))
    pieces = [layer.handle(DataReceived(Side.SANDBOX, bytes([byte]))) for byte in stream]
    assert [command for piece in pieces for command in piece] == whole


def test_a_question_longer_than_any_real_one_ends_the_connection() -> None:
    layer = DnsOverTcp(DnsAnswerer(POLICY))
    report, end = layer.handle(DataReceived(Side.SANDBOX, (MAX_TCP_QUERY + 1).to_bytes(2)))
    assert isinstance(report, Report)
    assert not report.event.allowed
    assert end == Abort()


@pytest.mark.parametrize("data", [b"\0\0", framed(b"GET / HTTP/1.1\r\n\r\n"[:11])])
def test_what_is_no_query_ends_the_connection(data: bytes) -> None:
    report, end = DnsOverTcp(DnsAnswerer(POLICY)).handle(DataReceived(Side.SANDBOX, data))
    assert isinstance(report, Report)
    assert end == Abort()


@pytest.mark.parametrize("event", [Ended(Side.SANDBOX), Expired()])
def test_a_connection_that_ends_or_idles_is_closed(event: Ended | Expired) -> None:
    assert DnsOverTcp(DnsAnswerer(POLICY)).handle(event) == [Finish()]
