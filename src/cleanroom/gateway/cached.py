"""The content cache as a Source: before the upstream, for all sandboxes of this gateway.

In: Wants that policy has granted. Out: what the store has, or what the upstream sends. Never: one
sandbox's grant for another's Want: each is verified by its own pins; what was sent to one
credential for another; a service of a registry.
"""

from collections import Counter, deque
from dataclasses import replace
from typing import Final

from cleanroom.decide.model import Deny
from cleanroom.errors import Code
from cleanroom.gateway.cooling import Dates, Wait
from cleanroom.gateway.errand import Errand
from cleanroom.gateway.forms import form_of, upstream_accept
from cleanroom.gateway.measure import Measures
from cleanroom.gateway.memory import Memory
from cleanroom.gateway.reactor import Reactor
from cleanroom.gateway.shared import Around, Older, Shared
from cleanroom.gateway.shelf import Place, Shelf, Ticket
from cleanroom.gateway.source import Fetching, Source, Taker, Want
from cleanroom.gateway.spool import MEMORY_LIMIT, Body
from cleanroom.gateway.views import Views

MOST_FLIGHTS: Final = 64  # of one sandbox at once
MOST_IN_LINE: Final = 1024  # of one sandbox, before those who left are forgotten
MOST_SPOOLED: Final = 4 * 1024 * 1024 * 1024  # bytes of one sandbox at once


class CachedSource:
    """Implements Source, and Cache of errand.py."""

    def __init__(self, reactor: Reactor, shelf: Shelf, upstream: Source) -> None:
        self.reactor = reactor
        self.shelf = shelf
        self.measures = Measures()
        self.memory = Memory(reactor)
        shelf.removed = self.memory.clear
        self.views = Views(reactor)
        self._upstream = upstream
        self._flights: dict[Place, Shared] = {}
        self._flying: Counter[str] = Counter()
        self._spooled: Counter[str] = Counter()
        self._in_line: dict[str, deque[Errand]] = {}
        self._dates = Dates(reactor, self)

    def fetch(self, want: Want, taker: Taker) -> Fetching:
        """Implement Source."""
        if want.grant.kind == "service":
            return self._service(want, taker)
        errand = Errand(self, want, taker)
        if want.grant.kind == "artifact" and want.grant.cooldown_s:
            return Wait(self._dates, want, taker, errand)
        self.reactor.soon(errand.begin)
        return errand

    def _service(self, want: Want, taker: Taker) -> Fetching:
        if not want.offline:
            return self._upstream.fetch(replace(want, accept="*/*", range=""), taker)
        errand = Errand(self, want, taker)
        reason = f"{want.grant.path} of {want.host} is a service, which is not there offline"
        self.reactor.soon(lambda: errand.failed(Deny(Code.OFFLINE_MISS, reason)))
        return errand

    # --- Cache ----------------------------------------------------------------------------

    def flying(self, place: Place) -> Shared | None:
        """Implement Cache."""
        return self._flights.get(place)

    def fly(
        self, place: Place, want: Want, body: Body, ticket: Ticket, older: Older | None
    ) -> Shared | None:
        """Implement Cache."""
        sandbox = want.sandbox_id
        if self._flying[sandbox] >= MOST_FLIGHTS:
            ticket.drop()
            body.release()
            if older is not None:
                older.body.release()
            return None
        asked = replace(
            want,
            accept=upstream_accept(form_of(want.grant, want.accept)),
            if_none_match=older.stored.said.etag if older is not None else "",
        )
        self._flying[sandbox] += 1

        def grow(size: int) -> bool:
            self._spooled[sandbox] += size
            # SECURITY: what the store has no room for is in this machine's memory.
            return self._spooled[sandbox] <= (MOST_SPOOLED if body.is_stored else MEMORY_LIMIT)

        def gone(shared: Shared) -> None:
            self._spooled[sandbox] -= shared.body.size
            self._flying[sandbox] -= 1
            if not self._flying[sandbox]:
                del self._flying[sandbox], self._spooled[sandbox]
            if self._flights.get(place) is shared:
                del self._flights[place]
            self._call_next(sandbox)

        around = Around(self.reactor, self._upstream, grow, gone)
        shared = self._flights[place] = Shared(around, asked, body, ticket, older)
        return shared

    def stand_in_line(self, errand: Errand) -> None:
        """Implement Cache."""
        line = self._in_line.setdefault(errand.sandbox_id, deque())
        if len(line) >= MOST_IN_LINE:  # more than it has connections: most have left
            line = self._in_line[errand.sandbox_id] = deque(e for e in line if not e.is_over)
        line.append(errand)

    def _call_next(self, sandbox_id: str) -> None:
        """Let the next one in line begin anew; all of them when no flight is left.

        One may find what it wants without a flight, whose end would have called the next.
        """
        line = self._in_line.get(sandbox_id)
        if line is None:
            return
        is_last = sandbox_id not in self._flying
        while line:
            errand = line.popleft()
            if errand.is_over:
                continue
            self.reactor.soon(errand.begin)
            if not is_last:
                break
        if not line:
            del self._in_line[sandbox_id]
