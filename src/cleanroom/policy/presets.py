"""Names for the hosts that a kind of tool is installed from: opt-in, and nothing but hosts.

In: nothing. Out: tables. Never: a preset that applies without being written in a policy, a registry
(those follow `registries`), or a port but 443.

A preset is spelled out before anything is judged: what it holds is in the policy's hash, so that a
later table that reaches more has to be approved like any wider policy.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from cleanroom.policy.model import Place, Rule, RuleKind

PORT: Final = 443
_VERSIONS: Final = "mise-versions.jdx.dev"  # lists of versions, for all tools
_RELEASES: Final = ("objects.githubusercontent.com", "release-assets.githubusercontent.com")
PRESETS: Final[Mapping[str, tuple[str, ...]]] = {
    "mise:node": (_VERSIONS, "nodejs.org"),
    "mise:python": (_VERSIONS, "github.com", *_RELEASES),
    "mise:go": (_VERSIONS, "dl.google.com", "github.com"),
    "mise:rust": (_VERSIONS, "api.github.com", "sh.rustup.rs", "static.rust-lang.org"),
    # Tools of aqua, github and ubi: what their releases are downloaded from.
    "mise:github": (
        *(_VERSIONS, "api.github.com", "github.com", "raw.githubusercontent.com"),
        *_RELEASES,
    ),
}


def preset_rules(names: Iterable[str], place: Place) -> tuple[Rule, ...]:
    """Return the rules of these presets, placed where the policy names them."""
    return tuple(
        Rule(
            RuleKind.EXACT,
            host,
            (PORT,),
            place=Place(place.line, place.column, name),
        )
        for name in names
        for host in PRESETS[name]
    )


def presets_with(host: str) -> tuple[str, ...]:
    """Return the presets that hold this host and few others with it: the narrowest first."""
    found = [name for name, hosts in PRESETS.items() if host in hosts and host != _VERSIONS]
    return tuple(sorted(found, key=lambda name: len(PRESETS[name])))
