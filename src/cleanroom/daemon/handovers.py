"""Values of secrets on their way from a client to the gateway: descriptors under a ticket.

In: descriptors of sealed anonymous files, a ticket. Out: duplicates for one request. Never: a byte
of a value read here, a file that can still be changed, or a ticket that outlives its connection.
"""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator, Mapping
from typing import Final

from cleanroom.errors import Code, Refused, UserError

MOST_AT_ONCE: Final = 256
_SEALS: Final = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK


class Handovers:
    """What clients hold out for the request that they are about to make."""

    def __init__(self) -> None:
        self._held: dict[str, Mapping[str, int]] = {}

    @contextlib.contextmanager
    def held(self, descriptors: Mapping[str, int]) -> Iterator[str]:
        """Keep descriptors under a new ticket for as long as this lasts. They stay the caller's.

        Raises UserError for a descriptor that is no sealed anonymous file.
        """
        for secret_id, descriptor in descriptors.items():
            _check_sealed(secret_id, descriptor)
        if len(self._held) >= MOST_AT_ONCE:
            message = f"cannot take values: {MOST_AT_ONCE} clients hand some over already"
            raise Refused(Code.RESOURCE_LIMIT, message, "try again")
        ticket = secrets.token_urlsafe(24)
        self._held[ticket] = descriptors
        try:
            yield ticket
        finally:
            del self._held[ticket]

    @contextlib.contextmanager
    def values(self, ticket: str) -> Iterator[Mapping[str, int]]:
        """Duplicate what a ticket stands for, for as long as this lasts; "" stands for nothing.

        Duplicates: the client may go away, and its numbers mean something else then.
        """
        if ticket and ticket not in self._held:
            message = "cannot take the values handed over: their connection has ended"
            raise UserError(Code.SECRET_UNAVAILABLE, message, "hand them over again")
        own: dict[str, int] = {}
        try:
            for secret_id, descriptor in self._held.get(ticket, {}).items():
                own[secret_id] = os.dup(descriptor)
            yield own
        finally:
            for descriptor in own.values():
                os.close(descriptor)


def _check_sealed(secret_id: str, descriptor: int) -> None:
    """SECURITY: the gateway reads it, so it must neither block nor change: a sealed memfd."""
    try:
        seals = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
    except OSError:
        seals = 0
    if seals & _SEALS != _SEALS:
        message = f"cannot take the value of '{secret_id[:64]}': it is no sealed anonymous file"
        raise UserError(Code.REQUEST_INVALID, message)
