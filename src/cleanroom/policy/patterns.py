"""Names of repositories and branches as policies write them: one, all below another, or every one.

In: patterns, names. Out: whether one covers the other. Never: a `*` within a name.
"""

from collections.abc import Iterable
from typing import Final

EVERY: Final = "*"
_BELOW: Final = "/*"


def covers(pattern: str, other: str) -> bool:
    """Tell whether a pattern covers a name, or all that another pattern does."""
    if pattern.endswith(_BELOW):
        begin = pattern[:-1]
        return other.startswith(begin) and len(other) > len(begin)
    return pattern in (EVERY, other)


def covered(patterns: Iterable[str], other: str) -> bool:
    """Tell whether any of them covers it."""
    return any(covers(pattern, other) for pattern in patterns)


def meet(one: str, other: str) -> bool:
    """Tell whether a name can be covered by both."""
    return covers(one, other) or covers(other, one)


def reduced(patterns: Iterable[str]) -> tuple[str, ...]:
    """Return them in order, without those that others cover."""
    found = sorted(set(patterns))
    return tuple(
        each for each in found if not any(other != each and covers(other, each) for other in found)
    )
