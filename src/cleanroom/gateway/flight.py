"""One answer of an upstream on its way into a body, tried again while nothing has come of it.

In: calls of the upstream Source. Out: a growing Body, and three calls: begun, over, failed.
Never: an answer that was cut as a whole one; more than may be kept; a second try once the body
has bytes.
"""

import errno
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from cleanroom.decide.echo import repeats
from cleanroom.decide.model import Deny
from cleanroom.errors import Code
from cleanroom.gateway.reactor import Reactor, Timer
from cleanroom.gateway.source import Answer, Fetching, Served, Source, Want
from cleanroom.gateway.spool import Body

MOST_ARTIFACT: Final = 4 * 1024 * 1024 * 1024  # bytes
MOST_METADATA: Final = 64 * 1024 * 1024
_MOST_ERROR: Final = 1024 * 1024  # of an answer that is not 200: a page that says why
_PAUSES_S: Final = (0.25, 1.0, 2.5)  # before another try
_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_NOT_MODIFIED: Final = 304
_OK: Final = 200
_UNKNOWN: Final = 64 * 1024 * 1024  # bytes that an answer may still have, which does not say so


@dataclass(frozen=True, slots=True)
class Hopes:
    """Whom a flight tells: at its head, at its end, or that there will be none.

    `grow` is asked before bytes are kept: no means that the sandbox has too many already.
    `need_space` has old files go where the disk is full, and calls back, whatever came of it.
    """

    grow: Callable[[int], bool]
    begun: Callable[[Answer], None]
    over: Callable[[], None]
    failed: Callable[[Deny], None]
    need_space: Callable[[int, Callable[[], None]], None]


class Flight:
    """Fetches one Want. Implements Taker for the upstream."""

    def __init__(
        self, reactor: Reactor, upstream: Source, want: Want, body: Body, hopes: Hopes
    ) -> None:
        self.body = body
        self.answer: Answer | None = None
        self.served = Served()
        self._sieve = want.credential.sieve() if want.credential is not None else None
        self._reactor = reactor
        self._upstream = upstream
        # Ranges and HEAD are answered from the whole.
        method = "POST" if want.grant.body else "GET"
        self._want = replace(want, method=method, range="")
        self._hopes = hopes
        self._tries = 0
        self._fetching: Fetching | None = None
        self._timer: Timer | None = None
        self._is_over = False
        self._stuck: list[bytes] | None = None  # what came while the disk is full
        self._stuck_at = -1  # how much there was when it was so last
        self._last: Served | None = None  # it ended meanwhile
        self._try()

    @property
    def repeats_secret(self) -> bool:
        """Whether a value was in it: it is not to be kept."""
        return self._sieve is not None and self._sieve.found

    def cancel(self) -> None:
        """Nobody wants it any more. Idempotent."""
        self._end()

    # --- Taker ----------------------------------------------------------------------------

    def begun(self, answer: Answer) -> None:
        """Implement Taker."""
        if self._is_over:
            return
        if answer.status in _AGAIN:
            self._try_again(
                Deny(Code.UPSTREAM_UNREACHABLE, self._words(f"answers {answer.status}"))
            )
            return
        wrong = self._wrong(answer)
        if wrong:
            self._fail(Deny(Code.UPSTREAM_UNREACHABLE, self._words(wrong)))
            return
        if self._sieve is not None:
            repeats(self._sieve, *(value for _, value in answer.fields))  # an etag is kept too
        self.answer = answer
        self._hopes.begun(answer)

    def more(self, data: bytes) -> None:
        """Implement Taker."""
        if self._is_over or self.answer is None:
            return
        if self._stuck is not None:
            self._stuck.append(data)
            return
        if self.body.size + len(data) > self._most(self.answer.status):
            words = self._words(f"sends more than {self._most(self.answer.status)} bytes")
            self._fail(Deny(Code.RESOURCE_LIMIT, words))
            return
        if not self._hopes.grow(len(data)):
            reason = "the sandbox fetches more at once than it may"
            self._fail(Deny(Code.RESOURCE_LIMIT, reason))
            return
        self._put(data, self.answer.length)

    def _put(self, data: bytes, length: int | None) -> None:
        try:
            self._write(data)
        except OSError as error:
            if self._may_wait(error):
                self._wait_for_space(data, length)
                return
            reason = f"the content cache has no room: {error.strerror}"
            self._fail(Deny(Code.RESOURCE_LIMIT, reason))
            return
        if self._sieve is not None:
            self._sieve.feed(data)

    def ended(self, served: Served) -> None:
        """Implement Taker."""
        self.served = served
        if self._is_over or self.answer is None:
            return
        if self._stuck is not None:
            self._last = served
            return
        length = self.answer.length
        if length is not None and self.answer.status != _NOT_MODIFIED and length != self.body.size:
            words = self._words(f"sent {self.body.size} bytes instead of {length}")
            self._fail(Deny(Code.UPSTREAM_UNREACHABLE, words))
            return
        if self._sieve is not None:
            self._sieve.end()
        self._end()
        self.body.finish()
        self._hopes.over()

    def failed(self, deny: Deny) -> None:
        """Implement Taker."""
        if self._is_over:
            return
        if deny.code is Code.UPSTREAM_UNREACHABLE and not self.body.size:
            self._try_again(deny)
        else:
            self._fail(deny)

    # --- inside ---------------------------------------------------------------------------

    def _try(self) -> None:
        self._timer = None
        self._fetching = self._upstream.fetch(self._want, self)

    def _try_again(self, deny: Deny) -> None:
        if self.answer is not None or self._tries == len(_PAUSES_S):
            self._fail(deny)
            return
        self._drop()
        self._timer = self._reactor.later(_PAUSES_S[self._tries], self._try)
        self._tries += 1

    def _fail(self, deny: Deny) -> None:
        self._end()
        self.body.fail(deny)
        self._hopes.failed(deny)

    def _end(self) -> None:
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()
        self._drop()

    def _drop(self) -> None:
        fetching, self._fetching = self._fetching, None
        if fetching is not None:
            fetching.cancel()

    def _may_wait(self, error: OSError) -> bool:
        """Tell whether old files may make room: again only if some came of it the last time."""
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        return is_full and self.body.is_stored and self.body.size > self._stuck_at

    def _wait_for_space(self, data: bytes, length: int | None) -> None:
        self._stuck, self._stuck_at = [data], self.body.size
        if self._fetching is not None:
            self._fetching.pause()
        size = _UNKNOWN if length is None else length - self.body.size
        self._hopes.need_space(max(size, len(data)), self._go_on)

    def _go_on(self) -> None:
        """Try again what could not be written."""
        stuck, self._stuck = self._stuck, None
        if self._is_over or self.answer is None or stuck is None:
            return
        self._put(stuck[0], self.answer.length)
        for data in stuck[1:]:
            self.more(data)
        self._resume()

    def _resume(self) -> None:
        if self._is_over or self._stuck is not None:
            return
        if self._fetching is not None:
            self._fetching.resume()
        if self._last is not None:
            self.ended(self._last)

    def _write(self, data: bytes) -> None:
        try:
            self.body.write(data)
        except OSError as error:
            if self._may_wait(error):
                raise
            # `fallback: direct` is for a store that fails: what is fetched is checked all the same.
            if self._want.grant.fallback != "direct" or not self.body.is_stored:
                raise
            self.body.move_to_memory()
            self.body.write(data)

    def _wrong(self, answer: Answer) -> str:
        if answer.field("content-encoding") not in ("", "identity"):
            return "sends bytes in an encoding that was not asked for"
        if answer.length is not None and answer.length > self._most(answer.status):
            return f"has {answer.length} bytes, more than may be kept"
        is_redirect = 300 <= answer.status < 400 and answer.status != _NOT_MODIFIED
        is_partial = 200 < answer.status < 300
        return f"answers {answer.status}" if is_redirect or is_partial else ""

    def _most(self, status: int) -> int:
        if status != _OK:
            return _MOST_ERROR
        return MOST_ARTIFACT if self._want.grant.kind == "artifact" else MOST_METADATA

    def _words(self, what: str) -> str:
        return f"{self._want.host} {what} for {self._want.grant.label}"
