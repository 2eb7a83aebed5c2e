"""The secrets of one HTTP connection: what becomes of placeholders on the way out, of values back.

In: heads that http1/heads.py has read, verdicts so far. Out: what may pass instead, or a Deny.
Never: a value where its binding does not let it go; a placeholder that passes unseen.

Four kinds: `Untouched` for sandboxes without secrets, `Watched` for connections that no secret may
go to, Searched (bound.py) for those among them whose host is told one at another port, and Bound
(there too) for those that one may go to. Registries have their own: Lending, Mirrored.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from cleanroom.decide.model import Deny, Verdict
from cleanroom.decide.secret import Keyring, Spot, Use, decide_use, violation
from cleanroom.errors import Code
from cleanroom.gateway.http1.heads import RequestHead, ResponseHead
from cleanroom.gateway.layers.carriers import (
    AnswerCarrier,
    Carrier,
    Lookout,
    Verbatim,
    Watching,
)
from cleanroom.gateway.layers.slots import Slot, slots_of
from cleanroom.gateway.wire import Target


@dataclass(frozen=True, slots=True)
class Passage:
    """A request on its way: its head as it may pass at once, and what carries its body."""

    head: bytes
    carrier: Carrier


@dataclass(frozen=True, slots=True)
class Return:
    """An answer on its way back."""

    head: bytes
    carrier: AnswerCarrier


@dataclass(frozen=True, slots=True)
class Asked:
    """A request whose answer is awaited."""

    method: str
    minor: int  # of the version HTTP/1.x
    is_last: bool = False  # of its connection, which its sender may not know


class Tunnel(Protocol):
    """Carries what follows a handshake that switched protocols."""

    def out(self, data: bytes) -> bytes | Deny:
        """Take bytes of the sandbox; return those for the server."""
        ...

    def back(self, data: bytes) -> bytes | Deny:
        """Take bytes of the server; return those for the sandbox."""
        ...


class Custody(Protocol):
    """What a connection's HTTP layer asks."""

    def judge(self, request: RequestHead, head: bytes, verdict: Verdict) -> Verdict:
        """Return the verdict on a request that without a look at placeholders has this one."""
        ...

    def send(self, request: RequestHead, head: bytes) -> Passage | Deny:
        """Return what goes upstream of an allowed request. The upstream is connected by now."""
        ...

    def receive(self, asked: Asked, answer: ResponseHead, head: bytes) -> Return | Deny:
        """Return what the sandbox is given of an answer, which may be an interim one."""
        ...

    def found_in(self, request: RequestHead, body: bytes) -> Deny | None:
        """Return what is wrong with a body that is not swapped: a placeholder in it."""
        ...

    def tunnel(self) -> Tunnel | None:
        """Return what carries the frames of a WebSocket; None: none is let through."""
        ...

    def shown(self, path: str) -> str:
        """Return a path as the audit may show it."""
        ...


class Untouched:
    """There is nothing to look for."""

    def judge(self, request: RequestHead, head: bytes, verdict: Verdict) -> Verdict:
        """Implement Custody."""
        del request, head
        return verdict

    def send(self, request: RequestHead, head: bytes) -> Passage | Deny:
        """Implement Custody."""
        del request
        return Passage(head, Verbatim())

    def receive(self, asked: Asked, answer: ResponseHead, head: bytes) -> Return | Deny:
        """Implement Custody."""
        del asked, answer
        return Return(head, Verbatim())

    def found_in(self, request: RequestHead, body: bytes) -> Deny | None:
        """Implement Custody."""
        del request, body
        return None

    def tunnel(self) -> Tunnel | None:
        """Implement Custody."""
        return None

    def shown(self, path: str) -> str:
        """Implement Custody."""
        return path


class Watched(Untouched):
    """A placeholder here is a violation; all else passes as it came."""

    def __init__(self, keyring: Keyring, target: Target, *, verified: bool) -> None:
        self._keyring = keyring
        self._target = target
        self._verified = verified

    def judge(self, request: RequestHead, head: bytes, verdict: Verdict) -> Verdict:
        """Implement Custody."""
        found = self._keyring.found
        slots = list(slots_of(head, self._use(request), found)) if found.refs else []
        if isinstance(verdict, Deny):
            if slots and verdict.code is Code.HOST_HEADER_MISMATCH:
                return violation(slots[0].hits[0][2], "in a request that names another host")
            return verdict
        for slot in slots:
            for _, _, ref in slot.hits:
                deny = decide_use(ref, slot.use)
                if deny is not None:
                    return deny
        ended = self._keyring.why_ended(self._target.name) if self._verified else None
        return ended or self._objection(head, slots) or verdict

    def send(self, request: RequestHead, head: bytes) -> Passage | Deny:
        """Implement Custody."""
        return Passage(head, self._watching(request))

    def found_in(self, request: RequestHead, body: bytes) -> Deny | None:
        """Implement Custody."""
        ref = Lookout(self._keyring.found).look(body)
        if ref is None:
            return None
        use = replace(self._use(request), spot=Spot.BODY)
        return decide_use(ref, use) or violation(ref, "in the body of a request")

    def shown(self, path: str) -> str:
        """Implement Custody."""
        for _, _, ref in self._keyring.found.find(path.encode("latin-1")):
            path = path.replace(ref.placeholder, "***")
        return path

    def _objection(self, head: bytes, slots: Sequence[Slot]) -> Deny | None:
        """Return what else is wrong with a request whose placeholders stand where they may."""
        del head, slots
        return None

    def _watching(self, request: RequestHead) -> Carrier:
        return Watching(self._keyring.found, replace(self._use(request), spot=Spot.BODY))

    def _use(self, request: RequestHead) -> Use:
        target = self._target
        path = request.target.partition("?")[0]
        host = target.name
        return Use(Spot.HEADER, host, target.port, self._verified, request.method, path)
