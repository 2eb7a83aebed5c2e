"""The credentials in the head of a request that are none of this sandbox's placeholders.

In: a head that http1/heads.py has read, its slots. Out: where each stands, and the head without
them. Never: a part of a credential in a word about it; a look at a body, which is content.
"""

import re
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from cleanroom.decide.foreign import (
    has_jwt,
    is_field,
    is_name,
    is_name_among,
    is_session,
    is_shaped,
)
from cleanroom.decide.secret import Finder, Spot
from cleanroom.gateway.layers.slots import Slot, fields_of

_PARAMETER: Final = re.compile(rb"[^&;]+")  # some servers part at `;` too
_COOKIE: Final = re.compile(rb"[^;]+")
# Some servers part cookies here too, as RFC 2109 and Python's library do.
_APART: Final = re.compile(rb"(?<![=\s])[,\s]+(?![=\s])")
_A_COOKIE: Final = "a cookie"
_OF_QUERY: Final = "a parameter of the query"
MOST_PAIRS: Final = 1000  # of a head, that are looked at one by one


@dataclass(frozen=True, slots=True)
class Stranger:
    """A credential, and what has to go for it to be gone.

    `alone`: with it no placeholder goes, and no part of a path.
    """

    start: int
    end: int
    where: str
    alone: bool = True


class Strangers:
    """Finds them. `fields`: in lower case, those that hold nothing but a credential.

    `is_given`: whether the host itself gave a cookie's value to this sandbox.
    """

    def __init__(
        self, found: Finder, fields: Collection[str], is_given: Callable[[bytes], bool]
    ) -> None:
        self._found = found
        self._fields = fields
        self._is_given = is_given

    def find(self, head: bytes, slots: Sequence[Slot]) -> Iterator[Stranger]:
        """Yield each credential, in order."""
        left = yield from self._in_target(head)
        filled = {slot.use.header for slot in slots}
        for line in fields_of(head):
            # Servers of the CGI family read `x_api_key` as the field that it looks like.
            is_credential = line.name.replace("_", "-") in self._fields or is_field(line.name)
            if is_credential and line.name not in filled:
                yield Stranger(line.start, line.end + 2, f"the field {line.name[:64]}")
            elif line.name == "cookie":
                span = (line.colon + 1, line.end)
                left = yield from self._among(head, span, _A_COOKIE, left)
            elif self._beside(head[line.colon + 1 : line.end], line.name, slots):
                alone = line.name not in filled
                yield Stranger(line.start, line.end + 2, f"the field {line.name[:64]}", alone)

    def _in_target(self, head: bytes) -> Generator[Stranger, None, int]:
        """Return how many pairs may be looked at yet."""
        start = head.index(b" ") + 1
        end = head.index(b" ", start)
        query = head.find(b"?", start, end)
        path = end if query < 0 else query
        if is_shaped(self._rest(unquote_to_bytes(head[start:path]))):
            yield Stranger(start, path, "the path", alone=False)
        if query >= 0:
            span = (query + 1, end)
            return (yield from self._among(head, span, _OF_QUERY, MOST_PAIRS))
        return MOST_PAIRS

    def _among(
        self, head: bytes, span: tuple[int, int], where: str, left: int
    ) -> Generator[Stranger, None, int]:
        """Return how many of the `left` pairs may be looked at yet."""
        text = unquote_to_bytes(head[slice(*span)])
        rest = self._rest(text)
        is_cookie = where == _A_COOKIE
        apart = _APART.sub(b";", text) if is_cookie else text
        is_named = is_name_among(text) or is_name_among(apart) or (is_cookie and has_jwt(text))
        if not (is_named or is_shaped(rest)):
            return left
        pattern = _COOKIE if is_cookie else _PARAMETER
        pairs = [match.span() for match in pattern.finditer(head, *span)]
        words = len(_APART.findall(head, *span)) if is_cookie else 0
        if len(pairs) + words > left:
            # SECURITY: each costs a microsecond or two, and a head may hold 32,000, in many fields.
            yield Stranger(*span, f"{where}, of which there are too many,", alone=rest == text)
            return left
        first = span[0] - (head[span[0] - 1 : span[0]] == b"?")
        yield from self._in_pairs(head, first, pairs, where)
        return left - len(pairs) - words

    def _in_pairs(
        self, head: bytes, first: int, pairs: Iterable[tuple[int, int]], where: str
    ) -> Iterator[Stranger]:
        for start, end in pairs:
            pair = head[start:end]
            is_cookie = where == _A_COOKIE
            if is_cookie and self._is_given(pair.partition(b"=")[2]):
                continue
            text = unquote_to_bytes(pair)
            rest = self._rest(text)
            is_own = rest != text
            words = [pair, *_APART.split(pair)] if is_cookie else [pair]
            if is_shaped(rest) or any(self._is_named(word, is_cookie=is_cookie) for word in words):
                # With the sign behind it, else with the one before it.
                behind = head[end : end + 1] in (b"&", b";")
                before = 0 if behind or start == first else 1
                yield Stranger(start - before, end + behind, where, alone=not is_own)

    def _is_named(self, pair: bytes, *, is_cookie: bool) -> bool:
        name, _, value = map(unquote_to_bytes, pair.partition(b"="))
        is_credential = bool(value.strip()) and is_name(name)
        if not is_credential and not (is_cookie and is_session(name, value)):
            return False
        return self._rest(value) == value

    def _beside(self, value: bytes, name: str, slots: Sequence[Slot]) -> bool:
        decoded = [
            slot.text for slot in slots if (slot.use.spot, slot.use.header) == (Spot.BASIC, name)
        ]
        return any(is_shaped(self._rest(text)) for text in (value, *decoded))

    def _rest(self, text: bytes) -> bytes:
        """Return a text without placeholders."""
        pieces, position = [], 0
        for start, end, _ in self._found.find(text):
            pieces.append(text[position:start])
            position = end
        return b" ".join([*pieces, text[position:]])


def without(head: bytes, strangers: Iterable[Stranger]) -> bytes:
    """Return the head without them."""
    pieces, position = [], 0
    for each in strangers:
        pieces.append(head[position : max(position, each.start)])
        position = each.end
    return b"".join([*pieces, head[position:]])
