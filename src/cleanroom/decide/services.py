"""Services of the host that the operator shows to sandboxes: a name and port inside, a loopback
address and port outside.

In: pairs of texts ("models.internal:11434", "127.0.0.1:11434"). Out: Services. Never: an address
that is not loopback (`gateway.private_hosts` is for those), or one that a repository named.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address

from cleanroom.decide.match import Address
from cleanroom.policy.hosts import InvalidHostError, canonical_host, parse_port


@dataclass(frozen=True, slots=True)
class HostService:
    """Where the host has it."""

    address: Address
    port: int


Services = dict[tuple[str, int], HostService]


def read_services(pairs: Iterable[tuple[str, str]]) -> Services:
    """Return them by name and port. Raises InvalidHostError."""
    return {read_inside(inside): read_outside(outside) for inside, outside in pairs}


def read_inside(text: str) -> tuple[str, int]:
    """Return the name and port inside. Raises InvalidHostError."""
    name, _, port = text.rpartition(":")
    return canonical_host(name), parse_port(port)


def read_outside(text: str) -> HostService:
    """Return the loopback address and port. Raises InvalidHostError."""
    host, _, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        address = ip_address(bare)
    except ValueError:
        message = "it is an address and a port, such as 127.0.0.1:11434 or [::1]:5432"
        raise InvalidHostError(message) from None
    if not address.is_loopback or (":" in bare) != (bare != host):
        message = "it is an address of this host's loopback, such as 127.0.0.1 or [::1]"
        raise InvalidHostError(message)
    return HostService(address, parse_port(port))
