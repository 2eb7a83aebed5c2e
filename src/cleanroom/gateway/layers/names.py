"""The synthetic addresses of one sandbox: each name it may know has its own IPv4 and IPv6 address.

In: canonical names. Out: a pair of addresses for a name, the name of an address.
Never: an address given to a second name, or a name forgotten: a client that kept an old answer
would then reach another host than it asked for.

IPv4 comes from 198.18.0.0/15 (RFC 2544: never routed), IPv6 from the unique local prefix
fd00:c1ea::/96 (RFC 4193). The first sixteen of each stay free: 198.18.0.1 and fd00:c1ea::1 are
the sandbox's own.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

FIRST_V4: Final = int(IPv4Address("198.18.0.16"))
FIRST_V6: Final = int(IPv6Address("fd00:c1ea::10"))
DEFAULT_LIMIT: Final = 4096  # names; about 1 MiB of memory


@dataclass(frozen=True, slots=True)
class Synthetic:
    """The two addresses of a name, in canonical text."""

    v4: str
    v6: str


class NameTable:
    """Names and their synthetic addresses, in both directions. Grows to `limit` names, no more."""

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self._limit = limit
        self._addresses: dict[str, Synthetic] = {}
        self._names: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._addresses)

    def assign(self, name: str) -> Synthetic | None:
        """Return the addresses of `name`, given on first use; None when the table is full."""
        known = self._addresses.get(name)
        if known is not None:
            return known
        place = len(self._addresses)
        if place >= self._limit:
            return None
        pair = Synthetic(str(IPv4Address(FIRST_V4 + place)), str(IPv6Address(FIRST_V6 + place)))
        self._addresses[name] = pair
        self._names[pair.v4] = self._names[pair.v6] = name
        return pair

    def name_of(self, address: str) -> str:
        """Return the name that was given `address` (canonical text), or ""."""
        return self._names.get(address, "")
