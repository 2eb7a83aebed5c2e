"""Does a TLS ClientHello name what the connection was allowed for?

In: the rule that allowed the connection, its name ("" under an IP or CIDR rule), what the
ClientHello says. Out: Allow | Deny. Never: TLS parsing (gateway/layers/tls.py does that).
"""

from cleanroom.decide.model import Allow, Deny, Verdict
from cleanroom.errors import Code
from cleanroom.policy.model import Rule


def decide_client_hello(rule: Rule, name: str, sni: str, *, ech_present: bool) -> Verdict:
    """Judge the server name (RFC 6066 section 3; "" if absent) and Encrypted Client Hello.

    Under an IP or CIDR rule the absent server name is the match.
    """
    if ech_present and not rule.ech_allowed:
        reason = (
            "the client used Encrypted Client Hello, which hides the name it asks for; "
            "turn ECH off in the client, or write `ech: allow` on the rule"
        )
        return Deny(Code.ECH_NOT_ALLOWED, reason)
    if same_name(sni, name):
        return Allow(rule)
    asked = f"the TLS server name {_shown(sni)}" if sni else "no TLS server name"
    expected = name or "none, as the connection was made to an IP address"
    reason = f"the client sent {asked}, but the connection is for {expected}"
    return Deny(Code.SNI_MISMATCH, reason)


def same_name(text: str, name: str) -> bool:
    """Tell whether `text`, as a peer wrote it, is the canonical `name`: case and one final dot."""
    if text.isascii():
        text = text.lower()
    return text.removesuffix(".") == name


def _shown(text: str) -> str:
    # A peer's bytes go into a sentence for a terminal: printable ASCII only, and not much of it.
    return text[:253].encode("ascii", "backslashreplace").decode() if text.isprintable() else "?"
