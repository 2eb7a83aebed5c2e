import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanroom.policy.hosts import (
    InvalidHostError,
    canonical_host,
    canonical_network,
    parse_host_pattern,
    parse_port,
)
from cleanroom.policy.model import RuleKind
from tests.policy.reading import EXAMPLES

CANONICAL = {
    "api.example.com": "api.example.com",
    "API.Example.COM": "api.example.com",
    "api.example.com.": "api.example.com",
    "localhost": "localhost",
    "xn--bcher-kva.example": "xn--bcher-kva.example",
    "bücher.example": "xn--bcher-kva.example",
    "BÜCHER.example": "xn--bcher-kva.example",
    "r3---sn-a.example": "r3---sn-a.example",
    "1.example": "1.example",
    "0x7f.example": "0x7f.example",
    "a" * 63 + ".example": "a" * 63 + ".example",
}

REFUSED = {
    "": "it is empty",
    ".": "it is empty",
    "a..example": "it has an empty label",
    "a.example..": "it has an empty label",
    ".a.example": "it has an empty label",
    "a.example\0": "letters, digits, hyphens and dots only",
    "a\0.example": "letters, digits, hyphens and dots only",
    "a.example\n": "letters, digits, hyphens and dots only",
    "a b.example": "letters, digits, hyphens and dots only",
    "a\t.example": "letters, digits, hyphens and dots only",
    "a%00.example": "letters, digits, hyphens and dots only",
    "a_b.example": "letters, digits, hyphens and dots only",
    "-a.example": "letters, digits, hyphens and dots only",
    "a-.example": "letters, digits, hyphens and dots only",
    "a*.example": "letters, digits, hyphens and dots only",
    "a" * 64 + ".example": "longer than 63 characters",
    "a." * 127 + "example": "longer than 253 characters",
    "ü" * 60 + ("." + "ü" * 60) * 3: "no valid internationalised name",
    "ⓔxample.com": "no valid internationalised name",
    "ex。ample.com": "no valid internationalised name",
    "ｅxample.com": "no valid internationalised name",
    "xn--a.example": "no valid internationalised name",
    "xn--.example": "no valid internationalised name",
    "127.1": "read as an IP address",
    "0x7f.1": "read as an IP address",
    "2130706433": "read as an IP address",
    "0177.0.0.1": "read as an IP address",
    "127.0.0.1": "read as an IP address",
    "127.0.0.1.": "read as an IP address",
    "a.0x7f": "read as an IP address",
    "a.0x": "read as an IP address",
}


@pytest.mark.parametrize("text", CANONICAL)
def test_a_host_has_one_canonical_form(text: str) -> None:
    assert canonical_host(text) == CANONICAL[text]
    assert canonical_host(canonical_host(text)) == CANONICAL[text]


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(InvalidHostError, match=REFUSED[text]):
        canonical_host(text)


def test_a_name_may_grow_too_long_by_its_a_labels() -> None:
    with pytest.raises(InvalidHostError, match="longer than 253"):
        canonical_host(".".join(["ü" * 24 + "a" * 24] * 5))


@given(st.text(max_size=80))
@settings(max_examples=EXAMPLES, deadline=None)
def test_any_text_has_a_stable_form_or_is_refused(text: str) -> None:
    try:
        name = canonical_host(text)
    except InvalidHostError:
        return
    assert canonical_host(name) == canonical_host(name.upper() + ".") == name
    assert name.isascii()
    with pytest.raises(ValueError, match=r".*"):
        ipaddress.ip_address(name)


PATTERNS = {
    "a.example": (RuleKind.EXACT, "a.example"),
    "*.Example.com.": (RuleKind.WILDCARD, "example.com"),
    "*.a.b.example.com": (RuleKind.WILDCARD, "a.b.example.com"),
    "192.0.2.7": (RuleKind.NETWORK, "192.0.2.7"),
    "192.0.2.7/32": (RuleKind.NETWORK, "192.0.2.7"),
    "192.0.2.0/24": (RuleKind.NETWORK, "192.0.2.0/24"),
    "2001:DB8::1": (RuleKind.NETWORK, "2001:db8::1"),
    "::1": (RuleKind.NETWORK, "::1"),
    "2001:db8:0::/32": (RuleKind.NETWORK, "2001:db8::/32"),
}

NO_PATTERNS = {
    "*": "would allow everything",
    "*.com": "whole top-level domain",
    "*.": "empty",
    "a.*.example": "the whole first label",
    "*a.example": "the whole first label",
    "*.*.example": "the whole first label",
    "**.a.example": "the whole first label",
    "*.127.1": "read as an IP address",
    "https://a.example": "URL",
    "a.example/path": "path",
    "a.example:443": "port",
    "u@a.example": "user name",
    "a.example b.example": "space",
    "[2001:db8::1]": "brackets",
    "fe80::1%eth0": "zone",
    "::ffff:192.0.2.1": "holds an IPv4 address",
    "::192.0.2.1": "holds an IPv4 address",
    "::": "holds an IPv4 address",
    "0.0.0.0/0": "wider than /8",
    "::/0": "wider than /16",
    "2000::/3": "wider than /16",
    "192.0.2.1/24": "bits after its prefix",
    "192.0.2.0/024": "no plain number",
    "192.0.2.0/255.255.255.0": "no plain number",
    "192.0.2": "no address",
    "192.0.2.256": "no address",
    "2001:db8::g": "port",
    "regex.*": "the whole first label",
    "^a$": "letters, digits",
}


@pytest.mark.parametrize("text", PATTERNS)
def test_a_rule_names_a_host_a_wildcard_or_a_network(text: str) -> None:
    assert parse_host_pattern(text) == PATTERNS[text]


@pytest.mark.parametrize("text", NO_PATTERNS)
def test_what_a_rule_may_not_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidHostError, match=NO_PATTERNS[text]):
        parse_host_pattern(text)


@given(st.ip_addresses(v=4))
@settings(max_examples=EXAMPLES, deadline=None)
def test_every_ipv4_address_is_its_own_canonical_text(address: ipaddress.IPv4Address) -> None:
    assert canonical_network(str(address)) == str(address)


@pytest.mark.parametrize("text", ["1", "443", "65535"])
def test_ports_are_plain_decimals(text: str) -> None:
    assert str(parse_port(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "65536",
        "70000",
        "0443",
        "+443",
        "-1",
        "4_43",
        "４４３",
        " 443",
        "443\n",
        "0x1bb",
        "9" * 99,
    ],
)
def test_what_only_int_would_take_is_no_port(text: str) -> None:
    with pytest.raises(InvalidHostError, match="is no port"):
        parse_port(text)
