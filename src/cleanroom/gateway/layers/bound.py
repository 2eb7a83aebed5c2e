"""A connection to a host that secrets go to. Where they may, it has proved its name by TLS.

In: requests whose placeholders were judged, answers. Out: requests with the values in them, answers
without. Never: a credential that is not the sandbox's own placeholder, unless the operator lets it
pass; an answer that could not be searched; a request that asks for a part of an answer, or for one
that is compressed.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Final
from urllib.parse import unquote_to_bytes

from cleanroom.decide.foreign import is_shaped
from cleanroom.decide.model import Deny
from cleanroom.decide.secret import (
    TOKEN_HEADERS,
    Foreign,
    Keyring,
    SecretRef,
    Spot,
    Use,
    decide_use,
)
from cleanroom.errors import Code
from cleanroom.gateway.http1.heads import NO_BODY, Delimiter, RequestHead, ResponseHead
from cleanroom.gateway.layers.carriers import Chunking, Held, Scrubbing, Swapping, Verbatim
from cleanroom.gateway.layers.custody import Asked, Passage, Return, Tunnel, Watched
from cleanroom.gateway.layers.foreign import Stranger, Strangers, without
from cleanroom.gateway.layers.slots import Slot, fields_of, fill, slots_of, value_in
from cleanroom.gateway.layers.websocket import WebSocket
from cleanroom.gateway.wire import Target
from cleanroom.policy.model import SecretBinding

MAX_HELD: Final = 64 * 1024  # of a body that waits until its length is known
MAX_USES: Final = 64  # in one request: each may be longer than what it replaces

_FRAMING: Final = frozenset({"content-length", "transfer-encoding"})
# A part of an answer may hold a part of a value, and what is compressed cannot be searched.
_UNASKED: Final = frozenset({"range", "if-range", "accept-encoding", "sec-websocket-extensions"})
_UNSAID: Final = frozenset({*_FRAMING, "trailer"})
_CONNECTION: Final = frozenset({"connection", "keep-alive"})
# By these many frameworks take a POST for a DELETE, say.
_OVERRIDES: Final = frozenset({"x-http-method-override", "x-http-method", "x-method-override"})
_METHOD_IN_QUERY: Final = re.compile(rb"[?&;]_method=")
_CLOSE: Final = b"Connection: close"
_TYPE: Final = "content-type"
# In these a form of a value (decide/echo.py) is the bytes that it looks like.
_CHARSETS: Final = ("utf-8", "utf8", "us-ascii", "ascii", "iso-8859-", "latin1", "windows-125")

_Edit = tuple[int, int, bytes]


class Searched(Watched):
    """A host that was told a value, where no placeholder may go: its answers are searched.

    Implements Custody of layers/custody.py.
    """

    def send(self, request: RequestHead, head: bytes) -> Passage | Deny:
        """Implement Custody."""
        return Passage(_edited(head, _searchable(head)), self._watching(request))

    def receive(self, asked: Asked, answer: ResponseHead, head: bytes) -> Return | Deny:
        """Implement Custody."""
        echoes = self._keyring.echoes()
        if answer.interim:
            return Return(_joined(map(echoes.replace, _kept(head, frozenset()))), Verbatim())
        unsaid, last = (_CONNECTION, [_CLOSE]) if asked.is_last else (frozenset(), [])
        if answer.framing == NO_BODY:
            lines = [*map(echoes.replace, _kept(head, unsaid)), *last]
            return Return(self._heard(lines), Verbatim())
        why = why_unsearchable(answer.status, answer.fields)
        if why:
            return Deny(Code.PROTOCOL_NOT_ALLOWED, f"the server's answer {why}")
        is_chunked = asked.minor == 1
        if is_chunked:
            last = [*last, b"Transfer-Encoding: chunked"]
        else:
            unsaid, last = _CONNECTION, [_CLOSE]
        lines = [*map(echoes.replace, _kept(head, _UNSAID | unsaid)), *last]
        return Return(self._heard(lines), Scrubbing(self._keyring.echoes, is_chunked=is_chunked))

    def tunnel(self) -> Tunnel | None:
        """Implement Custody."""
        return WebSocket(self._keyring)

    def _heard(self, lines: Sequence[bytes]) -> bytes:
        """Return the head of an answer; what it gives as cookies may come back.

        SECURITY: if it was verified: over plain HTTP anybody on the way could give one.
        """
        for line in lines if self._verified else ():
            name, _, said = line.partition(b":")
            if name.lower() == b"set-cookie":
                self._keyring.cookies.give(self._target.name, said)
        return _joined(lines)


class Bound(Searched):
    """Where values may go. Implements Custody of layers/custody.py."""

    def __init__(
        self,
        keyring: Keyring,
        target: Target,
        bindings: Iterable[SecretBinding],
        foreign: Foreign = Foreign.BLOCK,
    ) -> None:
        super().__init__(keyring, target, verified=True)
        own = {each.header.lower() for each in bindings if each.header is not None}
        self._credentials = TOKEN_HEADERS | own
        self._foreign = foreign
        self._requests = 0

    def send(self, request: RequestHead, head: bytes) -> Passage | Deny:
        """Implement Custody."""
        self._requests += 1
        found = self._keyring.found
        purse = Purse(self._keyring, (self._target.connection_id, self._requests))
        use = self._use(request)
        slots = list(slots_of(head, use, found))
        if self._foreign is Foreign.STRIP:
            head = without(head, self._strangers(head, slots))
            slots = list(slots_of(head, use, found))
        edits = [(slot.start, slot.end, fill(slot, purse.value)) for slot in slots]
        if purse.why_not is not None:
            return purse.why_not
        edits += _searchable(head)
        place = replace(use, spot=_body_spot(request))
        if request.framing == NO_BODY or not self._may_fill(place):
            return Passage(_edited(head, edits), self._watching(request))
        edits += _without(head, _FRAMING)
        swapping = Swapping(found, place, purse.value_or_deny)
        if _is_short(request):
            return Passage(b"", Held(swapping, _edited(head, edits)))
        if request.minor == 0:
            # SECURITY: it knows no chunks. A server would read them as a request of its own.
            reason = "version 1.0 of HTTP cannot carry a body whose length a secret may change"
            return Deny(Code.PROTOCOL_NOT_ALLOWED, reason)
        edits.append(_added(head, b"Transfer-Encoding: chunked\r\n"))
        return Passage(_edited(head, edits), Chunking(swapping))

    def shown(self, path: str) -> str:
        """Implement Custody."""
        path = super().shown(path)
        return "/***" if is_shaped(unquote_to_bytes(path)) else path

    def _objection(self, head: bytes, slots: Sequence[Slot]) -> Deny | None:
        filled = {slot.use.header for slot in slots}
        names = [line.name for line in fields_of(head)]
        known = [name.replace("_", "-") for name in names]
        overrides = _METHOD_IN_QUERY.search(unquote_to_bytes(head[: head.index(b"\r\n")]))
        for name, meant in zip(names, known, strict=True):
            if name in filled and known.count(meant) > 1:
                reason = f"the field {name} holds a placeholder and comes twice"
                return Deny(Code.PROTOCOL_NOT_ALLOWED, reason)
        for ref in self._keyring.found.refs:
            binding = ref.binding
            by_method = binding.methods and self._target.name in binding.allowed_hosts
            if by_method and (overrides or not _OVERRIDES.isdisjoint(known)):
                reason = "it says that its method is another, and a secret is bound to methods"
                return Deny(Code.SECRET_SCOPE_VIOLATION, reason)
        if self._foreign is not Foreign.PASS:
            for stranger in self._strangers(head, slots):
                if stranger.alone and self._foreign is Foreign.STRIP:
                    continue
                what = f"{stranger.where} holds a credential that is no placeholder"
                reason = f"{what}; {self._target.name} is asked with bound secrets only"
                return Deny(Code.SECRET_SCOPE_VIOLATION, reason)
        return None

    def _strangers(self, head: bytes, slots: Sequence[Slot]) -> Iterator[Stranger]:
        is_given = partial(self._keyring.cookies.has, self._target.name)
        return Strangers(self._keyring.found, self._credentials, is_given).find(head, slots)

    def _may_fill(self, use: Use) -> bool:
        return any(decide_use(ref, use) is None for ref in self._keyring.found.refs)


class Purse:
    """Takes the values of one request, and remembers the first that there is not."""

    def __init__(self, keyring: Keyring, request: object) -> None:
        self._keyring = keyring
        self._request = request
        self._uses = 0
        self.why_not: Deny | None = None

    def value(self, ref: SecretRef, use: Use) -> bytes:
        """Return the value as the place writes it; b"" with `why_not`."""
        value = self.value_or_deny(ref, use)
        if isinstance(value, Deny):
            self.why_not = value
            return b""
        return value

    def value_or_deny(self, ref: SecretRef, use: Use) -> bytes | Deny:
        """Return the value as the place writes it."""
        deny = decide_use(ref, use)
        if deny is not None:
            return deny
        self._uses += 1
        if self._uses > MAX_USES:
            reason = f"a request holds more than {MAX_USES} placeholders"
            return Deny(Code.RESOURCE_LIMIT, reason)
        value = self._keyring.take(ref, self._request)
        if isinstance(value, Deny):
            return value
        written = value_in(use.spot, value)
        if isinstance(written, str):
            reason = f"the secret '{ref.binding.secret_id}' cannot stand {written}"
            return Deny(Code.SECRET_UNAVAILABLE, reason)
        return written


def _body_spot(request: RequestHead) -> Spot:
    kinds = [value for name, value in request.fields if name.replace("_", "-") == _TYPE]
    # SECURITY: of two types another one may count for the server, with another way to write values.
    kind = kinds[0].partition(";")[0].strip().lower() if len(kinds) == 1 else ""
    if kind == "application/x-www-form-urlencoded":
        return Spot.FORM
    if kind == "application/json" or kind.endswith("+json"):
        return Spot.JSON
    return Spot.BODY


def _is_short(request: RequestHead) -> bool:
    """Tell whether its body can be awaited: one that waits for 100 Continue itself cannot be."""
    framing = request.framing
    awaits = any(name == "expect" for name, _ in request.fields)
    return framing.delimiter is Delimiter.LENGTH and framing.length <= MAX_HELD and not awaits


def why_unsearchable(status: int, fields: Iterable[tuple[str, str]]) -> str:
    """Return why an answer with this head cannot be searched, "" if it can."""
    for name, value in fields:
        word = value.lower()
        if name == "content-encoding" and word not in ("", "identity"):
            return "is compressed though it was not to be, so it cannot be searched for secrets"
        if name == "content-range":
            return "is a part of a whole that nobody asked for in parts"
        if name == "content-type" and "multipart/byteranges" in word:
            return "is parts of a whole that nobody asked for in parts"
        charset = word.partition("charset")[2].strip(" =\"'")
        if name == "content-type" and charset and not charset.startswith(_CHARSETS):
            # SECURITY: not repeated. It is the server's word, and may be the value itself.
            return "has a charset that is not searched for secrets"
    return "is a part of a whole that nobody asked for in parts" if status == 206 else ""


def _kept(head: bytes, left_out: frozenset[str]) -> Iterator[bytes]:
    yield head[: head.index(b"\r\n")]
    for line in fields_of(head):
        if line.name not in left_out:
            yield head[line.start : line.end]


def _joined(lines: Iterable[bytes]) -> bytes:
    return b"\r\n".join([*lines, b"", b""])


def _without(head: bytes, names: frozenset[str]) -> list[_Edit]:
    return [(line.start, line.end + 2, b"") for line in fields_of(head) if line.name in names]


def _searchable(head: bytes) -> list[_Edit]:
    """Return what has a server answer whole and uncompressed."""
    return [*_without(head, _UNASKED), _added(head, b"Accept-Encoding: identity\r\n")]


def _added(head: bytes, line: bytes) -> _Edit:
    return (len(head) - 2, len(head) - 2, line)


def _edited(head: bytes, edits: Iterable[_Edit]) -> bytes:
    pieces, position = [], 0
    for start, end, instead in sorted(edits, key=_start):
        pieces += [head[position:start], instead]
        position = end
    return b"".join([*pieces, head[position:]])


def _start(edit: _Edit) -> int:
    return edit[0]
