"""What becomes of a registry's page before a sandbox has it.

In: a Want, the time. Out: a function of the page's bytes, or None where it stays as it is. Never: a
page changed in the store; that keeps what was sent, and each policy has its own view of it.
"""

from collections.abc import Callable

from cleanroom.decide.git_refs import holding
from cleanroom.decide.mirror import renaming
from cleanroom.gateway.forms import refine_of
from cleanroom.gateway.source import Want


def refining(want: Want, now_s: float) -> Callable[[bytes], bytes] | None:
    """Return what hides versions that are too young, and gives a mirror's links public names.

    Of a git repository's branches it leaves what lock files pin.

    It raises UnreadableError.
    """
    if want.grant.manager == "git":
        return holding(want.grant)
    rename = renaming(want.mirrors, want.grant, want.host)
    hide = refine_of(want.grant, want.accept, now_s)
    if rename is None or hide is None:
        return rename or hide
    return lambda page: hide(rename(page))
