"""DNS messages: hostile bytes in, one reading or a fault out."""

import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cleanroom.gateway.layers.dns_codec import (
    MAX_REPLY,
    Faulty,
    Query,
    Rcode,
    encode_fault,
    encode_name,
    encode_reply,
    parse_query,
)
from tests.gateway.queries import AAAA, EDNS, EDNS_DO, OPT, A, query, read_reply, wire


def parsed(data: bytes) -> Query:
    found = parse_query(data)
    assert isinstance(found, Query), found
    return found


def test_a_question_is_read() -> None:
    found = parsed(query("Registry.EXAMPLE", AAAA))
    assert (found.name, found.qtype, found.qclass) == ("registry.example", AAAA, 1)
    assert found.question.startswith(b"\x08Registry\x07EXAMPLE\0")
    assert found.edns is None


def test_edns_is_read() -> None:
    edns = parsed(query("a.test", extra=EDNS_DO)).edns
    assert edns is not None
    assert (edns.version, edns.dnssec_ok) == (0, True)


def test_options_are_passed_over() -> None:
    cookie = struct.pack(">HH", 10, 8) + b"12345678"
    padding = struct.pack(">HH", 12, 0)
    options = cookie + padding
    extra = b"\0" + struct.pack(">HHIH", OPT, 1232, 0, len(options)) + options
    assert parsed(query("a.test", extra=extra)).edns is not None


def test_an_unknown_additional_record_is_passed_over() -> None:
    owner_by_pointer = b"\xc0\x0c" + struct.pack(">HHIH", 250, 255, 0, 3) + b"sig"
    assert parsed(query("a.test", extra=owner_by_pointer)).edns is None
    owner_in_full = wire("key.test") + struct.pack(">HHIH", 250, 255, 0, 0)
    assert parsed(query("a.test", extra=owner_in_full)).edns is None


@pytest.mark.parametrize(
    ("label", "text"),
    [
        (b"a\0b", "a\\000b"),
        (b"a.b", "a\\046b"),
        (b"a\\b", "a\\092b"),
        (b"a b", "a\\032b"),
        (b"\xe4", "\\228"),
        (b"A_-9", "a_-9"),
        (b"a\r\n", "a\\013\\010"),
    ],
)
def test_a_byte_that_no_host_name_holds_is_written_out(label: bytes, text: str) -> None:
    name = bytes([len(label)]) + label + b"\x04test\0"
    assert parsed(query(name)).name == f"{text}.test"


def test_no_two_names_read_the_same() -> None:
    one_label = parsed(query(b"\x06a.test\0")).name
    two_labels = parsed(query("a.test")).name
    escaped = parsed(query(b"\x09a\\046test\0")).name
    assert len({one_label, two_labels, escaped}) == 3


def test_the_root_has_a_name() -> None:
    assert parsed(query(".")).name == "."


def test_the_longest_name_is_read_and_a_longer_one_is_not() -> None:
    label = bytes([63]) + b"x" * 63
    longest = label * 3 + bytes([61]) + b"x" * 61 + b"\0"
    assert len(longest) == 255
    assert len(parsed(query(longest)).name) == 253
    too_long = label * 3 + bytes([62]) + b"x" * 62 + b"\0"
    assert isinstance(parse_query(query(too_long)), Faulty)


NO_OWNER = struct.pack(">HHIH", OPT, 1232, 0, 0)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (query(b"\xc0\x0c"), "compressed"),  # points at itself
        (query(b"\xc0\x00"), "compressed"),
        (query(b"\x01a\xc0\x0c"), "compressed"),
        (query(b"\x40" + b"x" * 64 + b"\0"), "over 63 bytes"),
        (query("a.test")[:-1], "cut"),
        (query("a.test")[:-5], "cut"),
        (query("a.test")[:15], "cut"),
        (query("a.test") + b"\0", "bytes follow"),
        (query("a.test", extra=EDNS + b"x"), "bytes follow"),
        (query("a.test", extra=EDNS[:-1]), "cut"),
        (query("a.test", extra=EDNS[:3]), "cut"),
        (query("a.test", extra=b"\0" + struct.pack(">HHIH", OPT, 1, 0, 9)), "cut"),
        (query("a.test", extra=wire("x") + NO_OWNER), "owner is the root"),
        (query("a.test", extra=b"\x80" + NO_OWNER), "reserved type"),
        (query("a.test", extra=b"\x05ab"), "cut"),
        (query("a.test", extra=b"\0" + struct.pack(">HHIH", OPT, 1, 0, 3) + b"abc"), "option"),
        (
            query("a.test", extra=b"\0" + struct.pack(">HHIH4s", OPT, 1, 0, 4, b"\0\x0a\0\x01")),
            "longer than its record",
        ),
        (struct.pack(">6H", 1, 0x0100, 0, 0, 0, 0), "exactly one question"),
        (struct.pack(">6H", 1, 0x0100, 2, 0, 0, 0) + query("a")[12:] * 2, "exactly one question"),
        (struct.pack(">6H", 1, 0x0100, 1, 1, 0, 0) + query("a")[12:], "carries no answers"),
        (struct.pack(">6H", 1, 0x0100, 1, 0, 1, 0) + query("a")[12:], "carries no answers"),
        (struct.pack(">6H", 1, 0x0100, 1, 0, 0, 17) + query("a")[12:], "carries no answers"),
        (struct.pack(">6H", 1, 0x0100, 1, 0, 0, 2) + query("a")[12:] + EDNS * 2, "one OPT"),
    ],
)
def test_a_malformed_query_is_a_format_error(data: bytes, reason: str) -> None:
    found = parse_query(data)
    assert isinstance(found, Faulty)
    assert found.rcode is Rcode.FORMERR
    assert reason in found.reason
    reply = read_reply(encode_fault(found))
    assert (reply.rcode, reply.question) == (1, b"")


@pytest.mark.parametrize("opcode", [1, 2, 4, 5, 6, 15])
def test_another_operation_is_not_implemented(opcode: int) -> None:
    found = parse_query(query("a.test", flags=opcode << 11))
    assert isinstance(found, Faulty)
    reply = read_reply(encode_fault(found))
    assert reply.rcode == Rcode.NOTIMP
    assert reply.flags >> 11 & 0xF == opcode


@pytest.mark.parametrize("data", [b"", b"\0" * 11, query("a.test", flags=0x8180)])
def test_what_is_no_query_gets_nothing(data: bytes) -> None:
    assert parse_query(data) is None


def test_a_reply_repeats_the_question_and_the_wish_for_recursion() -> None:
    asked = parsed(query("wWw.TeSt", flags=0x0110))
    reply = read_reply(encode_reply(asked, Rcode.NOERROR, b"\x7f\0\0\x01", ttl_s=10))
    assert reply.message_id == 0x1234
    assert reply.flags == 0x8190  # a reply; recursion wanted and available; checking disabled
    assert reply.question == asked.question
    assert reply.answers == ((A, 10, b"\x7f\0\0\x01"),)
    assert not reply.edns


def test_an_extended_error_is_for_clients_that_know_it() -> None:
    plain = encode_reply(parsed(query("a.test")), Rcode.NXDOMAIN, blocked="why")
    assert read_reply(plain).ede is None
    edns = encode_reply(parsed(query("a.test", extra=EDNS)), Rcode.NXDOMAIN, blocked="why ä")
    assert read_reply(edns).ede == (15, "why ?")


def test_an_extended_code_is_split() -> None:
    reply = encode_reply(parsed(query("a.test", extra=EDNS_DO)), Rcode.BADVERS)
    assert read_reply(reply).rcode == 16


def test_a_name_is_written_in_wire_form() -> None:
    assert encode_name("a.test") == b"\x01a\x04test\0"


@given(st.binary(max_size=600))
@example(query("a.test", extra=EDNS))
def test_any_bytes_get_a_short_reply_or_none(data: bytes) -> None:
    match parse_query(data):
        case Query() as found:
            reply = encode_reply(found, Rcode.NXDOMAIN, blocked="x" * 1000)
            assert read_reply(reply).question == found.question
            assert len(reply) <= MAX_REPLY
        case Faulty() as fault:
            assert len(encode_fault(fault)) == 12
        case None:
            assert len(data) < 12 or data[2] & 0x80


@given(st.data())
def test_a_damaged_query_is_read_or_refused(data: st.DataObject) -> None:
    whole = bytearray(query("some.name.test", extra=EDNS_DO))
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    assert not isinstance(parse_query(bytes(whole)), str)
    cut = data.draw(st.integers(0, len(whole) - 1))
    assert not isinstance(parse_query(query("some.name.test", extra=EDNS_DO)[:cut]), Query)


@given(st.lists(st.binary(min_size=1, max_size=63), min_size=1, max_size=3), st.binary())
def test_the_largest_reply_fits_every_client(labels: list[bytes], text: bytes) -> None:
    name = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    reply = encode_reply(
        parsed(query(name, AAAA, extra=EDNS)),
        Rcode.NOERROR,
        b"\0" * 16,
        blocked=text.decode("latin-1") * 50,
    )
    assert len(reply) <= MAX_REPLY
