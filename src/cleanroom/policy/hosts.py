"""Host names, addresses, ports: untrusted text -> the one canonical form, or a reason why not.

In: text of a policy, a DNS question, an SNI or a Host header. Out: canonical text.
Never: two spellings of one host; a name that some resolver would read as an address; a port that
`int()` takes but people do not mean.
"""

import ipaddress
import re

import idna

from cleanroom.errors import Code, UserError
from cleanroom.policy.model import RuleKind
from cleanroom.policy.problems import quoted

MAX_NAME = 253  # RFC 1035 section 2.3.4, in text form
MIN_PREFIX_V4 = 8
MIN_PREFIX_V6 = 16

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")  # RFC 1123 section 2.1
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_ADDRESS_LIKE = re.compile(r"[0-9.]+(?:/.*)?|[0-9a-f.]*:[0-9a-f.]*:[0-9a-f.:]*(?:[%/].*)?", re.I)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class InvalidHostError(UserError):
    """The text names no host. `message` is a reason to stand behind "cannot …:"."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(Code.REQUEST_INVALID, message, hint)


def canonical_host(text: str) -> str:
    """Return the name in lower case, IDNA A-labels, without the one trailing dot it may have.

    Raises InvalidHostError for anything but a host name: IP literals and what `inet_aton` reads as
    one (127.1, 0x7f.1, 2130706433), empty labels, NUL, control and non-LDH characters, names over
    253 characters. IDNA is 2008 without mapping: only lower-casing changes what was written.
    """
    name = text.removesuffix(".")
    if not name:
        msg = "it is empty"
        raise InvalidHostError(msg)
    if len(text) > MAX_NAME + 1:
        msg = f"it is longer than {MAX_NAME} characters"
        raise InvalidHostError(msg)
    name = ".".join(_canonical_label(label) for label in name.lower().split("."))
    if len(name) > MAX_NAME:
        msg = f"it is longer than {MAX_NAME} characters"
        raise InvalidHostError(msg)
    if _NUMERIC.fullmatch(name.rpartition(".")[2]):
        # The rule of the WHATWG URL standard ("ends in a number"): no resolver may see these.
        msg = "it is read as an IP address"
        raise InvalidHostError(msg, "write all four numbers of it")
    return name


def _canonical_label(label: str) -> str:
    if not label:
        msg = "it has an empty label"
        raise InvalidHostError(msg, "names have one dot between labels")
    if label.isascii() and not label.startswith("xn--"):
        if not _LABEL.fullmatch(label):
            raise InvalidHostError(*_why_no_label(label))
        return label
    try:
        return idna.alabel(label).decode("ascii")
    except UnicodeError as error:  # idna.IDNAError is one
        message = "it is no valid internationalised name"
        raise InvalidHostError(message, "write its xn-- form") from error


def _why_no_label(label: str) -> tuple[str, str]:
    if len(label) > 63:
        return "a label of it is longer than 63 characters", ""
    return "a host name has letters, digits, hyphens and dots only", ""


def canonical_network(text: str) -> str:
    """Return an address or CIDR block in canonical text; a single address has no prefix.

    Raises InvalidHostError: not an address, host bits set, zone, mapped or embedded IPv4, or wider
    than /8 (IPv4) or /16 (IPv6).
    """
    if "%" in text:
        msg = "an address with a zone belongs to one machine"
        raise InvalidHostError(msg, "remove the zone")
    try:
        network: Network = ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        message = "it is no address or CIDR block"
        raise InvalidHostError(message, "write it like 192.0.2.0/24 or 2001:db8::/32") from error
    _check_prefix(text, network)
    if network.prefixlen == network.max_prefixlen:
        return str(network.network_address)
    return str(network)


def _check_prefix(text: str, network: Network) -> None:
    prefix = text.partition("/")[2]
    if prefix and prefix != str(network.prefixlen):
        msg = "its prefix is no plain number"
        raise InvalidHostError(msg, f"write /{network.prefixlen}")
    shortest = MIN_PREFIX_V4 if network.version == 4 else MIN_PREFIX_V6
    if network.prefixlen < shortest:
        msg = f"a block may not be wider than /{shortest}"
        raise InvalidHostError(msg, "name the hosts instead")
    if prefix and str(ipaddress.ip_interface(text).ip) != str(network.network_address):
        msg = "bits after its prefix are set"
        raise InvalidHostError(msg, f"write {network}")
    first = int(network.network_address)
    if network.version == 6 and first >> 32 in (0, 0xFFFF) and first != 1:
        msg = "it holds an IPv4 address"
        raise InvalidHostError(msg, "write the IPv4 address")


def is_address_like(text: str) -> bool:
    """Tell whether the text was meant as an address or CIDR block rather than as a name."""
    return bool(_ADDRESS_LIKE.fullmatch(text.strip("[]")))


def parse_host_pattern(text: str) -> tuple[RuleKind, str]:
    """Return how a rule's `host` names its target, and its canonical value.

    Raises InvalidHostError, also for a wildcard that is not one whole left-most label above at
    least two more (`*`, `*.com`, `a.*.b`, `*a.example`).
    """
    if "*" in text:
        return RuleKind.WILDCARD, _wildcard_base(text)
    _refuse_parts(text, _NOT_HOSTS)
    if is_address_like(text):
        return RuleKind.NETWORK, canonical_network(text)
    _refuse_parts(text, _NOT_NAMES)
    return RuleKind.EXACT, canonical_host(text)


_NOT_HOSTS = {
    "://": ("it is a URL", "write the host name only"),
    "@": ("it has a user name", "write the host name only"),
    " ": ("it has a space", "write one host an entry"),
    "[": ("an address has no brackets here", "remove them"),
}
_NOT_NAMES = {
    ":": ("a port does not belong in it", "write it under 'ports'"),
    "/": ("a path does not belong in it", "write the host name only"),
}


def _refuse_parts(text: str, parts: dict[str, tuple[str, str]]) -> None:
    for part, (reason, hint) in parts.items():
        if part in text:
            raise InvalidHostError(reason, hint)


def _wildcard_base(text: str) -> str:
    base = text.removeprefix("*.")
    if text == "*":
        msg = "it would allow everything"
        raise InvalidHostError(msg, "name the hosts")
    if base == text or "*" in base:
        hint = "write '*.' once, in front of a domain"
        msg = "a wildcard is the whole first label"
        raise InvalidHostError(msg, hint)
    name = canonical_host(base)
    if "." not in name:
        msg = "it would allow a whole top-level domain"
        raise InvalidHostError(msg, "name a domain below it")
    return name


def parse_port(text: str) -> int:
    """Return a port from decimal ASCII text, 1 to 65535. Raises InvalidHostError."""
    if not _PORT.fullmatch(text) or int(text) > 65535:
        hint = "a port is a whole number from 1 to 65535, without quotes, sign or leading zero"
        msg = f"{quoted(text)} is no port"
        raise InvalidHostError(msg, hint)
    return int(text)
