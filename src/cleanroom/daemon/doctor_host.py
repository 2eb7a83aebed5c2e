"""What this machine has that a runtime may need, looked up without changing anything.

In: the system folders, /proc/sys, /dev. Out: HostItems and the facts that repairs depend on.
Never: the caller's PATH, a password prompt, or more than two seconds.
"""

import os
from pathlib import Path

from cleanroom.backends.process import Launch, capture, find_program
from cleanroom.daemon.doctor_report import HostItem
from cleanroom.errors import Fault

USERNS_RESTRICTION = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")

# What Firecracker runs of the mission use: program -> the package that brings it.
_PROGRAMS = (("ip", "iproute2"), ("iptables", "iptables"), ("sysctl", "procps"), ("sudo", "sudo"))


async def firecracker_items() -> tuple[HostItem, ...]:
    """Return ip, iptables, sysctl, sudo, `sudo -n` and KVM, each present or how to get it."""
    programs = tuple(_program(name, package) for name, package in _PROGRAMS)
    sudo = await sudo_without_password(os.geteuid(), find_program("sudo"))
    return (*programs, sudo, kvm(Path("/dev/kvm")))


def restricts_user_namespaces(switch: Path = USERNS_RESTRICTION) -> bool:
    """Say whether AppArmor forbids user namespaces to programs without a profile (Ubuntu)."""
    try:
        return switch.read_text(encoding="ascii").strip() == "1"
    except OSError:
        return False  # a kernel without this switch restricts nothing


def _program(name: str, package: str) -> HostItem:
    path = find_program(name)
    detail = path or f"missing; it comes with the package {package}"
    return HostItem(name, path is not None, detail)


async def sudo_without_password(uid: int, sudo: str | None) -> HostItem:
    """Say whether `sudo -n` works for a user, without ever asking for a password."""
    if uid == 0:
        return HostItem("sudo -n", present=True, detail="not needed: this is root")
    if sudo is None:
        return HostItem("sudo -n", present=False, detail="there is no sudo")
    try:
        done = await capture(Launch((sudo, "-n", "true")), timeout_s=2.0)
    except Fault as fault:
        return HostItem("sudo -n", present=False, detail=fault.message)
    if done.status == 0:
        return HostItem("sudo -n", present=True, detail="works without a password")
    return HostItem("sudo -n", present=False, detail="asks for a password")


def kvm(device: Path) -> HostItem:
    """Say whether a virtual machine could use the processor's own virtualisation."""
    if not device.exists():
        return HostItem("KVM", present=False, detail=f"there is no {device}")
    if not os.access(device, os.R_OK | os.W_OK):
        return HostItem("KVM", present=False, detail=f"{device} may not be opened: join group kvm")
    return HostItem("KVM", present=True, detail=str(device))
