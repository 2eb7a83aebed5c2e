"""DNS of one sandbox: synthetic addresses for names the policy allows, NXDOMAIN for all else.

In: queries (UDP) or events of a TCP connection to port 53. Out: a reply and its audit event.
Never: a query of any name sent to anyone; a record other than the sandbox's own synthetic A, AAAA
and PTR. Types that carry data or keys (TXT, NULL, SRV, MX, HTTPS, SVCB, ANY) are always empty.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from msgspec.structs import replace

from cleanroom.decide.dns import AAAA, A, decide_query
from cleanroom.decide.model import Deny
from cleanroom.decide.secret import Keyring, violation
from cleanroom.errors import Code
from cleanroom.events import NetworkEvent, Protocol
from cleanroom.gateway.layers.dns_codec import (
    CLASS_IN,
    OPT,
    Faulty,
    Query,
    Rcode,
    encode_fault,
    encode_name,
    encode_reply,
    parse_query,
)
from cleanroom.gateway.layers.names import NameTable
from cleanroom.gateway.wire import (
    Abort,
    Answer,
    Command,
    DataReceived,
    Event,
    Finish,
    Opened,
    Report,
    Send,
    Side,
)
from cleanroom.policy.model import CompiledPolicy

TTL_S: Final = 10
MAX_TCP_QUERY: Final = 4096  # bytes; a question with every option a client sends is below 600
DNS_PORT: Final = 53

_PTR: Final = 12
_NOT_IMPLEMENTED: Final = frozenset({249, 250, 253, 254})  # TKEY, TSIG, MAILB, MAILA
_TRANSFERS: Final = frozenset({251, 252})  # IXFR, AXFR: RFC 5936 section 2.2.1, refused by policy
_LOOPBACK: Final = {A: IPv4Address("127.0.0.1").packed, AAAA: IPv6Address("::1").packed}
_NIBBLES: Final = frozenset("0123456789abcdef")


class DnsAnswerer:
    """Answers the queries of one sandbox; implements Answerer of gateway/wire.py.

    `hostname` is the sandbox's own: like localhost it is answered with the loopback addresses,
    which inside are the sandbox's own (RFC 6761 section 6.3).
    """

    def __init__(
        self,
        policy: CompiledPolicy,
        hostname: str = "",
        names: NameTable | None = None,
        keyring: Keyring | None = None,
    ) -> None:
        self._policy = policy
        self._keyring = keyring
        self._hostname = hostname.lower()
        self._names = NameTable() if names is None else names

    def narrow(self, policy: CompiledPolicy) -> None:
        """Judge by `policy` from now on. Addresses already given keep their names."""
        self._policy = policy

    def name_of(self, address: str) -> str:
        """Return the name that was given this synthetic address (canonical text), or ""."""
        return self._names.name_of(address)

    def answer(self, query: bytes) -> Answer:
        """Answer one query. Never raises; a message that is no query gets no reply."""
        question = parse_query(query)
        if question is None:
            reason = "this is not a DNS query"
            return Answer(None, _event("", Deny(Code.PROTOCOL_NOT_ALLOWED, reason)))
        if isinstance(question, Faulty):
            reason = f"the DNS query is malformed: {question.reason}"
            event = _event("", Deny(Code.PROTOCOL_NOT_ALLOWED, reason))
            return Answer(encode_fault(question), event)
        return _unusual(question) or self._local(question) or self._judged(question)

    def _local(self, query: Query) -> Answer | None:
        """Answer what the sandbox itself is: its loopback names, and its addresses' names."""
        name = query.name
        if name in ("localhost", self._hostname) or name.endswith(".localhost"):
            return _known(query, _LOOPBACK.get(query.qtype, b""))
        if query.qtype == _PTR:
            target = self._names.name_of(_reverse(name))
            if target:
                return _known(query, encode_name(target))
        return None

    def _judged(self, query: Query) -> Answer:
        ref = self._keyring.found.find_folded(query.name) if self._keyring else None
        if ref is not None:
            return _refused(query, Rcode.NXDOMAIN, violation(ref, "in a name that was looked up"))
        verdict = decide_query(self._policy, query.name, query.qtype)
        if isinstance(verdict, Deny):
            empty = verdict.code is Code.PROTOCOL_NOT_ALLOWED
            return _refused(query, Rcode.NOERROR if empty else Rcode.NXDOMAIN, verdict)
        rule = verdict.rule
        event = replace(_event(query.name), rule=rule.rule_id, rule_line=rule.place.line)
        if query.qtype not in _LOOPBACK:  # HTTPS, SVCB
            return Answer(encode_reply(query, Rcode.NOERROR), event)
        return self._address(query, event)

    def _address(self, query: Query, event: NetworkEvent) -> Answer:
        pair = self._names.assign(query.name)
        if pair is None:
            reason = f"the sandbox asked for more names than it may hold: {len(self._names)}"
            return _refused(query, Rcode.SERVFAIL, Deny(Code.RESOURCE_LIMIT, reason))
        is_v4 = query.qtype == A
        rdata = IPv4Address(pair.v4).packed if is_v4 else IPv6Address(pair.v6).packed
        return Answer(encode_reply(query, Rcode.NOERROR, rdata, ttl_s=TTL_S), event)


class DnsOverTcp:
    """One connection to port 53: each message has its length in two bytes before it (RFC 7766)."""

    def __init__(self, answerer: DnsAnswerer) -> None:
        self._answerer = answerer
        self._pending = b""

    def handle(self, event: Event) -> Sequence[Command]:
        """Answer the questions in their order; implements Layer of gateway/wire.py."""
        match event:
            case Opened():
                return []
            case DataReceived(data=data):
                self._pending += data
                return self._answers()
            case _:
                return [Finish()]

    def _answers(self) -> list[Command]:
        commands: list[Command] = []
        while len(self._pending) >= 2:
            length = int.from_bytes(self._pending[:2])
            if length > MAX_TCP_QUERY:
                reason = f"a DNS query of {length} bytes is longer than any real one"
                deny = Deny(Code.PROTOCOL_NOT_ALLOWED, reason)
                return [*commands, Report(_event("", deny)), Abort()]
            if len(self._pending) < 2 + length:
                break
            answer = self._answerer.answer(self._pending[2 : 2 + length])
            self._pending = self._pending[2 + length :]
            commands += [Report(answer.report)] if answer.report else []
            if answer.reply is None:
                return [*commands, Abort()]
            commands.append(Send(Side.SANDBOX, len(answer.reply).to_bytes(2) + answer.reply))
        return commands


def _unusual(query: Query) -> Answer | None:
    """Answer what is no question about a name of the Internet."""
    if query.edns is not None and query.edns.version != 0:  # RFC 6891 section 6.1.3
        return _refused(query, Rcode.BADVERS, _no("of another EDNS version than 0"))
    if query.qclass != CLASS_IN:
        return _refused(query, Rcode.REFUSED, _no("of another class than IN"))
    if query.qtype in _TRANSFERS:
        return _refused(query, Rcode.REFUSED, _no("a zone transfer"))
    if query.qtype in _NOT_IMPLEMENTED:
        return _refused(query, Rcode.NOTIMP, _no(f"of type {query.qtype}"))
    if query.qtype == OPT:
        return _refused(query, Rcode.FORMERR, _no("for the pseudo-type OPT"))
    return None


def _no(what: str) -> Deny:
    return Deny(Code.PROTOCOL_NOT_ALLOWED, f"the DNS query is {what}, which is never answered")


def _known(query: Query, rdata: bytes) -> Answer:
    reply = encode_reply(query, Rcode.NOERROR, rdata, ttl_s=TTL_S)
    return Answer(reply, _event(query.name))


def _refused(query: Query, rcode: Rcode, deny: Deny) -> Answer:
    # RFC 8914 section 4.16: Blocked, so that a person with dig sees why; only where we block.
    blocked = f"{deny.code}: {deny.reason}" if rcode in (Rcode.NXDOMAIN, Rcode.SERVFAIL) else ""
    return Answer(encode_reply(query, rcode, blocked=blocked), _event(query.name, deny))


def _event(name: str, deny: Deny | None = None) -> NetworkEvent:
    rule = deny.rule if deny else None
    return NetworkEvent(
        phase="verdict",
        allowed=deny is None,
        protocol=Protocol.DNS,
        name=name,
        address="",
        port=DNS_PORT,
        code=deny.code if deny else "",
        reason=deny.reason if deny else "",
        rule=rule.rule_id if rule else "",
        rule_line=rule.place.line if rule else 0,
        ends_sandbox=deny is not None and deny.ends_sandbox,
    )


def _reverse(name: str) -> str:
    """Return the address a name below in-addr.arpa or ip6.arpa stands for, or ""."""
    if name.endswith(".in-addr.arpa"):
        return ".".join(reversed(name.removesuffix(".in-addr.arpa").split(".")))
    nibbles = name.removesuffix(".ip6.arpa").split(".")
    if name.endswith(".ip6.arpa") and len(nibbles) == 32 and _NIBBLES.issuperset(nibbles):
        return str(IPv6Address(bytes.fromhex("".join(reversed(nibbles)))))
    return ""
