"""The placeholders in the head of a request: where each stands, and the bytes that take its place.

In: a head that http1/heads.py has read, so it has one meaning. Out: slots, each with its place;
the value as that place writes it, or why it cannot stand there. Never: a placeholder left out.
"""

import base64
import binascii
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

from cleanroom.decide.secret import Finder, SecretRef, Spot, Use

Hit = tuple[int, int, SecretRef]

_BASIC: Final = b"basic "
_NOT_IN_COOKIES: Final = frozenset(b' ",;\\')


@dataclass(frozen=True, slots=True)
class Slot:
    """A part of a head that holds placeholders.

    `text` is what it says: the bytes themselves, or what is encoded there.
    """

    start: int
    end: int
    use: Use
    hits: tuple[Hit, ...]
    text: bytes


@dataclass(frozen=True, slots=True)
class Line:
    """A field of a head by its offsets; `name` in lower case."""

    start: int
    colon: int
    end: int  # of its value: the line's CRLF follows
    name: str


def fields_of(head: bytes) -> Iterator[Line]:
    """Yield the fields of a whole head."""
    at = head.index(b"\r\n") + 2
    while not head.startswith(b"\r\n", at):
        colon, end = head.index(b":", at), head.index(b"\r\n", at)
        yield Line(at, colon, end, head[at:colon].decode("latin-1").lower())
        at = end + 2


def slots_of(head: bytes, use: Use, found: Finder) -> Iterator[Slot]:
    """Yield a slot for every placeholder; `use` says all but the spot and the header."""
    yield from _target_slots(head, use, found)
    for line in fields_of(head):
        name = head[line.start : line.colon]
        hits = tuple(found.find(name))
        folded = found.find_folded(line.name)
        if folded is not None and not hits:  # names have no case
            hits = ((0, len(name), folded),)
        if hits:
            place = replace(use, spot=Spot.FIELD_NAME)
            yield Slot(line.start, line.colon, place, hits, name)
        yield from _value_slots(head, line, use, found)


def value_in(spot: Spot, value: bytes) -> bytes | str:
    """Return a value as it is written at a spot, or a phrase why it cannot be."""
    match spot:
        case Spot.QUERY | Spot.FORM:
            return quote_from_bytes(value, safe="").encode("ascii")
        case Spot.JSON:
            try:
                return json.dumps(value.decode("utf-8"))[1:-1].encode("ascii")
            except UnicodeDecodeError:
                return "in JSON, as it is no UTF-8"
        case Spot.COOKIE:
            if any(byte in _NOT_IN_COOKIES or byte > 0x7E for byte in value):
                return "in a cookie, for its letters"
        case Spot.HEADER:
            if value.strip(b" ") != value:
                return "in a field, as it begins or ends with a blank"
        case _:
            pass
    return value


def fill(slot: Slot, value_of: Callable[[SecretRef, Use], bytes]) -> bytes:
    """Return the bytes that take the slot's place."""
    for _, _, ref in slot.hits:
        if ref.binding.kind == "basic":  # user and password, whatever stands beside the placeholder
            return base64.b64encode(value_of(ref, slot.use))
    pieces, end = [], 0
    for start, stop, ref in slot.hits:
        pieces += [slot.text[end:start], value_of(ref, slot.use)]
        end = stop
    text = b"".join([*pieces, slot.text[end:]])
    return base64.b64encode(text) if slot.use.spot is Spot.BASIC else text


def _target_slots(head: bytes, use: Use, found: Finder) -> Iterator[Slot]:
    line = head[: head.index(b"\r\n")]
    query = line.find(b"?") + 1 or len(line)
    for start, end, spot in ((0, query, Spot.PATH), (query, len(line), Spot.QUERY)):
        text = line[start:end]
        hits = tuple(found.find(text))
        if hits:
            yield Slot(start, end, replace(use, spot=spot), hits, text)
            continue
        # Escaped it is not swapped. Nobody writes it so but to have it looked over.
        hits = tuple(found.find(unquote_to_bytes(text)))
        if hits:
            yield Slot(start, end, replace(use, spot=Spot.PATH), hits, text)


def _value_slots(head: bytes, line: Line, use: Use, found: Finder) -> Iterator[Slot]:
    start = line.colon + 1
    value = head[start : line.end]
    spot = Spot.COOKIE if line.name == "cookie" else Spot.HEADER
    hits = tuple(found.find(value))
    if hits:
        place = replace(use, spot=spot, header=line.name)
        yield Slot(start, line.end, place, hits, value)
    blanks = len(value) - len(value.lstrip(b" \t"))
    if value[blanks : blanks + len(_BASIC)].lower() != _BASIC:
        return
    token = value[blanks + len(_BASIC) :].strip(b" \t")
    text = _decoded(token)
    hits = tuple(found.find(text))
    if hits:
        at = head.index(token, start + blanks + len(_BASIC))
        place = replace(use, spot=Spot.BASIC, header=line.name)
        yield Slot(at, at + len(token), place, hits, text)


def _decoded(token: bytes) -> bytes:
    """Return what base64 says, as leniently as a server may read it."""
    try:
        return base64.b64decode(token + b"=" * (-len(token) % 4), altchars=b"-_")
    except binascii.Error:
        return b""
