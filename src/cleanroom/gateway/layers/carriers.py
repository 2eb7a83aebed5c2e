"""What carries a body from one side to the other: as it came, watched, or changed on the way.

In: pieces of a body, with the spans that are payload (http1/bodies.py). Out: bytes for the other
side, or a Deny. Never: more kept than MAX_HELD or the longest word that is searched for; a body
that looks whole after a Deny.
"""

from collections.abc import Callable
from typing import Final, Protocol

from cleanroom.decide.echo import EchoesNow, Scrubber
from cleanroom.decide.model import Deny
from cleanroom.decide.secret import Finder, SecretRef, Spot, Use, decide_use, violation
from cleanroom.gateway.http1.bodies import Spans

ValueOf = Callable[[SecretRef, Use], bytes | Deny]
_LAST_CHUNK: Final = b"0\r\n\r\n"


class Carrier(Protocol):
    """Carries the body of a request."""

    @property
    def has_sent(self) -> bool:
        """Whether the other side has the head already: a refusal comes too late then."""
        ...

    def carry(self, data: bytes, start: int, end: int, spans: Spans, *, done: bool) -> bytes | Deny:
        """Take `data` from `start` to `end`; `spans` of it are payload, `done` is its end."""
        ...


class AnswerCarrier(Protocol):
    """Carries the body of an answer."""

    def carry(self, data: bytes, start: int, end: int, spans: Spans, *, done: bool) -> bytes:
        """Take a piece, as Carrier does."""
        ...


class Verbatim:
    """As it came."""

    has_sent = True

    def carry(self, data: bytes, start: int, end: int, spans: Spans, *, done: bool) -> bytes:
        """Implement Carrier and AnswerCarrier."""
        del spans, done
        return data[start:end]


class Lookout:
    """Looks for placeholders in bytes that arrive in pieces."""

    def __init__(self, found: Finder) -> None:
        self._found = found
        self._seen = b""

    def look(self, data: bytes) -> SecretRef | None:
        """Return the first that is whole by now, in UTF-16 too."""
        if not data:
            return None
        text = self._seen + data
        self._seen = text[-2 * self._found.longest :] if self._found.longest else b""
        for _, _, ref in self._found.find(text):
            return ref
        return self.look_spread(text)

    def look_spread(self, text: bytes) -> SecretRef | None:
        """Return one whose letters have a NUL between them: nobody swaps it there."""
        hits = self._found.find(text.replace(b"\0", b"")) if b"\0" in text else ()
        return next((ref for _, _, ref in hits), None)


class Watching:
    """As it came, as long as there is no placeholder in it."""

    has_sent = True

    def __init__(self, found: Finder, use: Use) -> None:
        self._payload, self._rest = Lookout(found), Lookout(found)
        self._use = use

    def carry(self, data: bytes, start: int, end: int, spans: Spans, *, done: bool) -> bytes | Deny:
        """Implement Carrier."""
        del done
        ref = self._payload.look(_payload(data, spans))
        if ref is not None:
            return decide_use(ref, self._use) or violation(ref, "in the body of a request")
        ref = self._rest.look(_rest(data, start, end, spans))
        return data[start:end] if ref is None else violation(ref, f"in a {Spot.TRAILER}")


class Swapping:
    """Payload in which placeholders become values. What is held is never longer than one."""

    def __init__(self, found: Finder, use: Use, value_of: ValueOf) -> None:
        self._found = found
        self._use = use
        self._value_of = value_of
        self._held = b""
        self._payload, self._rest = Lookout(found), Lookout(found)

    def feed(self, data: bytes, start: int, end: int, spans: Spans, *, done: bool) -> bytes | Deny:
        """Take a piece of the body; return payload."""
        ref = self._rest.look(_rest(data, start, end, spans))
        if ref is not None:
            return violation(ref, f"in a {Spot.TRAILER}")
        text = self._held + _payload(data, spans)
        ref = self._payload.look_spread(text)
        if ref is not None:
            return violation(ref, "in UTF-16, where it is not swapped")
        pieces, position = [], 0
        for begin, stop, hit in self._found.find(text):
            value = self._value_of(hit, self._use)
            if isinstance(value, Deny):
                return value
            pieces += [text[position:begin], value]
            position = stop
        cut = len(text) if done else max(position, len(text) - self._found.longest + 1)
        self._held = text[cut:]
        return b"".join([*pieces, text[position:cut]])


class Chunking:
    """Sends what was swapped in chunks: its length is not known before its end."""

    has_sent = True

    def __init__(self, swapping: Swapping) -> None:
        self._swapping = swapping

    def carry(self, data: bytes, start: int, end: int, spans: Spans, *, done: bool) -> bytes | Deny:
        """Implement Carrier."""
        payload = self._swapping.feed(data, start, end, spans, done=done)
        return payload if isinstance(payload, Deny) else framed(payload, done=done)


class Held:
    """Keeps a short body until its length is known, and its head with it."""

    has_sent = False

    def __init__(self, swapping: Swapping, head: bytes) -> None:
        self._swapping = swapping
        self._head = head  # without a word of its body's length
        self._pieces: list[bytes] = []

    def carry(self, data: bytes, start: int, end: int, spans: Spans, *, done: bool) -> bytes | Deny:
        """Implement Carrier."""
        payload = self._swapping.feed(data, start, end, spans, done=done)
        if isinstance(payload, Deny):
            return payload
        self._pieces.append(payload)
        if not done:
            return b""
        body = b"".join(self._pieces)
        self._pieces = []
        return b"%bContent-Length: %d\r\n\r\n%b" % (self._head[:-2], len(body), body)


class Scrubbing:
    """An answer in which values become placeholders; in chunks, or up to the connection's end."""

    def __init__(self, echoes_now: EchoesNow, *, is_chunked: bool) -> None:
        self._scrubber = Scrubber(echoes_now)
        self._is_chunked = is_chunked

    def carry(self, data: bytes, start: int, end: int, spans: Spans, *, done: bool) -> bytes:
        """Implement AnswerCarrier. Trailers are left out."""
        del start, end
        payload = self._scrubber.feed(_payload(data, spans))
        if done:
            payload += self._scrubber.end()
        return framed(payload, done=done) if self._is_chunked else payload


def framed(payload: bytes, *, done: bool) -> bytes:
    """Return payload as a chunk, with the last one behind it if that was all."""
    chunk = b"%x\r\n%b\r\n" % (len(payload), payload) if payload else b""
    return chunk + _LAST_CHUNK if done else chunk


def _payload(data: bytes, spans: Spans) -> bytes:
    return b"".join([data[start:end] for start, end in spans])


def _rest(data: bytes, start: int, end: int, spans: Spans) -> bytes:
    """Return what is not payload: the sizes of chunks, and trailers."""
    pieces = []
    for begin, stop in spans:
        pieces.append(data[start:begin])
        start = stop
    return b"".join([*pieces, data[start:end]])
