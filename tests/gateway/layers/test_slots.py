"""No placeholder of a head is left out, and each is written as its place wants it (S2, S4, S9)."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.decide.secret import Finder, Spot, Use
from cleanroom.gateway.http1.heads import MalformedError, parse_request
from cleanroom.gateway.layers.slots import fill, slots_of, value_in
from tests.gateway.secret_talk import PLACEHOLDER, REF

USE = Use(Spot.HEADER, "a.test", 443, True, "GET", "/")  # noqa: FBT003
FOUND = Finder([REF])
HOLDS = PLACEHOLDER.encode()


def spots(head: bytes) -> list[tuple[Spot, str]]:
    return [(slot.use.spot, slot.use.header) for slot in slots_of(head, USE, FOUND)]


def test_each_place_is_named() -> None:
    head = (
        b"GET /$?a=$ HTTP/1.1\r\nHost: a.test\r\nX-$: 1\r\nCookie: a=$; b=$\r\n"
        b"Authorization: Basic B64\r\nX-Y: $\r\n\r\n"
    )
    head = head.replace(b"$", HOLDS).replace(b"B64", base64.b64encode(b"a:" + HOLDS))
    assert spots(head) == [
        (Spot.PATH, ""),
        (Spot.QUERY, ""),
        (Spot.FIELD_NAME, ""),
        (Spot.COOKIE, "cookie"),
        (Spot.BASIC, "authorization"),
        (Spot.HEADER, "x-y"),
    ]


@given(
    st.lists(
        st.sampled_from(["$", "a", " ", ":", "=", "&", "?", "%41", "Basic ", "\t"]), max_size=9
    ),
    st.sampled_from(
        ["GET /{} HTTP/1.1\r\nHost: a.test", "GET / HTTP/1.1\r\nHost: a.test\r\nX: {}"]
    ),
)
def test_whatever_stands_around_it_is_kept(words: list[str], around: str) -> None:
    text = around.format("".join(words)).replace("$", PLACEHOLDER)
    head = f"{text}\r\n\r\n".encode()
    try:
        parse_request(head)
    except MalformedError:
        return
    slots = [slot for slot in slots_of(head, USE, FOUND) if slot.use.spot is not Spot.BASIC]
    changed = head
    for slot in sorted(slots, key=lambda each: -each.start):
        instead = fill(slot, lambda ref, use: b"<V>")
        changed = changed[: slot.start] + instead + changed[slot.end :]
    assert changed == head.replace(HOLDS, b"<V>")


@pytest.mark.parametrize(
    ("spot", "value", "written"),
    [
        (Spot.HEADER, b"a %1$\xff", b"a %1$\xff"),
        (Spot.HEADER, b"a ", "in a field, as it begins or ends with a blank"),
        (Spot.BASIC, b" a:b ", b" a:b "),
        (Spot.QUERY, b"a/b&c \xff~", b"a%2Fb%26c%20%FF~"),
        (Spot.FORM, b"+%", b"%2B%25"),
        (Spot.JSON, 'a"\\/\u00e9'.encode(), b'a\\"\\\\/\\u00e9'),
        (Spot.JSON, b"\xff", "in JSON, as it is no UTF-8"),
        (Spot.COOKIE, b"a=b/c", b"a=b/c"),
        *((Spot.COOKIE, word, "in a cookie, for its letters") for word in (b"a;", b'"', b"\xe9")),
    ],
)
def test_a_value_is_written_exactly_or_not_at_all(
    spot: Spot, value: bytes, written: bytes | str
) -> None:
    assert value_in(spot, value) == written
