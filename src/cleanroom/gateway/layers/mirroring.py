"""What a registry's conversation needs where the operator has mirrors of its hosts.

In: the operator's mirrors, a sandbox's keyring. Out: the credential that mirrors are asked with.
Never: a mirror's value for another host, or inside; a sandbox's own value for a mirror.
"""

import base64
import hashlib
from collections.abc import Sequence
from typing import Final

from cleanroom.decide.artifact import Grant
from cleanroom.decide.echo import Sieve
from cleanroom.decide.mirror import Mirror, Mirrors, mirrors_of
from cleanroom.decide.model import Deny
from cleanroom.decide.secret import Keyring, Spot, violation
from cleanroom.errors import Code
from cleanroom.gateway.layers.custody import Watched
from cleanroom.gateway.layers.lending import Search
from cleanroom.gateway.layers.slots import Slot, value_in
from cleanroom.gateway.source import Credential

_DOMAIN: Final = b"cleanroom: what mirrors were told\n"


class MirrorPass:
    """Implements Credential of gateway/source.py for a registry with mirrors.

    `own` is what the sandbox itself sends: hosts that have no mirror are told that.
    """

    def __init__(self, keyring: Keyring, mirrors: Mirrors, own: Credential | None) -> None:
        self.identity = ""
        self._keyring = keyring
        self._mirrors = mirrors
        self._own = own

    def lines(self, host: str, path: str) -> tuple[bytes, ...] | Deny:
        """Implement Credential."""
        mirror = self._mirrors.get(host)
        if mirror is None:
            return self._own.lines(host, path) if self._own is not None else ()
        return self._told(mirror)

    def sieve(self) -> Sieve:
        """Implement Credential."""
        return Sieve(self._keyring.echoes)

    def identify(self) -> Deny | None:
        """Be known by all mirrors of the registry and what each is told; why not, if one is mute.

        SECURITY: all of them: a host without a mirror may redirect to one that has.
        """
        said = [self._own.identity.encode() if self._own is not None else b""]
        for host, mirror in sorted(self._mirrors.items()):
            told = self._told(mirror)
            if isinstance(told, Deny):
                return told
            said += [f"{host} {mirror.url}".encode(), *told]
        self.identity = hashlib.sha256(_DOMAIN + b"\n".join(said)).hexdigest()
        return None

    def _told(self, mirror: Mirror) -> tuple[bytes, ...] | Deny:
        if not mirror.auth:
            return ()
        value = self._keyring.of_operator(mirror.value_id)
        text = None if value is None else value_in(Spot.HEADER, value)
        if text is None or isinstance(text, str):
            why = text or "was not handed over"
            words = f"the mirror of {mirror.host} wants the secret '{mirror.auth}', which"
            how = f"{words} {why}" if text is None else f"{words} cannot stand {why}"
            return Deny(Code.SECRET_UNAVAILABLE, how)
        if mirror.user:
            pair = base64.b64encode(mirror.user.encode() + b":" + text)
            return (b"Authorization: Basic " + pair,)
        return (b"Authorization: Bearer " + text,)


class Mirroring:
    """The operator's mirrors, as one sandbox meets them."""

    def __init__(self, keyring: Keyring, mirrors: Mirrors) -> None:
        self._keyring = keyring
        self._mirrors = mirrors

    def of(self, hosts: Sequence[str]) -> Mirrors:
        """Return the mirrors of a registry's hosts."""
        return mirrors_of(self._mirrors, hosts)

    def label(self, host: str) -> str:
        """Return what the audit calls the mirror of a host; "" if it has none."""
        mirror = self._mirrors.get(host)
        return mirror.label if mirror is not None else ""

    def lend(
        self, grant: Grant, mirrors: Mirrors, host: str, own: Credential | None
    ) -> MirrorPass | Deny:
        """Return what a registry with these mirrors is asked with; `host` is asked first."""
        if grant.kind == "service" and host in mirrors:
            reason = (
                f"of {host} only packages and their metadata may be had: it is asked at a mirror"
            )
            return Deny(Code.REGISTRY_NOT_ALLOWED, reason)
        made = MirrorPass(self._keyring, mirrors, own)
        return made.identify() or made

    def search(self, grant: Grant, mirrors: Mirrors) -> Search | None:
        """Return what an answer goes through; None if no mirror was told a value."""
        is_told = any(mirror.auth for mirror in mirrors.values())
        return Search(self._keyring.echoes, grant) if is_told else None


class Mirrored(Watched):
    """A connection to a host that has a mirror: no secret of the sandbox goes from here."""

    def _objection(self, head: bytes, slots: Sequence[Slot]) -> Deny | None:
        if slots:
            why = f"to {self._target.name}, which the operator has asked at a mirror"
            return violation(slots[0].hits[0][2], why)
        return super()._objection(head, slots)
