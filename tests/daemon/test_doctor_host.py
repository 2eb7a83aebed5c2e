"""What doctor sees of this very machine."""

import asyncio
import os
from pathlib import Path

from cleanroom.daemon.doctor_host import firecracker_items, restricts_user_namespaces


def test_the_items_of_firecracker_runs_are_listed_in_order() -> None:
    items = asyncio.run(firecracker_items())
    assert [item.name for item in items] == ["ip", "iptables", "sysctl", "sudo", "sudo -n", "KVM"]
    for item in items:
        assert item.detail


def test_a_program_is_named_by_its_path_or_by_its_package() -> None:
    for item in asyncio.run(firecracker_items())[:4]:
        if item.present:
            assert os.access(item.detail, os.X_OK)
        else:
            assert "it comes with the package" in item.detail


def test_kvm_is_what_the_device_says() -> None:
    kvm = asyncio.run(firecracker_items())[-1]
    assert kvm.present == os.access("/dev/kvm", os.R_OK | os.W_OK)


def test_the_restriction_is_read_from_its_switch(tmp_path: Path) -> None:
    switch = tmp_path / "switch"
    assert not restricts_user_namespaces(switch)
    switch.write_text("0\n")
    assert not restricts_user_namespaces(switch)
    switch.write_text("1\n")
    assert restricts_user_namespaces(switch)
