"""Where the chance of fuzz tests comes from: by day the same, at night another one each time.

In: CLEANROOM_NIGHTLY, CLEANROOM_SEED. Out: whether this is the night, a seed, which the head of the
report names. Never: cases that cannot be had again.
"""

import os
import secrets
from random import Random
from typing import Final

NIGHTLY: Final = bool(os.environ.get("CLEANROOM_NIGHTLY"))  # `make nightly` sets it
_DAY: Final = 20261127
SEED: Final = int(
    os.environ.get("CLEANROOM_SEED") or (secrets.randbelow(1 << 31) if NIGHTLY else _DAY)
)


def chance(part: int = 0) -> Random:
    """Return the chance of one part of a test."""
    return Random(SEED + part)  # noqa: S311 -- cases of a test
