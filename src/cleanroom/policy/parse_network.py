"""`sandbox.network`: who may be reached, by name, address and port.

In: fields. Out: NetworkPolicy with rules in file order. Never: a default other than deny.
"""

from typing import Final

from cleanroom.policy.fields import Fields, Key, ListOf, Section
from cleanroom.policy.model import NetworkPolicy, Rule, RuleKind
from cleanroom.policy.presets import PRESETS, preset_rules
from cleanroom.policy.values import choice, flag, host_pattern, port

MAX_RULES: Final = 1000
MAX_PORTS: Final = 64
DEFAULT_PORTS: Final = (80, 443)

_NOBODY = (RuleKind.EXACT, "")  # stands in for a host that could not be read

_ALLOWED_HOST = Key(
    "host",
    host_pattern("allow"),
    _NOBODY,
    "Who may be reached. `*.example.com` means every name below, never `example.com` itself.",
    required=True,
)
_DENIED_HOST = Key(
    "host",
    host_pattern("deny"),
    _NOBODY,
    "Who is refused although another rule allows it.",
    required=True,
)
_PORTS = Key(
    "ports",
    ListOf(port(), MAX_PORTS, least=1),
    DEFAULT_PORTS,
    "TCP ports.",
    shown="[80, 443]",
)
_INSPECT = Key(
    "inspect",
    flag(),
    default=False,
    meaning="Open TLS to this host: Host header and upstream certificate are judged too.",
    shown="false",
)
_ECH = Key(
    "ech",
    choice("deny", "allow"),
    "deny",
    "Whether a ClientHello may carry Encrypted Client Hello, which hides the real name.",
    shown="deny",
)


def _build_allow(fields: Fields) -> Rule:
    kind, value = fields.read(_ALLOWED_HOST)
    inspect = fields.read(_INSPECT)
    if inspect and kind is RuleKind.NETWORK:
        fields.wrong(
            _INSPECT, f"cannot inspect {value}: a certificate needs a name", "name the host"
        )
    ports = tuple(sorted(set(fields.read(_PORTS))))
    ech_allowed = fields.read(_ECH) == "allow"
    return Rule(kind, value, ports, inspect, ech_allowed, fields.place_of(_ALLOWED_HOST))


def _build_deny(fields: Fields) -> Rule:
    kind, value = fields.read(_DENIED_HOST)
    ports = tuple(sorted(set(fields.read(_PORTS))))
    return Rule(kind, value, ports, place=fields.place_of(_DENIED_HOST))


ALLOW_RULE: Final = Section((_ALLOWED_HOST, _PORTS, _INSPECT, _ECH), _build_allow, "allow rule")
DENY_RULE: Final = Section((_DENIED_HOST, _PORTS), _build_deny, "deny rule")

_DEFAULT = Key(
    "default",
    choice("deny"),
    "deny",
    "What happens to everything no rule names. `deny` is the only value.",
    shown="deny",
)
_ALLOW = Key("allow", ListOf(ALLOW_RULE, MAX_RULES), (), "What may be reached.", shown="[]")
_DENY = Key(
    "deny",
    ListOf(DENY_RULE, MAX_RULES),
    (),
    "Exceptions: exact names and addresses win over wildcards, and deny over allow among equals.",
    shown="[]",
)
_PRESETS = Key(
    "presets",
    ListOf(choice(*PRESETS), len(PRESETS)),
    (),
    "Hosts that tools are installed from, by name: `cleanroom policy explain` spells them out.",
    shown="[]",
)


def _build_network(fields: Fields) -> NetworkPolicy:
    fields.read(_DEFAULT)
    allow, deny = fields.read(_ALLOW), fields.read(_DENY)
    allow += preset_rules(fields.read(_PRESETS), fields.place_of(_PRESETS))
    if len(allow) + len(deny) > MAX_RULES:
        fields.wrong(_ALLOW, f"cannot use more than {MAX_RULES} rules, allow and deny together")
    return NetworkPolicy(allow, deny)


NETWORK: Final = Key(
    "network",
    Section((_DEFAULT, _ALLOW, _DENY, _PRESETS), _build_network),
    NetworkPolicy(),
    "What commands may reach. Missing or empty: nothing.",
)
