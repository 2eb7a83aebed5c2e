"""Registries' upstreams as a Source: dialled as judged, verified, asked in requests built anew.

In: Wants that policy has granted. Out: calls of their Takers. Never: a request to a host that was
not judged, a body held in memory, an answer called whole that was cut.

Connections are kept for the next Want of the same sandbox and host. If a kept one proves stale
before the first byte of an answer, the request is asked once more on a new one.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final, Protocol

from cleanroom.decide.artifact import Grant, Refusal
from cleanroom.decide.model import Deny
from cleanroom.errors import Code
from cleanroom.gateway.dialer import Cancellable, Failed, Reached
from cleanroom.gateway.endpoint import BrokenError
from cleanroom.gateway.http1.heads import MalformedError
from cleanroom.gateway.layers.exchange import Exchange, encode_want
from cleanroom.gateway.layers.tls_session import TlsError
from cleanroom.gateway.line import Line, Surroundings
from cleanroom.gateway.locating import Locating, may_be_elsewhere
from cleanroom.gateway.moving import heard, judge_move
from cleanroom.gateway.pace import Pace
from cleanroom.gateway.places import Place, named, place_of
from cleanroom.gateway.reactor import Timer
from cleanroom.gateway.source import Answer, Taker, Want

KEPT: Final = 8  # idle connections of one sandbox to one host
SILENCE_S: Final = 30.0  # of an upstream that is being asked
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_ENDED: Final = Deny(Code.CANCELED, "the sandbox has ended")  # says nothing of the upstream


class Doors(Surroundings, Protocol):
    """What an upstream needs of its gateway: judged by the sandbox's own policy."""

    def dial_registry(
        self, want: Want, done: Callable[[Reached | Failed], None]
    ) -> Cancellable | None:
        """Begin to connect to whom a Want is asked of; None: its sandbox has ended."""
        ...

    def judge_redirect(self, want: Want, host: str, target: str) -> Grant | Refusal:
        """Judge where an upstream sends a Want to."""
        ...


class Upstream:
    """Implements Source for all sandboxes of a gateway."""

    def __init__(self, doors: Doors) -> None:
        self.doors = doors
        self._idle: dict[Place, list[Line]] = {}
        self._live: set[Asking] = set()

    def fetch(self, want: Want, taker: Taker) -> "Asking":
        """Implement Source."""
        asking = Asking(self, want, taker)
        self._live.add(asking)
        self.doors.reactor.soon(asking.start)
        return asking

    def forget(self, sandbox_id: str) -> None:
        """Close everything of a sandbox that has ended; who waits is told."""
        self.close_idle(sandbox_id)
        for asking in [each for each in self._live if each.want.sandbox_id == sandbox_id]:
            asking.give_up(_ENDED)

    def close_idle(self, sandbox_id: str) -> None:
        """Keep no connection that was dialled by a policy of before."""
        for place in [place for place in self._idle if place.sandbox_id == sandbox_id]:
            for line in self._idle.pop(place):
                line.close()
        for asking in self._live:
            if asking.want.sandbox_id == sandbox_id:
                asking.keeps = False

    def take(self, place: Place) -> Line | None:
        """Return a connection that may still be good."""
        idle = self._idle.get(place)
        return idle.pop() if idle else None

    def keep(self, line: Line) -> None:
        """Keep a connection whose answer is over."""
        idle = self._idle.setdefault(line.place, [])
        if len(idle) >= KEPT:
            line.close()
            return
        idle.append(line)
        line.rest(lambda: self.drop(line))

    def drop(self, line: Line) -> None:
        """Close an idle connection."""
        idle = self._idle.get(line.place, [])
        if line in idle:
            idle.remove(line)
        line.close()

    def over(self, asking: "Asking") -> None:
        """Forget an ended Want."""
        self._live.discard(asking)


class Asking:
    """One Want on its way; implements Fetching."""

    def __init__(self, pool: Upstream, want: Want, taker: Taker) -> None:
        self.want = want
        self._spot = _spot_of(want)  # the first one
        self._pool = pool
        self._taker = taker
        self._line: Line | None = None
        self._dialling: Cancellable | Locating | None = None
        self._exchange = Exchange(want.method)
        self._is_asked = False
        self._is_paused = False
        self._is_over = False
        self._redirects = 0
        self._is_located = False  # the mirror's page was read for where the file is
        self._timer = Timer(_nothing)
        self._pace = Pace(pool.doors.reactor.now())
        self.keeps = True  # its connection for the next one

    def start(self) -> None:
        """Ask on a kept connection, or dial."""
        if self._is_over:
            return
        self._exchange, self._is_asked = Exchange(self.want.method), False
        line = self._pool.take(place_of(self.want))
        if line is None:
            self._dial()
        else:
            self._use(line)

    def pause(self) -> None:
        """Implement Fetching."""
        self._is_paused = True
        self._timer.cancel()

    def resume(self) -> None:
        """Implement Fetching."""
        self._is_paused = False
        if not self._is_over:
            self._pace.resume(self._pool.doors.reactor.now())
            self._watch()
            self._pool.doors.reactor.soon(self._go_on)

    def cancel(self) -> None:
        """Implement Fetching."""
        if self._is_over:
            return
        self._is_over = True
        self._timer.cancel()
        self._pool.over(self)
        if self._dialling is not None:
            self._dialling.cancel()
        if self._line is not None:
            self._line.close()

    def give_up(self, deny: Deny) -> None:
        """Tell the taker that no more comes."""
        if not self._is_over:
            self.cancel()
            self._taker.failed(deny)

    # --- the connection -------------------------------------------------------------------

    def _dial(self) -> None:
        self._watch()
        self._dialling = self._pool.doors.dial_registry(self.want, self._dialled)
        if self._dialling is None:
            self.give_up(_ENDED)

    def _dialled(self, outcome: Reached | Failed) -> None:
        self._dialling = None
        if isinstance(outcome, Failed):
            self.give_up(outcome.deny)
            return
        self._use(Line(self._pool.doors, place_of(self.want), outcome))

    def _use(self, line: Line) -> None:
        self._line = line
        line.serve(self._go_on)
        self._watch()
        self._go_on()

    def _watch(self) -> None:
        self._timer.cancel()
        self._timer = self._pool.doors.reactor.later(SILENCE_S, self._silent)

    def _silent(self) -> None:
        self.give_up(_unreachable(f"{named(self.want)} did not answer in time"))

    # --- the exchange ---------------------------------------------------------------------

    def _go_on(self) -> None:
        line = self._line
        if self._is_over or self._is_paused or line is None:
            return
        try:
            self._exchange_bytes(line)
        except BrokenError:
            self._broken(line, "the connection was cut")
        except TlsError as error:
            if error.certificate:
                reason = f"the certificate of {named(self.want)} cannot be verified: {error.why}"
                self.give_up(Deny(Code.UPSTREAM_CERTIFICATE_INVALID, reason))
            else:
                self._broken(line, error.why)
        except MalformedError as error:
            reason = f"the answer of {named(self.want)} is not beyond doubt HTTP/1.1: {error}"
            self.give_up(Deny(Code.UPSTREAM_UNREACHABLE, reason))

    def _exchange_bytes(self, line: Line) -> None:
        while not self._is_over and self._line is line and not self._is_paused:
            if line.session.handshake() and not self._is_asked:
                self._is_asked = True
                credentials = self._credentials()
                if isinstance(credentials, Deny):
                    self.give_up(credentials)
                    return
                line.send(encode_want(self.want, credentials))
            if not line.turn():
                return
            if line.session.handshake():
                self._hear(line)

    def _credentials(self) -> tuple[bytes, ...] | Deny:
        """Return the fields for whom is asked now: behind a redirect that is another host."""
        want = self.want
        if want.credential is None or want.stored is not None:
            return ()  # SECURITY: to whom a file was signed for, that is all there is to show
        return want.credential.lines(want.host, want.grant.path)

    def _hear(self, line: Line) -> None:
        data = line.session.read()
        slow = self._pace.took(len(data), self._pool.doors.reactor.now()) if data else ""
        if data and self._leads_away(line, data):
            return
        session, exchange = line.session, self._exchange
        if session.is_ended and not exchange.end(is_torn=session.is_torn):
            raise BrokenError
        if self._is_over:
            return
        if exchange.is_done:
            self._finish(line)
        elif slow:
            self.give_up(_unreachable(f"{named(self.want)} {slow}"))

    def _leads_away(self, line: Line, data: bytes) -> bool:
        """Hand on what has come; tell whether it leads to another place."""
        self._watch()
        progress = self._exchange.feed(data)
        if progress.answer is not None and self._redirects_to(line, progress.answer):
            return True
        if progress.answer is not None:
            self._begin(progress.answer)
        for piece in progress.payload if not self._is_over else ():
            self._taker.more(piece)
        return False

    def _begin(self, answer: Answer) -> None:
        want = self.want
        said = heard(want, answer)
        if isinstance(said, Deny):
            self.give_up(said)
            return
        sender = "" if _spot_of(want) == self._spot else _spot_of(want)
        self._taker.begun(replace(said, sender=sender))

    def _finish(self, line: Line) -> None:
        is_good = self._exchange.is_reusable and not line.session.is_ended
        self._leave(line, keep=self.keeps and is_good)
        self._is_over = True
        self._pool.over(self)
        stored = self.want.stored
        storage = stored.label if stored is not None else ""
        self._taker.ended(replace(line.served, storage=storage))

    def _leave(self, line: Line, *, keep: bool) -> None:
        self._timer.cancel()
        self._line = None
        if keep:
            self._pool.keep(line)
        else:
            line.close()

    def _broken(self, line: Line, why: str) -> None:
        if line.is_used and not self._exchange.has_begun:
            self._leave(line, keep=False)  # it was stale: asked anew, once for each kept one
            self._pool.doors.reactor.soon(self.start)
            return
        self.give_up(_unreachable(f"no whole answer from {named(self.want)}: {why}"))

    # --- redirects ------------------------------------------------------------------------

    def _redirects_to(self, line: Line, answer: Answer) -> bool:
        location = answer.field("location")
        if not self._is_located and may_be_elsewhere(self.want, answer.status):
            self._leave(line, keep=False)
            self._is_located = True
            self._dialling = Locating(self._pool, self.want, self._located)
            return True
        if answer.status not in _REDIRECTS or not location:
            return False
        self._leave(line, keep=False)
        self._move(location)
        return True

    def _located(self, location: str) -> None:
        """Go where the mirror's page has the file; if it has none, hear the first answer again."""
        self._dialling = None
        if location:
            self._move(location)
        else:
            self._pool.doors.reactor.soon(self.start)

    def _move(self, location: str) -> None:
        self._redirects += 1
        judge = self._pool.doors.judge_redirect
        outcome = judge_move(judge, self.want, location, self._redirects)
        if isinstance(outcome, Deny):
            self.give_up(outcome)
            return
        self.want = outcome
        self._pool.doors.reactor.soon(self.start)


def _spot_of(want: Want) -> str:
    return f"{want.host}{want.grant.path}"


def _unreachable(reason: str) -> Deny:
    return Deny(Code.UPSTREAM_UNREACHABLE, reason)


def _nothing() -> None:
    """Nobody asks any more."""
