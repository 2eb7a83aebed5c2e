from cleanroom.backends.limits import DEFAULT_DISK_BYTES, enforceable, plan_limits
from cleanroom.policy.demands import Capability, Limits

ASKED = Limits(memory_bytes=1 << 30, pids=50, cpus=1.5, disk_bytes=1 << 20, open_files=99)


def test_control_groups_limit_what_was_asked_of_them() -> None:
    plan = plan_limits(ASKED, "cgroup v2", 1024)
    assert plan.needs_groups
    assert plan.grouped == Limits(memory_bytes=1 << 30, pids=50, cpus=1.5)
    assert plan.agent == (("nofile", 99), ("fsize", (1 << 20) - (1 << 14)))
    assert dict(plan.limited) == {
        "memory": "cgroup v2, 1073741824 bytes",
        "pids": "cgroup v2, 50",
        "cpu": "cgroup v2, 1.5",
        "disk": "counting, 1048576 bytes",
        "open_files": "rlimit 99 a process",
    }


def test_without_groups_only_what_is_enforced_is_claimed() -> None:
    plan = plan_limits(ASKED, "", 1024)
    assert not plan.needs_groups
    assert dict(plan.agent)["nproc"] == 50
    assert set(dict(plan.limited)) == {"disk", "open_files", "pids"}


def test_no_group_is_made_for_defaults() -> None:
    plan = plan_limits(Limits(), "cgroup v1", 20000)
    assert not plan.needs_groups
    assert dict(plan.agent) == {
        "nofile": 20000,
        "fsize": DEFAULT_DISK_BYTES - DEFAULT_DISK_BYTES // 64,
        "nproc": 4096,
    }


def test_pids_alone_need_no_memory_limit() -> None:
    plan = plan_limits(Limits(pids=9), "cgroup v1", 99)
    assert plan.grouped == Limits(pids=9)
    assert set(dict(plan.limited)) == {"disk", "open_files", "pids"}


def test_memory_and_cpu_are_capabilities_of_groups_only() -> None:
    grouped = {Capability.LIMIT_MEMORY, Capability.LIMIT_CPU}
    assert enforceable(groups=True) - enforceable(groups=False) == grouped
