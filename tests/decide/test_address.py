"""The dial guard: where the gateway may not go, whatever a name says."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.decide.address import Guard, carried_address, judge_address, make_guard

NOWHERE = Guard()
PUBLIC = (
    "8.8.8.8",
    "203.0.113.80",  # RFC 5737: mirrors live there
    "198.51.100.1",
    "192.0.2.1",
    "2001:db8::1",  # RFC 3849
    "2606:4700::1",
    "2001:4860::8888",
    "100.63.255.255",
    "100.128.0.0",
    "172.32.0.1",
    "192.0.1.1",
    "198.20.0.1",
)
EXCEPTABLE = (
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "198.18.0.1",
    "::1",
    "fc00::1",
    "fd00::1",
)
NEVER = (
    "0.0.0.0",  # noqa: S104 -- not a bind
    "0.1.2.3",
    "169.254.169.254",
    "169.254.1.1",
    "168.63.129.16",
    "100.100.100.200",
    "192.0.0.8",
    "192.0.0.192",
    "192.88.99.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "2001::1",  # Teredo
    "4000::1",
    "100::1",
    "5f00::1",
)
CARRIERS = ("::ffff:{}", "::{}", "64:ff9b::{}", "2002:{:x}:{:x}::1")


def carriers(inner: str) -> list[str]:
    """Return every IPv6 spelling of an IPv4 address that some kernel or relay would follow."""
    number = int(IPv4Address(inner))
    plain = [form.format(inner) for form in CARRIERS[:3]]
    return [*plain, CARRIERS[3].format(number >> 16, number & 0xFFFF)]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_pass(address: str) -> None:
    assert judge_address(NOWHERE, "a.test", ip_address(address)) is None


@pytest.mark.parametrize("address", EXCEPTABLE)
def test_private_addresses_are_refused_with_the_line_that_excepts_them(address: str) -> None:
    deny = judge_address(NOWHERE, "a.test", ip_address(address))
    assert deny is not None
    assert deny.code == "address_not_allowed"
    assert deny.reason.endswith("gateway.private_hosts: [a.test]")
    excepted = make_guard(["a.test"], [])
    assert judge_address(excepted, "a.test", ip_address(address)) is None
    assert judge_address(excepted, "b.test", ip_address(address)) is not None
    assert judge_address(make_guard([address], []), "b.test", ip_address(address)) is None


@pytest.mark.parametrize("address", NEVER)
def test_some_addresses_no_operator_can_except(address: str) -> None:
    everything = make_guard(["a.test", "0.0.0.0/0", "::/0"], [])
    for guard in (NOWHERE, everything):
        deny = judge_address(guard, "a.test", ip_address(address))
        assert deny is not None
        assert "private_hosts" not in deny.reason


@pytest.mark.parametrize("inner", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "0.1.2.3"])
def test_an_address_inside_another_is_judged_too(inner: str) -> None:
    opened = make_guard(["::/0"], [])  # the prefixes are excepted, what they carry is not
    for address in carriers(inner):
        for guard in (NOWHERE, opened):
            assert judge_address(guard, "a.test", ip_address(address)) is not None, address


def test_a_carrier_of_a_public_address_needs_the_operator() -> None:
    for address in carriers("8.8.8.8"):
        deny = judge_address(NOWHERE, "a.test", ip_address(address))
        assert deny is not None, address
        assert str(ip_address(address)) in deny.reason.rpartition("private_hosts")[2]
        # A name is not enough: the operator excepts the prefix of the network's translator.
        assert judge_address(make_guard(["a.test"], []), "a.test", ip_address(address)) is not None
    nat64 = make_guard(["64:ff9b::/96"], [])
    assert judge_address(nat64, "a.test", ip_address("64:ff9b::808:808")) is None


def test_the_host_and_its_neighbours_are_refused() -> None:
    guard = make_guard(["mirror.corp.test", "*.lab.test"], ["203.0.113.7/24", "2001:db8:1::7/64"])
    for address in ("203.0.113.7", "203.0.113.99", "2001:db8:1::1"):
        deny = judge_address(guard, "a.test", ip_address(address))
        assert deny is not None, address
        assert "this host's own" in deny.reason
        assert judge_address(guard, "mirror.corp.test", ip_address(address)) is None
        assert judge_address(guard, "x.lab.test", ip_address(address)) is None
        assert judge_address(guard, "lab.test", ip_address(address)) is not None
    assert judge_address(guard, "a.test", ip_address("203.0.114.1")) is None


def test_an_ip_literal_has_no_name_to_except() -> None:
    guard = make_guard(["10.1.0.0/16", "A.TEST."], [])
    assert judge_address(guard, "", ip_address("10.1.2.3")) is None
    deny = judge_address(guard, "", ip_address("10.2.2.3"))
    assert deny is not None
    assert deny.reason.endswith("[10.2.2.3]")
    assert judge_address(guard, "a.test", ip_address("10.2.2.3")) is None


def test_a_host_network_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="does not appear"):
        make_guard([], ["not a network"])


@given(st.ip_addresses(v=6))
def test_nothing_outside_global_unicast_passes(address: IPv6Address) -> None:
    if judge_address(NOWHERE, "a.test", address) is None:
        assert int(address) >> 125 == 1


@given(st.ip_addresses(v=4))
def test_every_carrier_of_an_address_is_refused(address: IPv4Address) -> None:
    for carrier in carriers(str(address)):
        assert judge_address(NOWHERE, "a.test", ip_address(carrier)) is not None
        if int(address) > 0xFFFF:  # ::0 and ::1 are more than carriers
            assert carried_address(ip_address(carrier)) == address
