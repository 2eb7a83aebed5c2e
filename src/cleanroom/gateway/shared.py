"""One flight that several errands wait for: the first one's, and those who came after it.

In: what the flight brings, what the store says. Out: calls of the errands. Never: bytes kept that
no errand found right; an errand without an end; a refusal of the first one's sandbox for another's.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from cleanroom.decide.model import Deny
from cleanroom.errors import Code
from cleanroom.gateway.flight import Flight, Hopes
from cleanroom.gateway.reactor import Reactor
from cleanroom.gateway.shelf import Ticket
from cleanroom.gateway.source import Answer, Served, Source, Want
from cleanroom.gateway.spool import Body
from cleanroom.gateway.store_wire import Said, Stored

OK: Final = 200
NOT_MODIFIED: Final = 304
# What holds for every sandbox. All else is of the one whose flight it is: its end, its quota, its
# policy's word on an address or a redirect.
_OF_UPSTREAM: Final = (Code.UPSTREAM_UNREACHABLE, Code.UPSTREAM_CERTIFICATE_INVALID)


class Waiting(Protocol):
    """An errand that waits for a flight."""

    @property
    def sandbox_id(self) -> str:
        """The sandbox it is for."""
        ...

    def grow(self, shared: "Shared", answer: Answer) -> None:
        """Take the head; the body grows from now on."""
        ...

    def take_kept(self, stored: Stored, body: Body, cache: str) -> None:
        """Take what the store has: it was confirmed, or there is nothing newer."""
        ...

    def failed(self, deny: Deny) -> None:
        """Take note that there will be no head."""
        ...

    def go_alone(self) -> None:
        """Take note that the flight failed for a reason of its own sandbox, which is another."""
        ...


@dataclass(frozen=True, slots=True)
class Older:
    """What the store has of it already."""

    stored: Stored
    body: Body


@dataclass(frozen=True, slots=True)
class Around:
    """What a flight needs of the cache. `gone` is called once, when nobody can join any more."""

    reactor: Reactor
    upstream: Source
    grow: Callable[[int], bool]
    gone: Callable[["Shared"], None]


class Shared:
    """One flight and its errands."""

    def __init__(
        self, around: Around, want: Want, body: Body, ticket: Ticket, older: Older | None
    ) -> None:
        self.want = want
        self._around = around
        self._ticket = ticket
        self._older = older
        self._body = body
        self._errands: list[Waiting] = []
        self._kept_calls: list[tuple[Callable[[str], None], Callable[[str], None]]] = []
        self._outcome: tuple[bool, str] | None = None  # of keeping: it worked, what it said
        self._is_keeping = False
        self._is_gone = False
        hopes = Hopes(around.grow, self._begun, self._over, self._failed, self._need_space)
        self._flight = Flight(around.reactor, around.upstream, want, body, hopes)

    @property
    def body(self) -> Body:
        """What has come so far."""
        return self._body

    @property
    def served(self) -> Served:
        """What its upstream said in the end; `cache` is "direct" if the store had no part in it."""
        return replace(self._flight.served, cache="" if self._body.is_stored else "direct")

    @property
    def is_whole_answer(self) -> bool:
        """Whether it is the thing itself, not a page that says why there is none."""
        return self._flight.answer is not None and self._flight.answer.status == OK

    @property
    def repeats_secret(self) -> bool:
        """Whether it has a value in it."""
        return self._flight.repeats_secret

    def join(self, errand: Waiting) -> None:
        """Let it wait too; if the head is there already, it has it at once."""
        self._errands.append(errand)
        if self._flight.answer is not None:
            errand.grow(self, self._flight.answer)

    def leave(self, errand: Waiting) -> None:
        """It waits no more. A flight that nobody waits for ends."""
        if errand in self._errands:
            self._errands.remove(errand)
        if not self._errands and not self._is_keeping:
            self._end()

    def keep(self, kept: Callable[[str], None], failed: Callable[[str], None]) -> None:
        """Have the body kept; it was found right. Idempotent: everyone is told the outcome."""
        if self._outcome is not None:
            is_kept, said = self._outcome
            (kept if is_kept else failed)(said)
            return
        self._kept_calls.append((kept, failed))
        if self._is_keeping:
            return
        self._is_keeping = True
        why_not = "" if self._body.is_stored else "it was not written"
        if self.repeats_secret:
            # SECURITY: no value is in a file, not even in one for those who know it.
            why_not = "it has the value of a secret in it"
        if why_not:
            self._around.reactor.soon(lambda: self._finish_keeping(why_not, is_kept=False))
            return
        grant = self.want.grant
        is_first_seen = grant.kind == "artifact" and not grant.digests
        message = (self._body.sha256, said_of(self._flight.answer), is_first_seen)
        self._ticket.keep(
            message,
            lambda first_seen: self._finish_keeping(first_seen, is_kept=True),
            lambda why: self._finish_keeping(why, is_kept=False),
        )

    # --- the flight -----------------------------------------------------------------------

    def _begun(self, answer: Answer) -> None:
        if answer.status == NOT_MODIFIED and self._older is not None:
            self._ticket.validated()
            self._hand_over(self._older, "hit")
            return
        for errand in list(self._errands):
            errand.grow(self, answer)

    def _over(self) -> None:
        answer = self._flight.answer
        if answer is None or answer.status != OK:
            self._end()
        elif self.want.grant.kind != "artifact":
            self.keep(nothing, nothing)

    def _failed(self, deny: Deny) -> None:
        is_down = deny.code is Code.UPSTREAM_UNREACHABLE
        if is_down and self._older is not None and self._flight.answer is None:
            self._hand_over(self._older, "stale")
            return
        errands, self._errands = self._errands, []
        self._end()
        is_of_upstream = deny.code in _OF_UPSTREAM
        for errand in errands:
            if is_of_upstream or errand.sandbox_id == self.want.sandbox_id:
                errand.failed(deny)
            else:
                errand.go_alone()

    def _need_space(self, size: int, done: Callable[[], None]) -> None:
        self._ticket.need_space(size, done, lambda _why: done())

    def _hand_over(self, older: Older, cache: str) -> None:
        errands, self._errands = self._errands, []
        for errand in errands:
            errand.take_kept(older.stored, older.body, cache)
        self._end()

    # --- the end --------------------------------------------------------------------------

    def _finish_keeping(self, said: str, *, is_kept: bool) -> None:
        self._outcome = (is_kept, said)
        self._is_keeping = False
        calls, self._kept_calls = self._kept_calls, []
        for kept, failed in calls:
            (kept if is_kept else failed)(said)
        self._end()

    def _end(self) -> None:
        if self._is_gone:
            return
        self._is_gone = True
        self._flight.cancel()
        self._ticket.drop()
        self._around.gone(self)
        self._body.release()
        if self._older is not None:
            self._older.body.release()


def said_of(answer: Answer | None) -> Said:
    """Return what is kept of what an upstream said."""
    if answer is None:
        return Said()
    kind, etag, modified = (
        answer.field(name)[:1024] for name in ("content-type", "etag", "last-modified")
    )
    return Said(kind, etag, modified, answer.sender)


def nothing(_said: str) -> None:
    """Nobody waits for it."""
