"""A connection to a registry's host that secrets may go to.

In: requests whose placeholders were judged, answers of the cache or the upstream. Out: the
credential to ask with, answers without the values. Never: a field for a host that its binding does
not name; an artifact that was changed; a hint (etag, length, part) of bytes that hold a value.

The request is built anew, so a placeholder counts in fields of credentials only.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from cleanroom.decide.artifact import Grant
from cleanroom.decide.echo import EchoesNow, Scrubber, Sieve
from cleanroom.decide.model import Deny
from cleanroom.decide.secret import (
    Finder,
    Keyring,
    SecretRef,
    Spot,
    decide_use,
    repeated_in,
    violation,
)
from cleanroom.errors import Code
from cleanroom.gateway.http1.heads import RequestHead
from cleanroom.gateway.layers.bound import Bound, Purse, why_unsearchable
from cleanroom.gateway.layers.slots import Slot, fields_of, fill, slots_of
from cleanroom.gateway.source import Answer
from cleanroom.policy.model import SecretBinding

_OK: Final = 200
_SPOTS: Final = frozenset({Spot.HEADER, Spot.BASIC})
_DOMAIN: Final = b"cleanroom: what a registry was told\n"


@dataclass(frozen=True, slots=True)
class _Field:
    """A field that holds placeholders: its name, its slot, and what stands around that."""

    name: str
    before: bytes
    slot: Slot
    after: bytes


class Loan:
    """Implements Credential of gateway/source.py. The value stays in the vault until it is sent."""

    def __init__(self, keyring: Keyring, fields: tuple[_Field, ...], request: object) -> None:
        self.identity = ""
        self._keyring = keyring
        self._fields = fields
        self._request = request

    def lines(self, host: str, path: str) -> tuple[bytes, ...] | Deny:
        """Implement Credential."""
        purse = Purse(self._keyring, self._request)
        lines = []
        for field in self._fields:
            use = replace(field.slot.use, host=host, path=path.partition("?")[0])
            # SECURITY: behind a redirect, and where a date is asked for, it is another host.
            if all(decide_use(ref, use) is None for _, _, ref in field.slot.hits):
                text = fill(replace(field.slot, use=use), purse.value)
                said = (field.before + text + field.after).strip(b" \t")
                lines.append(b"%b: %b" % (field.name.encode("ascii"), said))
        return purse.why_not or tuple(lines)

    def sieve(self) -> Sieve:
        """Implement Credential."""
        return Sieve(self._keyring.echoes)

    def identify(self, lines: tuple[bytes, ...]) -> None:
        """Be known by these fields, as they are sent to the host that is asked first.

        SECURITY: and by where else they may go. A redirect's target told one sandbox more than it
        would tell another one with the same value, whose binding does not name it.
        """
        scopes = {
            repr(_scope(ref)).encode() for each in self._fields for _, _, ref in each.slot.hits
        }
        said = (*sorted(lines), *sorted(scopes))
        self.identity = hashlib.sha256(_DOMAIN + b"\n".join(said)).hexdigest()


class Silence:
    """Implements Credential: nothing is told, and the answer is searched for what was told before.

    SECURITY: a registry that was told a value may repeat it to whoever asks next. What has it in it
    is not kept, so that it comes into no file and into no sandbox that does not know it.
    """

    identity = ""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def lines(self, host: str, path: str) -> tuple[bytes, ...] | Deny:
        """Implement Credential."""
        del host, path
        return ()

    def sieve(self) -> Sieve:
        """Implement Credential."""
        return Sieve(self._keyring.echoes)


def _scope(ref: SecretRef) -> tuple[tuple[str | int, ...], ...]:
    binding = ref.binding
    names = binding.git.repositories if binding.git is not None else ()
    scope = (binding.allowed_hosts, binding.ports, binding.paths, binding.methods, names)
    return tuple(tuple(sorted(set(each))) for each in scope)


class Lending(Bound):
    """Implements Custody of layers/custody.py, and what a registry's conversation needs more."""

    def lend(self, request: RequestHead, head: bytes, path: str) -> Loan | Deny | None:
        """Return what the registry is told when it is asked for `path`; None: nothing."""
        self._requests += 1
        use = self._use(request)
        if use.method == "HEAD":
            # SECURITY: it is answered from the whole, which is asked for by GET.
            use = replace(use, method="GET")
        slots = tuple(slots_of(head, use, self._keyring.found))
        if not slots:
            return None
        fields = tuple(
            _Field(line.name, head[line.colon + 1 : slot.start], slot, head[slot.end : line.end])
            for slot in slots
            for line in fields_of(head)
            if line.start < slot.start <= line.end
        )
        loan = Loan(self._keyring, fields, (self._target.connection_id, self._requests))
        lines = loan.lines(self._target.name, path)
        if isinstance(lines, Deny):
            return lines
        names = {field.name for field in fields}
        if not len(lines) == len(fields) == len(names):
            return violation(slots[0].hits[0][2], "where only a part of it would have been sent")
        loan.identify(lines)
        return loan

    @property
    def found(self) -> Finder:
        """What finds the placeholders of this sandbox."""
        return self._keyring.found

    def bindings(self, request: RequestHead, head: bytes) -> tuple[SecretBinding, ...]:
        """Return whose placeholders a judged request holds."""
        slots = slots_of(head, self._use(request), self._keyring.found)
        return tuple(ref.binding for slot in slots for _, _, ref in slot.hits)

    def silence(self) -> Silence:
        """Return what stands for a request that tells nothing."""
        return Silence(self._keyring)

    def search(self, grant: Grant) -> "Search":
        """Return what an answer goes through."""
        return Search(self._keyring.echoes, grant)

    def _objection(self, head: bytes, slots: Sequence[Slot]) -> Deny | None:
        for slot in slots:
            if slot.use.spot not in _SPOTS:
                where = f"in the {slot.use.spot} of a request to a registry"
                return violation(slot.hits[0][2], f"{where}, which is told secrets in fields only")
        return super()._objection(head, slots)


class Search:
    """One answer. In metadata values become placeholders; an artifact with one in it is refused."""

    def __init__(self, echoes_now: EchoesNow, grant: Grant) -> None:
        self._echoes_now = echoes_now
        self._grant = grant
        self._through = Scrubber(echoes_now)

    def begin(self, answer: Answer) -> Answer | Deny:
        """Return the head that the sandbox is given."""
        # An etag is a digest of the bytes, by which a guess of the value could be tried.
        fields = tuple((name, self._text(value)) for name, value in answer.fields if name != "etag")
        if self._grant.kind == "artifact" and answer.status == _OK:
            self._through = Sieve(self._echoes_now)
            return replace(answer, fields=fields)
        why = why_unsearchable(answer.status, answer.fields)
        if why:
            return Deny(Code.PROTOCOL_NOT_ALLOWED, f"the registry's answer {why}")
        return replace(answer, fields=fields, length=None)

    def feed(self, data: bytes) -> bytes | Deny:
        """Take a piece of the body; return what may pass."""
        return self._judged(self._through.feed(data))

    def end(self) -> bytes | Deny:
        """Return the rest."""
        return self._judged(self._through.end())

    def _judged(self, text: bytes) -> bytes | Deny:
        if isinstance(self._through, Sieve) and self._through.found:
            return repeated_in(self._grant.label)
        return text

    def _text(self, value: str) -> str:
        return self._echoes_now().replace(value.encode("latin-1", "replace")).decode("latin-1")
