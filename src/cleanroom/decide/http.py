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

_HTTP_PORT: Final = 80


def decide_host_header(
    policy: CompiledPolicy, name: str, host_header: str, port: int, default_port: int = _HTTP_PORT
) -> Verdict:
    """Judge one request. Each request of a kept-alive connection is judged anew.

    A Host without a port means `default_port`, so on any other port it must be written.
    """
    literal = parse_address(name)
    host = _bracketed(name, literal)
    is_short = port == default_port and same_name(host_header, host)
    if not (is_short or _is_authority(host_header, host, port)):
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
    return bool(colon) and number == str(port) and same_name(named, host)


def _bracketed(name: str, literal: Address | None) -> str:
    return f"[{name}]" if isinstance(literal, IPv6Address) else name
