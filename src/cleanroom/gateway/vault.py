"""Secret values: in locked memory of this process alone, until their time is over.

In: descriptors of anonymous files that hold one value each. Out: a Keyring a sandbox. Never: a
value in a repr, a message or a core dump; one that is kept after its time, its policy or its
sandbox has ended.
"""

import ctypes
import fcntl
import mmap
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Self

from cleanroom.decide.echo import Echoes, Word
from cleanroom.decide.foreign import Cookies
from cleanroom.decide.kinds import KINDS
from cleanroom.decide.mirror import is_of_operator
from cleanroom.decide.model import Deny
from cleanroom.decide.oauth2 import Minted, why_unmintable
from cleanroom.decide.placeholder import ENTROPY_BYTES, MOST, placeholder_like
from cleanroom.decide.secret import Finder, SecretRef, violation
from cleanroom.errors import Code
from cleanroom.policy.model import SecretBinding

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_NO_REQUEST: Final = object()
MOST_EARLIER: Final = 8  # tokens of one secret that are still looked for


class Secret:
    """One value in pages that are not swapped, dumped or handed to a child."""

    def __init__(self, descriptor: int) -> None:
        """Read it, at most one byte more than a secret may have.

        Raises OSError if it is no file in memory: anything else may keep its reader waiting.
        """
        fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
        size = min(os.fstat(descriptor).st_size, MOST) + 1
        self._pages = mmap.mmap(-1, size)
        for advice in (mmap.MADV_DONTDUMP, mmap.MADV_DONTFORK):
            self._pages.madvise(advice)
        self.is_locked = _lock(self._pages)
        self._length = os.preadv(descriptor, [self._pages], 0)

    @classmethod
    def of(cls, value: bytes) -> Self:
        """Keep what is here already. Raises OSError where no descriptor is left."""
        descriptor = os.memfd_create("secret", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.pwrite(descriptor, value, 0)
            return cls(descriptor)
        finally:
            os.close(descriptor)

    def __repr__(self) -> str:
        return "Secret(***)"

    def reveal(self) -> bytes:
        """Return the value. Whoever asks hands it to the kernel and keeps it nowhere."""
        return self._pages[: self._length]

    def wipe(self) -> None:
        """Overwrite it. Idempotent."""
        self._length = 0
        self._pages.seek(0)
        self._pages.write(bytes(len(self._pages)))


@dataclass(slots=True)
class _Held:
    """A secret that a sandbox has: until when, and which request it was spent on."""

    secret: Secret
    until: float
    why_not: str = ""
    spent_on: object = _NO_REQUEST
    token: Secret | None = None  # minted with it, and sent in its place
    token_until: float = 0.0
    lacks: str = "none was minted"
    earlier: list[Secret] = field(default_factory=list)  # tokens; still searched for

    def every(self) -> Iterator[Secret]:
        """Yield all that there is to wipe."""
        yield from (self.secret, *self.earlier)
        if self.token is not None:
            yield self.token

    def words(self, kind: str) -> Iterator[bytes]:
        """Yield what is looked for in answers."""
        value, *minted = (each.reveal() for each in self.every())
        yield from KINDS[kind].words(value) if value else ()
        yield from filter(None, minted)


class SandboxSecrets:
    """Implements Keyring of decide/secret.py. `now` is the gateway's monotonic clock."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._held: dict[SecretRef, _Held] = {}
        self._ended: dict[str, Deny] = {}  # by host: nothing is asked there any more
        self._lost: list[str] = []  # those of them whose connections are still to be cut
        self._echoes: Echoes | None = None  # made when an answer first needs it
        self.found = Finder(())
        self.cookies = Cookies()

    def __repr__(self) -> str:
        return f"SandboxSecrets({', '.join(ref.binding.secret_id for ref in self._held)})"

    def add(self, binding: SecretBinding, secret: Secret, token: bytes = b"") -> str | SecretRef:
        """Keep a value under a new placeholder; a text says why it cannot be kept.

        `token`: what the placeholder is to look like, where the value is not what is sent.
        """
        value = secret.reveal()
        why = why_unfit(binding, value)
        if why:
            secret.wipe()
            return why
        shape = value if binding.oauth2 is None else token
        ref = SecretRef(placeholder_like(shape, os.urandom(ENTROPY_BYTES)), binding)
        self._held[ref] = _Held(secret, self._now() + binding.ttl_s)
        self._find()
        self._echoes = None
        return ref

    @property
    def refs(self) -> tuple[SecretRef, ...]:
        """Implement Keyring."""
        self.expire()
        return tuple(ref for ref, held in self._held.items() if not held.why_not)

    def take(self, ref: SecretRef, request: object) -> bytes | Deny:
        """Implement Keyring."""
        self.expire()
        held = self._held.get(ref)
        if held is None:
            return Deny(Code.SECRET_UNAVAILABLE, "the secret is not this sandbox's")
        if held.why_not:
            secret = ref.binding.secret_id
            return Deny(Code.SECRET_UNAVAILABLE, f"the secret '{secret}' is gone: {held.why_not}")
        if ref.binding.single_use:
            if held.spent_on not in (_NO_REQUEST, request):
                return violation(ref, "a second time, and it is good for one request")
            held.spent_on = request
        if ref.binding.oauth2 is None:
            return held.secret.reveal()
        if held.token is None or held.token_until <= self._now():
            why = f"the secret '{ref.binding.secret_id}' has no token now: {held.lacks}"
            return Deny(Code.SECRET_UNAVAILABLE, why)
        return held.token.reveal()

    def has(self, secret_id: str) -> bool:
        """Tell whether a secret is still good."""
        return any(ref.binding.secret_id == secret_id for ref in self.refs)

    def renew(self, secret_id: str, outcome: Minted | str) -> None:
        """Send this token from now on; or say that while the last one lasts there is no newer.

        Raises OSError where no descriptor is left.
        """
        for ref, held in self._held.items():
            if ref.binding.secret_id != secret_id or held.why_not:
                continue
            if isinstance(outcome, str):
                held.lacks = outcome
                continue
            kept = [held.token] if held.token is not None else []
            if outcome.refresh_token:
                kept.append(Secret.of(outcome.refresh_token.encode()))
            held.token, held.token_until = Secret.of(outcome.token), self._now() + outcome.lasts_s
            held.earlier += kept
            while len(held.earlier) > MOST_EARLIER:
                held.earlier.pop(0).wipe()
            held.lacks = "its time is over"
            self._echoes = None

    def why_ended(self, host: str) -> Deny | None:
        """Implement Keyring."""
        self.expire()
        return self._ended.get(host)

    def of_operator(self, value_id: str) -> bytes | None:
        """Implement Keyring."""
        found = (held for ref, held in self._held.items() if ref.binding.secret_id == value_id)
        held = next(found, None)
        return None if held is None or held.why_not else held.secret.reveal()

    def echoes(self) -> Echoes:
        """Implement Keyring."""
        if self._echoes is None:
            words = []
            for ref, held in self._held.items():
                placeholder = ref.placeholder.encode("ascii")
                words += [Word(value, placeholder) for value in held.words(ref.binding.kind)]
            self._echoes = Echoes(words)
        return self._echoes

    def expire(self) -> None:
        """End what is past its time. It is wiped when the connections that know it are cut."""
        now = self._now()
        for ref in [ref for ref, held in self._held.items() if held.until <= now]:
            self._end("its time is over", ref)

    def take_lost(self) -> tuple[str, ...]:
        """Wipe what has ended; return the hosts whose connections must be cut at once."""
        self.expire()
        for held in self._held.values():
            if held.why_not:
                for secret in held.every():
                    secret.wipe()
        lost, self._lost = tuple(dict.fromkeys(self._lost)), []
        self._echoes = None if lost else self._echoes
        return lost

    def narrow(self, bindings: Sequence[SecretBinding]) -> None:
        """Judge by these bindings from now on."""
        kept = {binding.secret_id: binding for binding in bindings}
        for ref in list(self._held):
            binding = kept.get(ref.binding.secret_id)
            if is_of_operator(ref.binding.secret_id):
                continue  # no policy's word
            if binding is None:
                self._end("the policy no longer binds it", ref)
                continue
            hosts = tuple(h for h in ref.binding.allowed_hosts if h in binding.allowed_hosts)
            gone = [host for host in ref.binding.allowed_hosts if host not in hosts]
            self._lose("the policy no longer binds it to this host", ref, gone)
            ttl_s = min(ref.binding.ttl_s, binding.ttl_s)
            narrower = replace(ref, binding=replace(binding, allowed_hosts=hosts, ttl_s=ttl_s))
            held = self._held[narrower] = self._held.pop(ref)
            held.until -= ref.binding.ttl_s - ttl_s
        self._find()

    def close(self) -> None:
        """Wipe everything. Idempotent."""
        for ref in self._held:
            self._end("its sandbox has ended", ref)
        self.take_lost()

    def _find(self) -> None:
        # What stands for the operator's values is not known inside, so nobody looks for it.
        self.found = Finder(r for r in self._held if not is_of_operator(r.binding.secret_id))

    def _end(self, why: str, ref: SecretRef) -> None:
        held = self._held[ref]
        if not held.why_not:
            held.why_not = why
            self._lose(why, ref, ref.binding.allowed_hosts)

    def _lose(self, why: str, ref: SecretRef, hosts: Sequence[str]) -> None:
        reason = f"the secret '{ref.binding.secret_id}' is gone: {why}"
        self._ended.update(dict.fromkeys(hosts, Deny(Code.SECRET_UNAVAILABLE, reason)))
        self._lost += hosts


def why_unfit(binding: SecretBinding, value: bytes) -> str:
    """Return why a value cannot be this binding's, "" if it can; never with a part of it."""
    why = KINDS[binding.kind].why_unusable(value)
    return why or ("" if binding.oauth2 is None else why_unmintable(binding.oauth2, value))


def _lock(pages: mmap.mmap) -> bool:
    """Keep pages in memory as far as the caller's limit allows (mlock(2))."""
    first = ctypes.c_char.from_buffer(pages)
    try:
        return not _LIBC.mlock(
            ctypes.c_void_p(ctypes.addressof(first)), ctypes.c_size_t(len(pages))
        )
    finally:
        del first
