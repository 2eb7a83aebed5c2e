"""Synthetic addresses: one name each, for ever, and never too many."""

from ipaddress import ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st

from cleanroom.gateway.layers.names import NameTable, Synthetic


def test_the_first_name_gets_the_first_addresses() -> None:
    assert NameTable().assign("a.test") == Synthetic("198.18.0.16", "fd00:c1ea::10")


def test_a_name_keeps_its_addresses() -> None:
    names = NameTable()
    first = names.assign("a.test")
    names.assign("b.test")
    assert names.assign("a.test") == first
    assert len(names) == 2


def test_an_address_leads_back_to_its_name() -> None:
    names = NameTable()
    pair = names.assign("a.test")
    assert pair is not None
    assert names.name_of(pair.v4) == names.name_of(pair.v6) == "a.test"
    assert names.name_of("198.18.0.17") == ""
    assert names.name_of("198.18.0.1") == ""


def test_a_full_table_gives_no_more_and_forgets_nothing() -> None:
    names = NameTable(limit=2)
    kept = [names.assign("a.test"), names.assign("b.test")]
    assert names.assign("c.test") is None
    assert [names.assign("a.test"), names.assign("b.test")] == kept


@given(st.lists(st.text(min_size=1), max_size=600))
def test_no_two_names_share_an_address(asked: list[str]) -> None:
    names = NameTable()
    pairs = {name: names.assign(name) for name in asked}
    addresses = [text for pair in pairs.values() if pair for text in (pair.v4, pair.v6)]
    assert len(set(addresses)) == 2 * len(pairs)
    for text in addresses:
        address = ip_address(text)
        assert str(address) == text  # as getsockname() writes it
        assert address in ip_network("198.18.0.0/15" if address.version == 4 else "fd00:c1ea::/96")
        assert text not in ("198.18.0.1", "fd00:c1ea::1")
