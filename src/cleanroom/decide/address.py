"""The dial guard: may the gateway, standing on the host's network, connect to this address?

In: an address an allowed name resolved to (or an IP rule allowed), the host's own networks, the
operator's exceptions. Out: a Deny, or None if nothing speaks against it. Never: what the
repository wrote; only the operator's configuration names exceptions.

The list is our own. Python's `ipaddress` calls 64:ff9b::7f00:1, 2002:7f00:1::, ::7f00:1 and
224.0.0.1 global, and does not call 100.64.0.1 private. Sources: the IANA special-purpose address
registries (RFC 6890 and its updates), and the metadata addresses of the clouds. Documentation
ranges (RFC 5737, RFC 3849) are missing on purpose: mirrors live there on some networks.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final, assert_never

from cleanroom.decide.match import Address
from cleanroom.decide.model import Deny
from cleanroom.decide.services import Services
from cleanroom.errors import Code

Network = IPv4Network | IPv6Network


class _Kind(Enum):
    """Whether an operator may make an exception."""

    PUBLIC = "public"
    NEVER = "never"
    OPERATOR = "operator"  # by the name that resolved to it, or by the address itself
    CARRIER = "carrier"  # carries an IPv4 address; only an exception naming the prefix opens it


_LIST: Final[tuple[tuple[str, _Kind, str], ...]] = (
    # Metadata services first: some lie inside ranges an operator may open.
    ("100.100.100.200/32", _Kind.NEVER, "a cloud metadata service"),
    ("168.63.129.16/32", _Kind.NEVER, "a cloud metadata service"),
    ("169.254.169.254/32", _Kind.NEVER, "a cloud metadata service"),
    ("fd00:ec2::/32", _Kind.NEVER, "a cloud metadata service"),
    ("fd20:ce::254/128", _Kind.NEVER, "a cloud metadata service"),
    ("0.0.0.0/8", _Kind.NEVER, "unspecified"),
    ("10.0.0.0/8", _Kind.OPERATOR, "private"),
    ("100.64.0.0/10", _Kind.OPERATOR, "shared carrier space"),
    ("127.0.0.0/8", _Kind.OPERATOR, "loopback"),
    ("169.254.0.0/16", _Kind.NEVER, "link-local"),
    ("172.16.0.0/12", _Kind.OPERATOR, "private"),
    ("192.0.0.0/24", _Kind.NEVER, "reserved for protocols"),
    ("192.88.99.0/24", _Kind.NEVER, "a 6to4 relay"),
    ("192.168.0.0/16", _Kind.OPERATOR, "private"),
    ("198.18.0.0/15", _Kind.OPERATOR, "reserved for benchmarks"),
    ("224.0.0.0/4", _Kind.NEVER, "multicast"),
    ("240.0.0.0/4", _Kind.NEVER, "reserved"),
    ("::/128", _Kind.NEVER, "unspecified"),
    ("::1/128", _Kind.OPERATOR, "loopback"),
    ("::/96", _Kind.CARRIER, "an IPv4-compatible address"),
    ("::ffff:0:0/96", _Kind.CARRIER, "an IPv4-mapped address"),
    ("64:ff9b::/96", _Kind.CARRIER, "a NAT64 address"),
    ("2002::/16", _Kind.CARRIER, "a 6to4 address"),
    ("2001::/23", _Kind.NEVER, "reserved for protocols"),
    ("fc00::/7", _Kind.OPERATOR, "private"),
    ("fe80::/10", _Kind.NEVER, "link-local"),
    ("ff00::/8", _Kind.NEVER, "multicast"),
)
_BY_VERSION: Final = {
    version: tuple(
        (int(network.network_address), int(network.netmask), kind, words)
        for network, kind, words in ((ip_network(text), kind, words) for text, kind, words in _LIST)
        if network.version == version
    )
    for version in (4, 6)
}
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")  # all that is handed out so far (RFC 4291)


@dataclass(frozen=True, slots=True)
class Guard:
    """What the operator and the host contribute; make it with `make_guard`."""

    host_networks: tuple[Network, ...] = ()
    private_names: frozenset[str] = frozenset()
    private_suffixes: tuple[str, ...] = ()  # ".corp.example"
    private_networks: tuple[Network, ...] = ()
    services: Services = field(default_factory=dict)


def make_guard(private_hosts: Iterable[str], host_networks: Iterable[str]) -> Guard:
    """Read `gateway.private_hosts` (names, `*.names`, addresses, CIDR blocks) and host networks.

    Raises ValueError for a host network that is none.
    """
    names: set[str] = set()
    suffixes: list[str] = []
    networks: list[Network] = []
    for text in private_hosts:
        network = _network(text)
        if network is not None:
            networks.append(network)
        elif text.startswith("*."):
            suffixes.append(text[1:].lower().removesuffix("."))
        else:
            names.add(text.lower().removesuffix("."))
    own = tuple(ip_network(text, strict=False) for text in host_networks)
    return Guard(own, frozenset(names), tuple(suffixes), tuple(networks))


def judge_address(guard: Guard, name: str, address: Address) -> Deny | None:
    """Return why `address`, reached by `name` ("" for an IP literal), may not be dialled."""
    kind, words = _classify(guard, address)
    match kind:
        case _Kind.PUBLIC:
            return None
        case _Kind.NEVER:
            return _refusal(name, address, words)
        case _Kind.OPERATOR:
            if _is_excepted(guard, name, address):
                return None
            return _refusal(name, address, words, exception=name or str(address))
        case _Kind.CARRIER:
            return _judge_carrier(guard, name, address, words)
        case _:
            assert_never(kind)


def carried_address(address: Address) -> IPv4Address | None:
    """Return the IPv4 address inside a mapped, compatible, NAT64 or 6to4 address; else None."""
    if _listed(address)[0] is not _Kind.CARRIER:
        return None
    # 6to4 (RFC 3056) carries it in bits 16 to 48, all the others in the last 32 bits.
    packed = address.packed
    return IPv4Address(packed[2:6] if packed[:2] == b"\x20\x02" else packed[-4:])


def _listed(address: Address) -> tuple[_Kind, str]:
    number = int(address)
    for network, mask, kind, words in _BY_VERSION[address.version]:
        if number & mask == network:
            return kind, words
    return _Kind.PUBLIC, ""


def _classify(guard: Guard, address: Address) -> tuple[_Kind, str]:
    if isinstance(address, IPv6Address) and address.scope_id:
        return _Kind.NEVER, "link-local"
    listed = _listed(address)
    if listed[0] is not _Kind.PUBLIC:
        return listed
    if any(address in network for network in guard.host_networks):
        return _Kind.OPERATOR, "this host's own or on its network"
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return _Kind.NEVER, "outside the public address space"
    return _Kind.PUBLIC, ""


def _judge_carrier(guard: Guard, name: str, address: Address, words: str) -> Deny | None:
    inner = carried_address(address)
    if inner is None or judge_address(guard, name, inner) is not None:
        return _refusal(name, address, f"{words} around {inner}, which may not be dialled itself")
    if _in_any(guard.private_networks, address):
        return None
    return _refusal(name, address, words, exception=str(address))


def _is_excepted(guard: Guard, name: str, address: Address) -> bool:
    return (
        name in guard.private_names
        or (bool(name) and name.endswith(guard.private_suffixes))
        or _in_any(guard.private_networks, address)
    )


def _refusal(name: str, address: Address, words: str, exception: str = "") -> Deny:
    subject = f"{name} resolves to {address}" if name else f"the address is {address}"
    reason = f"{subject} ({words}), which no sandbox may reach"
    if exception:
        reason += f"; the operator can except it: gateway.private_hosts: [{exception}]"
    return Deny(Code.ADDRESS_NOT_ALLOWED, reason)


def _in_any(networks: Iterable[Network], address: Address) -> bool:
    return any(address in network for network in networks)


def _network(text: str) -> Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None
