"""One Want at the content cache, from the question to the last byte.

In: a Want, what the store and a flight say. Out: calls of its Taker. Never: bytes of a key that
was not asked for; an artifact without its pin's digest, or another than was first seen; a look
upstream while offline.
"""

import os
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from cleanroom.decide.model import Deny
from cleanroom.decide.secret import repeated_in
from cleanroom.decide.upload_pack import TALK
from cleanroom.errors import Code
from cleanroom.gateway.delivery import Delivery, Order, Verified
from cleanroom.gateway.ending import Ending
from cleanroom.gateway.forms import form_of
from cleanroom.gateway.measure import Measures
from cleanroom.gateway.memory import Held, Memory
from cleanroom.gateway.mismatch import mismatch
from cleanroom.gateway.reactor import Reactor
from cleanroom.gateway.shared import OK, Older, Shared, nothing, said_of
from cleanroom.gateway.shelf import Place, Shelf, Ticket
from cleanroom.gateway.source import Answer, Served, Taker, Want
from cleanroom.gateway.spool import Body, Stamp
from cleanroom.gateway.store_wire import Found, Stored
from cleanroom.gateway.views import Views
from cleanroom.policy.sites import is_own

FRESH_S: Final = 60.0  # metadata is not asked for again before


class Cache(Protocol):
    """What an errand needs of the cache."""

    @property
    def reactor(self) -> Reactor: ...

    @property
    def shelf(self) -> Shelf: ...

    @property
    def measures(self) -> Measures: ...

    @property
    def memory(self) -> Memory: ...

    @property
    def views(self) -> Views: ...

    def flying(self, place: Place) -> Shared | None:
        """Return the flight of this place, if there is one."""

    def fly(
        self, place: Place, want: Want, body: Body, ticket: Ticket, older: Older | None
    ) -> Shared | None:
        """Begin a flight, unless the sandbox has too many; body, ticket and older are its own."""

    def stand_in_line(self, errand: "Errand") -> None:
        """Have it begin anew when one of its sandbox's flights has ended."""


@dataclass(slots=True)
class _Held:
    """What an errand holds until its end."""

    ticket: Ticket | None = None
    shared: Shared | None = None
    delivery: Delivery | None = None
    older: Older | None = None


class Errand:
    """Implements Fetching, and Waiting of shared.py. `begin` it once."""

    def __init__(self, cache: Cache, want: Want, taker: Taker) -> None:
        self._cache = cache
        self._want = want
        self._taker = taker
        self._form = form_of(want.grant, want.accept)
        # SECURITY: what one credential gets is no other's, neither kept nor on its way.
        self._place = (want.host, want.grant.path, self._form, want.identity)
        # One that is held to what was seen first does not join one that is held to a pin.
        is_pinned = want.grant.kind != "artifact" or bool(want.grant.digests)
        self._berth = self._place if is_pinned else (*self._place[:2], "first-seen", want.identity)
        self._measure = cache.measures.of(want.grant, want.sandbox_id)
        self._held = _Held()
        self._first_seen = ""
        self._fresh: tuple[Found, float, Stamp] | None = None  # what the store had, when, its file
        self._is_proven = False  # and it need not be hashed again
        self._must_ask = False  # upstream, whatever the store has
        self._is_paused = False
        self.is_over = False

    def begin(self) -> None:
        """Look for it: on its way already, then in the store, then upstream."""
        if self.is_over:
            return
        shared = self._cache.flying(self._berth)
        # One that is offline would keep a flight going that nobody else wants any more.
        if shared is not None and not self._want.offline:
            self._join(shared)
            return
        if self._take_from_memory():
            return
        self._held.ticket = self._cache.shelf.ticket()
        self._held.ticket.find(self._place, self._found, self._store_failed)

    # --- Fetching -------------------------------------------------------------------------

    def pause(self) -> None:
        """Implement Fetching."""
        self._is_paused = True
        if self._held.delivery is not None:
            self._held.delivery.pause()

    def resume(self) -> None:
        """Implement Fetching."""
        self._is_paused = False
        if self._held.delivery is not None:
            self._held.delivery.resume()

    def cancel(self) -> None:
        """Implement Fetching."""
        if not self.is_over:
            if self._held.delivery is not None:
                self._held.delivery.cancel()
            self._end()

    # --- the store ------------------------------------------------------------------------

    def _take_from_memory(self) -> bool:
        held = self._cache.memory.find(self._place)
        if held is None or self._measure is not None:  # which may send it back to the store
            return False
        stored = held.stored
        self._first_seen = held.found.first_seen
        age_s = stored.age_s + self._cache.reactor.now() - held.since_s
        if not (self._may_take(stored) and self._is_fresh(age_s)):
            return False
        body = Body.of(held.data, stored.sha256)
        self._is_proven = True
        self.take_kept(stored, body, "hit")
        return True

    def _is_fresh(self, age_s: float) -> bool:
        return self._want.grant.kind == "artifact" or self._want.offline or age_s < FRESH_S

    def _found(self, found: Found, descriptor: int) -> None:
        stored = found.stored
        self._first_seen = found.first_seen
        if stored is None or descriptor < 0 or not self._may_take(stored):
            if descriptor >= 0:
                os.close(descriptor)
            self._miss()
            return
        body = Body.kept(descriptor, stored.size, stored.sha256)
        if self._is_fresh(stored.age_s):
            self._is_proven = self._cache.memory.is_proven(body)
            self._fresh = (found, self._cache.reactor.now(), body.stamp())
            self.take_kept(stored, body, "hit")
            body.release()
            return
        self._held.older = Older(stored, body)
        self._miss()

    def _may_take(self, stored: Stored) -> bool:
        grant = self._want.grant
        if self._must_ask or not self._may_have(stored.said.sender):
            return False
        if grant.kind != "artifact":
            return True
        if self._measure is not None:
            return True  # the store knows digests of bytes only: it is found out when it is read
        if grant.digests:
            return stored.has_any(grant.digests)
        return self._first_seen in ("", stored.sha256)

    def _may_have(self, sender: str) -> bool:
        """SECURITY: where another's policy let a redirect lead, and no pin says what it brings."""
        grant = self._want.grant
        return bool(grant.digests) or not sender or is_own(grant.sites, grant.beside, sender)

    def _miss(self) -> None:
        shared = self._cache.flying(self._berth)
        if self._want.offline:
            reason = f"{self._want.grant.label} of {self._want.host} is not in the content cache"
            self.failed(Deny(Code.OFFLINE_MISS, f"{reason}; run once without --offline"))
        elif shared is not None:
            self._join(shared)
        elif self._held.ticket is not None:
            self._held.ticket.need_room(self._room, self._store_failed)

    def _room(self, descriptor: int) -> None:
        shared = self._cache.flying(self._berth)
        if shared is None:
            self._fly(Body(descriptor))
        else:
            os.close(descriptor)
            self._join(shared)

    def _store_failed(self, why: str) -> None:
        if self._want.offline or self._want.grant.fallback != "direct":
            reason = f"the content cache failed ({why}), and the policy has no fallback"
            self.failed(Deny(Code.RESOURCE_LIMIT, reason))
            return
        try:
            body = Body.in_memory()
        except OSError as error:  # no descriptor left
            reason = f"the content cache failed ({why}), and so did memory: {error.strerror}"
            self.failed(Deny(Code.RESOURCE_LIMIT, reason))
            return
        self._fly(body)

    def _fly(self, body: Body) -> None:
        ticket, older = self._held.ticket, self._held.older
        if ticket is None:
            ticket = self._cache.shelf.ticket()
        self._held.ticket = self._held.older = None
        self._cache.memory.forget(self._place)
        outcome = self._cache.fly(self._berth, self._want, body, ticket, older)
        if outcome is None:  # flights last until they are kept: quick clients wait for slow disks
            self._cache.stand_in_line(self)
        else:
            self._join(outcome)

    def _join(self, shared: Shared) -> None:
        self._let_go()
        self._held.shared = shared
        shared.join(self)

    # --- Waiting --------------------------------------------------------------------------

    @property
    def sandbox_id(self) -> str:
        """Implement Waiting."""
        return self._want.sandbox_id

    def go_alone(self) -> None:
        """Implement Waiting: begin anew, sharing with its own sandbox only."""
        delivery, self._held.delivery = self._held.delivery, None
        if self.is_over or (delivery is not None and delivery.is_begun):
            self._held.delivery = delivery  # what was begun is seen to be cut
            return
        if delivery is not None:
            delivery.cancel()
        self._held.shared = None
        host, path, form, identity = self._berth
        self._berth = (host, path, f"{form} for {self.sandbox_id}", identity)
        self.begin()

    def grow(self, shared: Shared, answer: Answer) -> None:
        """Implement Waiting."""
        grant, is_ok = self._want.grant, answer.status == OK
        if not self._may_have(answer.sender) and shared.want.sandbox_id != self.sandbox_id:
            shared.leave(self)
            self._must_ask = True
            self.go_alone()
            return
        is_artifact = grant.kind == "artifact" and is_ok
        order = Order(
            said=said_of(answer),
            status=answer.status,
            length=answer.length,
            digests=grant.digests if is_artifact else (),
            measure=self._measure if is_artifact else None,
            needs_whole=is_artifact and not grant.digests,
            cache="miss",
            **self._asked(is_ok=is_ok),
        )
        self._deliver(shared.body, order, self._verified_flight)

    def take_kept(self, stored: Stored, body: Body, cache: str) -> None:
        """Implement Waiting."""
        if not self._may_have(stored.said.sender):
            # SECURITY: another's flight found that it is still so; it is not for this policy.
            self._must_ask = True
            self.go_alone()
            return
        self._held.shared = None
        measure = self._measure
        digests = self._want.grant.digests if measure else (f"sha256:{stored.sha256}",)
        asked = self._asked(is_ok=True) | {"is_proven": self._is_proven}
        order = Order(said=stored.said, digests=digests, measure=measure, cache=cache, **asked)
        self._deliver(body, order, self._verified_kept)

    def failed(self, deny: Deny) -> None:
        """Implement Waiting; also the end of everything that goes wrong before the head."""
        if not self.is_over and self._held.delivery is None:
            self._end()
            self._taker.failed(deny)

    # --- delivery -------------------------------------------------------------------------

    def _asked(self, *, is_ok: bool) -> dict[str, Any]:
        want = self._want
        return {
            "sight": self._cache.views.sight(want) if is_ok else None,
            "method": want.method,
            "range": want.range,
            "if_none_match": want.if_none_match,
        }

    def _deliver(self, body: Body, order: Order, verified: Verified) -> None:
        if self.is_over:
            return
        delivery = Delivery(self._cache.reactor, body, order, Ending(self, self._taker), verified)
        self._held.delivery = delivery
        if self._is_paused:
            delivery.pause()

    def _verified_kept(self, delivery: Delivery, *, is_right: bool) -> None:
        is_undamaged = delivery.digest_of_bytes == f"sha256:{delivery.body.sha256}"
        if is_undamaged:
            self._remember(delivery)
        if is_right and is_undamaged:
            delivery.release()
            return
        if self._held.ticket is not None and not is_undamaged:
            self._held.ticket.damaged()
        if delivery.is_begun or self._held.ticket is None:
            delivery.refuse(Deny(Code.INTEGRITY_MISMATCH, "a file of the content cache is damaged"))
            return
        # SECURITY: nothing of it was released; what the upstream has now is checked anew. What only
        # this pin does not fit stays: it may be what others are pinned to.
        delivery.cancel()
        self._held.delivery = None
        self._miss()

    def _remember(self, delivery: Delivery) -> None:
        if self._fresh is None or self._is_proven:
            return
        found, since_s, stamp = self._fresh
        memory = self._cache.memory
        if delivery.whole is not None and found.stored is not None:
            memory.hold(self._place, Held(found, found.stored, delivery.whole, since_s))
        memory.prove(delivery.body, stamp)

    def _verified_flight(self, delivery: Delivery, *, is_right: bool) -> None:
        shared, grant = self._held.shared, self._want.grant
        if not is_right:
            delivery.refuse(mismatch(self._want, delivery.digest))
        elif grant.kind != "artifact" or shared is None or not shared.is_whole_answer:
            delivery.release()
        elif shared.repeats_secret:
            delivery.refuse(repeated_in(grant.label))
        elif delivery.digest == TALK or not grant.is_lasting:
            delivery.release()  # the next one who asks may get another answer
        elif grant.digests:
            shared.keep(nothing, nothing)
            delivery.release()
        else:
            shared.keep(
                lambda first_seen: self._seen(delivery, first_seen),
                lambda why: self._not_kept(delivery, why),
            )

    def _seen(self, delivery: Delivery, first_seen: str) -> None:
        binds = f"sha256:{self._first_seen or first_seen}"
        if binds in ("sha256:", delivery.digest):
            delivery.release()
        else:
            delivery.refuse(mismatch(self._want, delivery.digest, binds))

    def _not_kept(self, delivery: Delivery, why: str) -> None:
        if self._want.grant.fallback == "direct":
            self._seen(delivery, "")
            return
        reason = f"the content cache failed ({why}), and the policy has no fallback"
        delivery.refuse(Deny(Code.RESOURCE_LIMIT, reason))

    # --- the end --------------------------------------------------------------------------

    def told(self, served: Served) -> Served:
        """Return what was served with where it was fetched, if it was."""
        shared = self._held.shared
        if shared is None:
            return served
        cache = shared.served.cache or served.cache
        return replace(shared.served, cache=cache, digest=served.digest)

    def over(self) -> None:
        """Take note that the delivery has ended, one way or the other."""
        self._end()

    def _end(self) -> None:
        self.is_over = True
        self._let_go()
        if self._held.shared is not None:
            self._held.shared.leave(self)
            self._held.shared = None

    def _let_go(self) -> None:
        if self._held.ticket is not None:
            self._held.ticket.drop()
            self._held.ticket = None
        if self._held.older is not None:
            self._held.older.body.release()
            self._held.older = None
