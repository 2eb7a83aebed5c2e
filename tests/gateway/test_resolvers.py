"""The operator's own resolvers."""

import socket
from ipaddress import ip_address

import pytest

from cleanroom.gateway.resolvers import OwnResolvers, Place, parse_place
from tests.gateway.resolvers_of_tests import table_server

TABLE = {"a.test": ["203.0.113.7", "2001:db8::7"], "v4.test": ["203.0.113.8"]}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("9.9.9.9", Place("9.9.9.9", 53)),
        ("9.9.9.9:5353", Place("9.9.9.9", 5353)),
        ("2620:fe::fe", Place("2620:fe::fe", 53)),
        ("[2620:fe::fe]", Place("2620:fe::fe", 53)),
        ("[2620:fe::fe]:5353", Place("2620:fe::fe", 5353)),
    ],
)
def test_a_place_is_an_address_and_perhaps_a_port(text: str, place: Place) -> None:
    assert parse_place(text) == place
    assert place.family == (socket.AF_INET6 if ":" in place.address else socket.AF_INET)


@pytest.mark.parametrize("text", ["", "resolver.corp", "9.9.9.9:", "9.9.9.9:x", "1.2.3"])
def test_anything_else_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_place(text)


@pytest.mark.parametrize(("truncates", "spoils"), [(False, False), (True, False), (False, True)])
def test_both_families_are_asked_and_only_true_answers_are_taken(
    truncates: bool,  # noqa: FBT001
    spoils: bool,  # noqa: FBT001
) -> None:
    with table_server(TABLE) as server:
        server.truncates, server.spoils = truncates, spoils
        ask = OwnResolvers((parse_place(server.place),))
        assert ask("a.test").addresses == (ip_address("2001:db8::7"), ip_address("203.0.113.7"))
        assert ask("v4.test").addresses == (ip_address("203.0.113.8"),)
        assert ask("none.test").addresses == ()
        assert "does not exist" in ask("none.test").why


def test_a_resolver_that_is_not_there_is_passed_over() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        port = gone.getsockname()[1]
    nobody = Place("127.0.0.1", port)
    assert "no resolver" in OwnResolvers((nobody,))("a.test").why
    with table_server(TABLE) as server:
        ask = OwnResolvers((nobody, parse_place(server.place)))
        assert ip_address("203.0.113.7") in ask("a.test").addresses


def test_a_resolver_that_fails_says_so() -> None:
    with table_server(TABLE) as server:
        server.rcode = 2
        found = OwnResolvers((parse_place(server.place),))("a.test")
    assert found.addresses == ()
    assert "code 2" in found.why
