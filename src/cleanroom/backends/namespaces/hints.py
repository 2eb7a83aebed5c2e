"""From a step that failed to a sentence and its repair.

In: launch errors, probes. Out: errors of errors.py. Never: I/O but one look whether AppArmor
restricts user namespaces, which decides between two repairs.
"""

import errno
from pathlib import Path
from typing import Final

from cleanroom.backends.base import Probe
from cleanroom.backends.launcher import LaunchError
from cleanroom.errors import CleanroomError, Code, Fault, Refused
from cleanroom.policy.demands import Capability

DOCTOR: Final = "run: cleanroom doctor"
INSTALL: Final = "run: sudo apt-get install bubblewrap (or: sudo cleanroom doctor --fix)"
APPARMOR: Final = "run: sudo cleanroom doctor --fix (it installs a profile for exactly our program)"
SYSCTL: Final = "run: sudo sysctl user.max_user_namespaces=15000"
# A container's own file system cannot be layered once more: hence the state in memory.
CONTAINER: Final = (
    "in a container, start it with: docker run --security-opt seccomp=unconfined "
    "--security-opt apparmor=unconfined --security-opt systempaths=unconfined "
    "--tmpfs /state:mode=1777 -e XDG_STATE_HOME=/state"
)
ROOT_CONTAINER: Final = f"{CONTAINER} --cap-add SYS_ADMIN --cap-add NET_ADMIN"
TPROXY: Final = "run: sudo modprobe -a nf_tables nft_tproxy (the kernel needs CONFIG_NFT_TPROXY)"
LIMIT: Final = "no control group may be used here: run as root, or delegate one (cgroup v2)"
GROUPED: Final = (Capability.LIMIT_MEMORY, Capability.LIMIT_CPU)

_RESTRICTED: Final = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
# Steps that say what the host cannot do, whatever is asked of it.
_UNAVAILABLE: Final = frozenset({"userns", "netns", "nft_tproxy", "mountns", "door", "exec"})


class NotReady(Refused):
    """This host cannot run sandboxes; `step` names what failed, as in Probe.missing."""

    def __init__(self, step: str, message: str, hint: str) -> None:
        super().__init__(Code.BACKEND_UNAVAILABLE, message, hint)
        self.step = step


def explain(
    error: LaunchError, *, rootless: bool, restricted: Path = _RESTRICTED
) -> CleanroomError:
    """Return the error to raise for a launch that failed."""
    message = f"cannot start the sandbox ({error.step}): {error.text or 'it ended'}"
    if error.step in _UNAVAILABLE:
        return NotReady(error.step, message, _repair(error, rootless, restricted))
    if error.step == "bubblewrap":
        namespaces = "uid map" in error.text or "namespace" in error.text
        if namespaces or "proc" in error.text:
            return NotReady(error.step, message, _userns_repair(rootless, restricted))
    if error.step in ("idmap", "overlay"):
        return NotReady(error.step, message, _MOUNT)
    return Fault(Code.RUNTIME_LAUNCH_FAILED, message, DOCTOR)


_MOUNT: Final = (
    "the workspace and the state folder must be on a file system that can be layered (ext4, xfs, "
    "btrfs, tmpfs); in a container, put both on a volume, or the state in memory: "
    "--tmpfs /state:mode=1777 -e XDG_STATE_HOME=/state"
)


def _repair(error: LaunchError, rootless: bool, restricted: Path) -> str:  # noqa: FBT001
    if error.step == "nft_tproxy":
        return TPROXY
    if error.step == "exec" and error.errno == errno.ENOENT:
        return INSTALL
    if error.errno in (errno.ENOSPC, errno.EUSERS):
        return SYSCTL
    return _userns_repair(rootless, restricted)


def _userns_repair(rootless: bool, restricted: Path) -> str:  # noqa: FBT001
    try:
        apparmor = restricted.read_text().strip() == "1"
    except OSError:
        apparmor = False
    if apparmor:
        return APPARMOR
    return CONTAINER if rootless else ROOT_CONTAINER


def refuse_unproven(needs: frozenset[Capability], probe: Probe) -> None:
    """Raise Refused if something is needed that the probe did not prove."""
    if not probe.ready:
        step, reason = next(iter(probe.missing.items()))
        message = f"cannot run sandboxes on this host: {reason}"
        raise NotReady(step, message, DOCTOR)
    lacking = sorted(needs - probe.capabilities)
    if lacking:
        reasons = [f"{each} ({probe.missing.get(each, 'not proven')})" for each in lacking]
        message = f"cannot enforce {', '.join(reasons)}"
        raise Refused(Code.BACKEND_CAPABILITY_MISMATCH, message, DOCTOR)
