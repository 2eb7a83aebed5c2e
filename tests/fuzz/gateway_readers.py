"""What the gateway looks into without being asked: pages of mirrors, words that may be credentials.

In: bytes, a Random. Out: nothing; it returns. Never: an exception.
"""

import re
from random import Random
from typing import Final

from cleanroom.decide import foreign
from cleanroom.decide.links import LinkFinder
from tests.fuzz.mutator import pieces
from tests.fuzz.reader import Reader

_FILE: Final = "six-1.17.0+a-py2.py3-none-any.whl"
_JWT: Final = b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


def _links(data: bytes, random: Random) -> None:
    def found(cut: list[bytes]) -> str:
        finder = LinkFinder(_FILE)
        for piece in cut:
            finder.feed(piece)
        return finder.found

    whole = found([data])
    assert "<" not in whole or b"&" in data
    assert found(pieces(random, data)) == whole or data.count(b"six-") > 1  # which of them is open


def _strangers(data: bytes, _random: Random) -> None:
    cookies = foreign.Cookies()
    cookies.give("a.test", data)
    name, _, value = data.partition(b";")[0].partition(b"=")
    is_given = cookies.has("a.test", value)
    assert is_given or not (foreign.is_name(name) or foreign.is_shaped(value))
    assert not cookies.has("b.test", value)
    for each in re.split(rb"[&;]", data):  # what is told of all at once is told of each
        one, equals, _ = each.partition(b"=")
        assert not (equals and foreign.is_name(one)) or foreign.is_name_among(data)
    foreign.is_field(data.decode("latin-1"))


GATEWAY: Final = {
    "links of mirrors": Reader(
        (
            f'<a href="../../x/{_FILE}.metadata">m</a><a href="../../p/{_FILE}#sha256=0">f</a>'
            .encode(),
            f"<a href='https://a.test/x?a&amp;b/{_FILE.replace('+', '%2B')}'>f</a>".encode(),
        ),
        _links,
    ),
    "words of strangers": Reader(
        (
            b"access_token[0]=a&X-Api-Key=b&password.1=c", b"session=" + _JWT + b"; Path=/",
            b"t=ghp_" + b"a" * 36 + b"&glpat-" + b"b" * 20,
        ),
        _strangers,
    ),
}  # fmt: skip
