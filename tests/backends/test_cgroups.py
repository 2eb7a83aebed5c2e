"""Control groups, on trees of plain files that look like cgroupfs, and for real where allowed."""

import os
import subprocess
from pathlib import Path

import pytest

from cleanroom.backends import cgroups
from cleanroom.backends.cgroups import Hierarchy
from cleanroom.policy.demands import Limits

ALL = Limits(memory_bytes=(64 << 20) + 5, pids=20, cpus=0.5)


def proc(folder: Path, cgroup: str, mounts: str) -> Path:
    """A /proc/self that says where this process is."""
    place = folder / "proc"
    place.mkdir()
    (place / "cgroup").write_text(cgroup)
    (place / "mountinfo").write_text(mounts)
    return place


def version2(folder: Path, own: Path, enabled: str = "") -> Path:
    """A version 2 hierarchy at folder/fs, with this process in `own`."""
    group = folder / "fs" / own
    group.mkdir(parents=True)
    (group / "cgroup.controllers").write_text("cpu io memory pids\n")
    (group / "cgroup.subtree_control").write_text(enabled)
    (group / "cgroup.procs").write_text("11\n12\n")
    mounts = f"30 20 0:26 / {folder}/fs rw,nosuid - cgroup2 cgroup2 rw\n"
    return proc(folder, f"0::/{own}\n", mounts)


def test_a_delegated_group_is_used_where_its_children_may_be_limited(tmp_path: Path) -> None:
    place = version2(tmp_path, Path("user/app"), "cpu memory pids")
    found = cgroups.find(place)
    assert found is not None
    assert found.how == "cgroup v2"
    assert set(found.folders.values()) == {tmp_path / "fs/user/app"}


def test_the_daemon_moves_into_a_leaf_where_they_may_not_yet(tmp_path: Path) -> None:
    group = tmp_path / "fs/user/app"
    place = version2(tmp_path, Path("user/app"))
    (group / "cgroup.type").write_text("domain\n")
    (group / "cleanroom-daemon").mkdir()
    (group / "cleanroom-daemon" / "cgroup.procs").write_text("")
    assert cgroups.find(place) is not None
    assert (group / "cgroup.subtree_control").read_text() == "+memory +pids +cpu"
    assert (group / "cleanroom-daemon" / "cgroup.procs").read_text() == "12"  # each in turn


def test_version_2_limits_are_written_in_its_words(tmp_path: Path) -> None:
    version2(tmp_path, Path("app"))
    folder = tmp_path / "fs/app"
    swap = folder / "cleanroom-one" / "memory.swap.max"
    swap.parent.mkdir()
    swap.write_text("max")
    hierarchy = Hierarchy(2, dict.fromkeys(("memory", "pids", "cpu"), folder))
    assert cgroups.create(hierarchy, "one", ALL) == (str(folder / "cleanroom-one"),)
    made = {file.name: file.read_text() for file in (folder / "cleanroom-one").iterdir()}
    assert made == {
        "memory.max": str(64 << 20),
        "memory.swap.max": "0",
        "pids.max": "20",
        "cpu.max": "50000 100000",
    }


def test_version_1_limits_are_written_in_its_words(tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("memory", "pids", "cpu")}
    for folder in folders.values():
        folder.mkdir()
    joined = cgroups.create(Hierarchy(1, folders), "one", ALL)
    assert joined == tuple(str(folder / "cleanroom-one") for folder in folders.values())
    assert (folders["memory"] / "cleanroom-one/memory.limit_in_bytes").read_text() == str(64 << 20)
    assert (folders["pids"] / "cleanroom-one/pids.max").read_text() == "20"
    assert (folders["cpu"] / "cleanroom-one/cpu.cfs_quota_us").read_text() == "50000"


def test_nothing_is_limited_that_nobody_asked_for(tmp_path: Path) -> None:
    for version in (1, 2):
        hierarchy = Hierarchy(version, dict.fromkeys(("memory", "pids", "cpu"), tmp_path))
        cgroups.create(hierarchy, "none", Limits())
    assert list((tmp_path / "cleanroom-none").iterdir()) == []


def test_a_limit_that_the_kernel_did_not_take_is_an_error(tmp_path: Path) -> None:
    hierarchy = Hierarchy(2, dict.fromkeys(("memory", "pids", "cpu"), tmp_path))
    (tmp_path / "cleanroom-one").mkdir()
    (tmp_path / "cleanroom-one/pids.max").symlink_to("/dev/null")
    with pytest.raises(OSError, match="did not take 20"):
        cgroups.create(hierarchy, "one", ALL)


@pytest.mark.parametrize(
    ("cgroup", "mounts"),
    [
        ("", ""),
        ("0::/\n", ""),
        ("0::/\n", "30 20 0:26 / /nowhere rw - cgroup2 cgroup2 rw\n"),
        ("4:memory:/a\n", "31 20 0:27 / /nowhere rw - cgroup cgroup rw,memory\n"),
        (
            "4:memory,pids,cpu:/a\n",
            "31 20 0:27 /a /nowhere rw - cgroup cgroup rw,memory,pids,cpu\n",
        ),
    ],
)
def test_where_nothing_may_be_written_there_are_none(
    tmp_path: Path, cgroup: str, mounts: str
) -> None:
    assert cgroups.find(proc(tmp_path, cgroup, mounts)) is None


def test_without_a_proc_there_are_none(tmp_path: Path) -> None:
    assert cgroups.find(tmp_path / "absent") is None


def test_groups_are_killed_and_removed(tmp_path: Path) -> None:
    group = tmp_path / "cleanroom-one"
    group.mkdir()
    hierarchy = Hierarchy(2, {"pids": tmp_path})
    with subprocess.Popen(["/bin/sleep", "20"]) as victim:  # noqa: TID251 -- a stranger's process
        (group / "cgroup.procs").write_text(f"{victim.pid}\n999999999\n")
        assert cgroups.kill(hierarchy, "one") == 1
        assert victim.wait() == -9
    assert cgroups.remove(hierarchy, "one") is False  # plain files are in it, as processes would be
    (group / "cgroup.procs").unlink()
    assert cgroups.remove(hierarchy, "one") is True
    assert cgroups.remove(hierarchy, "one") is True
    assert cgroups.kill(hierarchy, "one") == 0


def test_probing_groups_of_the_dead_are_removed_and_those_of_the_living_stay(
    tmp_path: Path,
) -> None:
    place = version2(tmp_path, Path("app"), "cpu memory pids")
    for pid in (999999999, os.getppid()):
        (tmp_path / f"fs/app/cleanroom-probe-{pid}").mkdir()
    assert cgroups.find(place) is not None
    assert not (tmp_path / "fs/app/cleanroom-probe-999999999").exists()
    assert (tmp_path / f"fs/app/cleanroom-probe-{os.getppid()}").exists()


def test_what_this_machine_allows_is_found_by_trying() -> None:
    found = cgroups.find()
    if found is None:
        assert os.geteuid() != 0 or not os.access("/sys/fs/cgroup", os.W_OK)
        return
    assert found.version in (1, 2)
    assert not [
        f for f in found.folders.values() if (f / f"cleanroom-probe-{os.getpid()}").exists()
    ]
