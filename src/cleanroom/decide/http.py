"""Does the Host of an HTTP request name what the connection was allowed for?

In: a compiled policy, the connection's canonical name or IP address and port, the Host field's
value (RFC 9110 section 7.2). Out: Allow | Deny. Never: HTTP parsing (gateway/http1.py does that).
"""

from ipaddress import IPv6Address
from typing import Final

from cleanroom.decide.match import Address, match_address, match_name
from cleanroom.decide.model import Deny, Verdict
from cleanroom.decide.tcp import parse_address
from cleanroom.decide.tls import same_name
from cleanroom.errors import Code
from cleanroom.policy.model import CompiledPolicy

_DEFAULT_PORT: Final = 80


def decide_host_header(policy: CompiledPolicy, name: str, host_header: str, port: int) -> Verdict:
    """Judge one request. Each request of a kept-alive connection is judged anew.

    A Host without a port means port 80, so on any other port it must be written.
    """
    literal = parse_address(name)
    if not _is_authority(host_header, _bracketed(name, literal), port):
        reason = (
            f"the Host of the request is not {name}:{port}, which the connection is for; "
            "a request may not name another host than its connection"
        )
        return Deny(Code.HOST_HEADER_MISMATCH, reason)
    if literal is not None:
        return match_address(policy, literal, port)
    return match_name(policy, name, port)


def _is_authority(text: str, host: str, port: int) -> bool:
    named, colon, number = text.rpartition(":")
    if colon and number == str(port):
        return same_name(named, host)
    return port == _DEFAULT_PORT and same_name(text, host)


def _bracketed(name: str, literal: Address | None) -> str:
    return f"[{name}]" if isinstance(literal, IPv6Address) else name
