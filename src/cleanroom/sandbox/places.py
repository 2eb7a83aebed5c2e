"""Where inside a sandbox something of the person's may appear.

A volume may be the whole home: its own is empty, and in memory.
In: what a sandbox sees already, more of it. Out: a plan with both, or UserError. Never: anything
over or around what cleanroom itself put there, or two things at one place.
"""

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from cleanroom.errors import Code, UserError
from cleanroom.sandbox.host import HOME, WORKSPACE
from cleanroom.sandbox.spec import Mount, Overlay, SandboxSpec

# Beside what the plan itself holds.
_OWN: Final = (
    "/proc", "/dev", "/sys", "/etc", "/run", "/.cleanroom", "/opt/cleanroom", WORKSPACE
)  # fmt: skip
_OPEN: Final = ("/tmp", HOME)  # noqa: S108 -- the sandbox's own, in which there is room
_HINT: Final = "name a place of its own: /data, /mnt/NAME, /home/cleanroom/NAME"


def add_places(spec: SandboxSpec, wanted: Sequence[Overlay]) -> SandboxSpec:
    """Return `spec` with each of `wanted` as well. Raises UserError for a place it cannot have."""
    mounts = spec.mounts
    for overlay in wanted:
        for target in overlay.targets:
            _judge(target, mounts, home=overlay.upper is not None)
        mounts = (*mounts, overlay)
    return replace(spec, mounts=mounts)


def _judge(target: str, mounts: Sequence[Mount], *, home: bool) -> None:
    plain = target.isprintable() and target.startswith("/") and not target.startswith("//")
    if not plain or posixpath.normpath(target) != target:
        message = f"cannot mount anything at '{target}': it is no plain absolute path"
        raise UserError(Code.REQUEST_INVALID, message, _HINT)
    for place in (*_OWN, *_taken(mounts)):
        covers = (place == target and not (home and place == HOME)) or place.startswith(
            f"{target.rstrip('/')}/"
        )
        if covers or (place not in _OPEN and target.startswith(f"{place}/")):
            message = f"cannot mount anything at {target}: the sandbox has {place} there"
            raise UserError(Code.REQUEST_INVALID, message, _HINT)


def _taken(mounts: Sequence[Mount]) -> Iterator[str]:
    for mount in mounts:
        if isinstance(mount, Overlay):
            yield from mount.targets
        else:
            yield mount.target
