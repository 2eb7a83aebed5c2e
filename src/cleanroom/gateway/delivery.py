"""One body on its way to one taker: verified before it is released, as far as anything is known.

In: a Body, what its bytes must be, what the client asked for. Out: calls of a Taker. Never: the
last byte of bytes that are not what they must be; the first one either, up to 16 MiB.
"""

import hashlib
import re
from collections.abc import Generator
from dataclasses import dataclass
from typing import Final, Protocol

from cleanroom.decide.cooldown import UnreadableError
from cleanroom.decide.model import Deny
from cleanroom.errors import Code
from cleanroom.gateway.measure import Measure, Wait
from cleanroom.gateway.reactor import Reactor
from cleanroom.gateway.source import Answer, Served, Taker
from cleanroom.gateway.spool import Body, LostError
from cleanroom.gateway.store_wire import Said
from cleanroom.gateway.views import Sight, View

WHOLE: Final = 16 * 1024 * 1024  # bytes; larger ones are released before all of them are verified
_HOLD: Final = 64 * 1024  # bytes that stay back until they are
_CHUNK: Final = 256 * 1024
_TURN: Final = 8  # steps before others have their turn, or one chunk
_RANGE: Final = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


class Verified(Protocol):
    """Who is asked once all bytes are hashed; the delivery goes on by `release` or `refuse`."""

    def __call__(self, delivery: "Delivery", *, is_right: bool) -> None:
        """Say what happens now."""
        ...


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be delivered, and how. `digests` empty: nobody knows what the bytes must be."""

    said: Said
    status: int = 200
    length: int | None = None  # as the upstream said it, of a body that is not complete
    digests: tuple[str, ...] = ()
    measure: Measure | None = None  # where they are no digests of the bytes themselves
    needs_whole: bool = False  # nothing before all of it is there
    sight: Sight | None = None  # None: a page is handed over as it is
    method: str = "GET"
    range: str = ""
    if_none_match: str = ""
    cache: str = "miss"
    is_proven: bool = False  # the bytes were hashed before, and are what the store says


class Delivery:
    """One delivery. `verified` decides what happens when all bytes were hashed."""

    def __init__(
        self, reactor: Reactor, body: Body, order: Order, taker: Taker, verified: Verified
    ) -> None:
        self._reactor = reactor
        self._body = body.retain()
        self._order = order
        self._taker = taker
        self._verified = verified
        is_plain = bool(order.digests) and order.measure is None
        algorithm = order.digests[0].partition(":")[0] if is_plain else "sha256"
        self._algorithm = algorithm
        self._measuring: Generator[Wait | None, None, str] | None = None
        self._measured = ""
        self._hash = hashlib.new(algorithm, usedforsecurity=False)
        self._hashed = body.size if order.is_proven else 0
        self._position = 0  # of the next byte to release
        self._end: int | None = None  # of what is to be released, once that is known
        self._view: View | None = None  # what is released instead of the body
        self.whole: bytes | None = None  # all of a small body, as it was hashed
        self._is_begun = False
        self._is_judged = False  # all bytes were hashed and found right
        self._is_asking = False  # `verified` was called and has not answered
        self._is_paused = False
        self._is_over = False
        self._is_scheduled = False
        self._is_whole = self._must_be_whole()
        body.watch(self._wake)
        self._wake()

    # --- Fetching -------------------------------------------------------------------------

    def pause(self) -> None:
        """Implement Fetching."""
        self._is_paused = True

    def resume(self) -> None:
        """Implement Fetching."""
        self._is_paused = False
        self._wake()

    def cancel(self) -> None:
        """Implement Fetching."""
        self._finish()

    # --- what `verified` answers ----------------------------------------------------------

    @property
    def is_begun(self) -> bool:
        """Whether the taker has the head already."""
        return self._is_begun

    @property
    def body(self) -> Body:
        """What is delivered."""
        return self._body

    @property
    def digest(self) -> str:
        """What was found, as pins write it."""
        return self._measured or self.digest_of_bytes

    @property
    def digest_of_bytes(self) -> str:
        """What was hashed, as "algorithm:<hex>"."""
        if self._order.is_proven:
            return f"sha256:{self._body.sha256}"
        return f"{self._algorithm}:{self._hash.hexdigest()}"

    def release(self) -> None:
        """The bytes are what they must be."""
        self._is_asking = False
        self._is_judged = True
        self._wake()

    def refuse(self, deny: Deny) -> None:
        """They are not: say so, or cut what was begun."""
        if not self._is_over:
            self._finish()
            self._taker.failed(deny)

    # --- inside ---------------------------------------------------------------------------

    def _must_be_whole(self) -> bool:
        order = self._order
        length = self._body.size if self._body.is_complete else order.length
        return (
            order.needs_whole
            or order.measure is not None
            or order.sight is not None
            or order.method == "HEAD"
            or bool(order.range or order.if_none_match)
            or (bool(order.digests) and (length is None or length <= WHOLE))
        )

    def _wake(self) -> None:
        if not self._is_scheduled and not self._is_over:
            self._is_scheduled = True
            self._reactor.soon(self._run)

    def _run(self) -> None:
        self._is_scheduled = False
        before = self._hashed + self._position
        for _ in range(_TURN):
            if self._is_over or self._is_paused or self._is_asking or not self._try_step():
                return
            if self._hashed + self._position - before >= _CHUNK:
                break  # SECURITY: a sandbox may have hundreds of these at once
        self._wake()

    def _try_step(self) -> bool:
        try:
            return self._step()
        except LostError as error:
            reason = f"a file of the content cache cannot be read: {error.strerror}"
            self.refuse(Deny(Code.RESOURCE_LIMIT, reason))
            return False

    def _step(self) -> bool:
        """Do one thing; False: nothing can be done now."""
        body = self._body
        if body.failure is not None:
            self.refuse(body.failure)
            return False
        if not self._is_judged and self._hashed < body.size:
            return self._hash_next()
        if not self._is_judged and body.is_complete:
            return self._judge()
        return (self._is_judged or not self._is_whole) and self._send_next()

    def _hash_next(self) -> bool:
        chunk = self._body.read(self._hashed, _CHUNK)
        if not chunk:
            self._cut()
            return False
        self._hash.update(chunk)
        self._hashed += len(chunk)
        if len(chunk) == self._body.size and self._body.is_complete:
            self.whole = chunk
        if not self._is_whole:
            self._send_next()
        return True

    def _judge(self) -> bool:
        measure, digests = self._order.measure, self._order.digests
        if measure is not None and not self._measured:
            return self._measure_next(measure)
        is_right = not digests or self.digest in digests
        self._is_asking = True
        self._verified(self, is_right=is_right)
        return not self._is_asking

    def _measure_next(self, measure: Measure) -> bool:
        if self._measuring is None:
            self._measuring = measure(self._body, self.digest_of_bytes.partition(":")[2])
        try:
            wait = next(self._measuring)
        except StopIteration as end:
            self._measured = end.value
            return True
        if wait is not None:
            wait(self._wake)
        return wait is None

    def _send_next(self) -> bool:
        if not self._is_begun and not self._begin():
            return False
        limit = self._limit()
        if self._position < limit:
            size = min(_CHUNK, limit - self._position)
            chunk = self._read(self._position, size)
            if not chunk:
                self._cut()
                return False
            self._position += len(chunk)
            self._taker.more(chunk)
            return True
        if self._is_judged:
            served = Served(self._order.cache, f"sha256:{self._body.sha256}")
            self._finish()
            self._taker.ended(served)
        return False

    def _limit(self) -> int:
        """Return how far may be released now."""
        if self._end is not None:
            return self._end
        if self._is_judged:
            return self._body.size
        if not self._order.digests:
            return self._hashed
        return max(self._position, self._hashed - _HOLD)

    def _read(self, position: int, size: int) -> bytes:
        data = self._view.data if self._view is not None else self.whole
        return self._body.read(position, size) if data is None else data[position : position + size]

    def _begin(self) -> bool:
        """Say the head; False: that was all."""
        sight = self._order.sight
        if self._is_judged and sight is not None:
            try:
                self._view = sight.of(self._body, self._wake)
            except UnreadableError as error:
                reason = f"the registry's metadata cannot be judged: it {error}"
                self.refuse(Deny(Code.UPSTREAM_UNREACHABLE, reason))
                return False
            if self._view is None:
                return False  # until it is woken
        self._is_begun = True
        answer = self._answer()
        self._taker.begun(answer)
        return not self._is_over  # the taker may have cancelled

    def _answer(self) -> Answer:
        order = self._order
        size = self._size()
        remade = order.sight.content_type if order.sight is not None else ""
        kind = remade or order.said.content_type or "application/octet-stream"
        fields = [("content-type", kind)]
        etag = self._etag()
        fields += [("etag", etag)] if etag else []
        if order.said.last_modified:
            fields.append(("last-modified", order.said.last_modified))
        if etag and order.status == 200 and etag in _tags(order.if_none_match):
            self._end = 0
            return Answer(304, tuple(fields), None)
        if order.method == "HEAD":
            self._end = 0
            return Answer(order.status, tuple(fields), size)
        if order.range and order.status == 200 and size is not None:
            return self._part(fields, size)
        if self._is_judged:
            self._end = size
        return Answer(order.status, tuple(fields), size)

    def _part(self, fields: list[tuple[str, str]], size: int) -> Answer:
        span = read_range(self._order.range, size)
        if span is None:  # several, or in another unit: the whole is a right answer
            self._end = size
            return Answer(200, tuple(fields), size)
        start, end = span
        if start >= end:
            self._position = self._end = 0
            return Answer(416, (*fields, ("content-range", f"bytes */{size}")), 0)
        self._position, self._end = start, end
        content = ("content-range", f"bytes {start}-{end - 1}/{size}")
        return Answer(206, (*fields, content), end - start)

    def _size(self) -> int | None:
        if self._view is not None:
            return len(self._view.data)
        return self._body.size if self._body.is_complete else self._order.length

    def _etag(self) -> str:
        if self._view is not None:
            return self._view.etag
        if self._order.said.etag or not self._is_judged or self._algorithm != "sha256":
            return self._order.said.etag
        return f'"{self.digest_of_bytes.partition(":")[2][:32]}"'

    def _cut(self) -> None:
        reason = "a file of the content cache ended before its end"
        self.refuse(Deny(Code.INTEGRITY_MISMATCH, reason))

    def _finish(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._view = None
            if self._measuring is not None:
                self._measuring.close()
            if self._order.sight is not None:
                self._order.sight.forget(self._wake)
            self._body.unwatch(self._wake)
            self._body.release()


def read_range(text: str, size: int) -> tuple[int, int] | None:
    """Return begin and end of one range of bytes (RFC 9110 section 14.1.2), None if it is none.

    One that cannot be satisfied is empty.
    """
    found = _RANGE.fullmatch(text)
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        return max(0, size - int(found[2])), size
    start = int(found[1])
    end = min(size, int(found[2]) + 1) if found[2] else size
    if found[2] and int(found[2]) < start:
        return None
    return start, max(start, end)


def _tags(text: str) -> set[str]:
    return {each.strip().removeprefix("W/") for each in text.split(",")} | {text.strip()}
