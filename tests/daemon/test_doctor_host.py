"""What doctor sees of this very machine."""

import asyncio
import os
import stat
from pathlib import Path

from cleanroom.daemon.doctor_host import (
    firecracker_items,
    kvm,
    restricts_user_namespaces,
    sudo_without_password,
)


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


def test_a_device_that_is_not_there_or_not_ours_is_no_kvm(tmp_path: Path) -> None:
    assert kvm(tmp_path / "kvm").detail == f"there is no {tmp_path}/kvm"
    device = tmp_path / "device"
    device.touch()
    assert kvm(device).present
    device.chmod(stat.S_IRUSR if os.geteuid() else 0)
    assert kvm(device).present == (os.geteuid() == 0), "root opens what its mode forbids"


def test_sudo_is_tried_without_a_password(tmp_path: Path) -> None:
    sudo = tmp_path / "sudo"
    for script, present, detail in (
        ("exit 0", True, "works without a password"),
        ("exit 1", False, "asks for a password"),
        ("exec sleep 60", False, "ran longer than 2 s"),
    ):
        sudo.write_text(f"#!/bin/sh\n{script}\n")
        sudo.chmod(0o755)
        item = asyncio.run(sudo_without_password(1000, str(sudo)))
        assert item.present == present
        assert detail in item.detail


def test_root_needs_no_sudo_and_a_machine_may_have_none() -> None:
    assert asyncio.run(sudo_without_password(0, None)).present
    assert asyncio.run(sudo_without_password(1000, None)).detail == "there is no sudo"
