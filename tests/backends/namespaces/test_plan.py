"""The plan of a sandbox: what is done, in which order, and what follows from who asks."""

import dataclasses

import pytest

from cleanroom.backends.launcher import Step
from cleanroom.backends.namespaces.plan import Ids, Place, Plan, make_plan, make_refresh
from cleanroom.policy.demands import Limits
from cleanroom.sandbox.spec import Bind, File, Mount, Overlay, SandboxSpec, Symlink, Tmpfs

WORKSPACE = Overlay(
    ("/workspace", "/home/ann/project"),
    ("/state/mask", "/home/ann/project"),
    "/state/run/upper",
    "/state/run/work",
    1001,
    1002,
    follows=True,
)
ROOT = Place("/usr/bin/bwrap", "/lib/agent", rootless=False, host=Ids(0x70000001, 0x70000001))
ANN = Place("/usr/bin/bwrap", "/lib/agent", rootless=True, host=Ids(1001, 1002))


UNLIMITED = Limits()


def spec(*mounts: Mount, limits: Limits = UNLIMITED) -> SandboxSpec:
    return SandboxSpec("sbx_1", "cleanroom", mounts, (), "/workspace", limits, frozenset())


def steps(plan: Plan, op: str) -> list[tuple[str, ...]]:
    return [step.arguments for step in plan.steps if step.op == op]


def bubblewrap(plan: Plan) -> str:
    return " ".join(plan.steps[-1].arguments)


def test_the_plan_of_a_root_daemon() -> None:
    place = dataclasses.replace(ROOT, owners={"/state/mask": Ids(0, 0)}, cgroups=("/c/a", "/c/b"))
    plan = make_plan(spec(WORKSPACE), place)
    assert plan.steps[:-1] == (
        Step("cgroup", ("/c/a", "/c/b")),
        Step("netns"),
        Step("door"),
        Step("mountns"),
        Step("take", ("l0.0", "/state/mask", "")),
        Step("take", ("l0.1", "/home/ann/project", "")),
        Step("take", ("u0", "/state/run", "")),
        Step("take", ("agent", "/lib/agent", "lp")),
        Step("idmap", ("l0.0", "0", "1879048193", "0", "1879048193")),
        Step("idmap", ("l0.1", "1001", "1879048193", "1002", "1879048193")),
        Step("stage"),
        Step("dir", ("/workspace",)),
        Step("dir", ("/home/ann/project",)),
        Step("place", ("agent", "/.cleanroom/agent")),
        Step("dir", ("/proc",)),
        Step("dir", ("/dev",)),
        Step(
            "overlay",
            (
                "o0",
                "lowerdir=/run/cleanroom/l0.0:/run/cleanroom/l0.1,"
                "upperdir=/run/cleanroom/u0/upper,workdir=/run/cleanroom/u0/work,"
                "redirect_dir=off,metacopy=off,index=off",
            ),
        ),
        Step("rlimit", ("core", "0")),
        Step("drop", ("1879048193", "1879048193")),
        Step("wait"),
    )


def test_the_plan_of_an_ordinary_user() -> None:
    plan = make_plan(spec(WORKSPACE), ANN)
    ops = [step.op for step in plan.steps]
    assert ops[:3] == ["userns", "netns", "door"]
    assert plan.steps[0].arguments == ("1001", "1002")
    assert "idmap" not in ops
    assert steps(plan, "drop") == [("0", "0")]
    assert steps(plan, "take")[0] == ("l0.0", "/state/mask", "r")
    (overlay,) = steps(plan, "overlay")
    assert overlay[1].endswith(",userxattr,metacopy=off,index=off")


def test_rights_are_dropped_after_the_mounts_and_before_the_wait() -> None:
    for place in (ROOT, ANN):
        ops = [step.op for step in make_plan(spec(WORKSPACE), place).steps]
        assert ops.index("overlay") < ops.index("drop") < ops.index("wait") < ops.index("exec")


def test_bubblewrap_is_told_everything_it_must_do() -> None:
    place = dataclasses.replace(ROOT, agent_limits=(("nofile", 64), ("fsize", 5)))
    argv = make_plan(spec(), place).steps[-1].arguments
    assert argv == (
        "/usr/bin/bwrap",
        "--unshare-user",
        "--unshare-pid",
        "--unshare-ipc",
        "--unshare-uts",
        "--unshare-cgroup-try",
        "--disable-userns",
        "--as-pid-1",
        "--die-with-parent",
        "--new-session",
        *("--cap-drop", "ALL", "--clearenv", "--seccomp", "9", "--info-fd", "11"),
        *("--uid", "1000", "--gid", "1000", "--hostname", "cleanroom"),
        *("--ro-bind", "/run/cleanroom/root", "/"),
        *("--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys", "--dev", "/dev"),
        *("--perms", "1777", "--size", "536870912", "--tmpfs", "/dev/shm"),  # noqa: S108
        *("--remount-ro", "/dev", "--chdir", "/", "--"),
        *("/.cleanroom/agent", "10", "--nofile", "64", "--fsize", "5"),
    )


@pytest.mark.parametrize(
    ("mount", "words"),
    [
        (Bind("/data", "/d", writable=True), "--bind /run/cleanroom/b0 /d"),
        (Tmpfs("/run", 1024, 0o700), "--perms 0700 --size 1024 --tmpfs /run"),
        (Overlay(("/t", "/u"), ("/tools",)), "--ro-bind /run/cleanroom/o0 /t --ro-bind"),
        (WORKSPACE, "--bind /run/cleanroom/o0 /workspace --bind /run/cleanroom/o0 /home/ann"),
    ],
)
def test_bubblewrap_mounts_what_is_writable_or_made_anew(mount: Mount, words: str) -> None:
    plan = make_plan(spec(mount), ANN)
    assert f" {words}" in bubblewrap(plan)
    assert plan.steps[plan.steps.index(Step("stage")) + 1].op == "dir"  # to mount it on


@pytest.mark.parametrize(
    ("mount", "step"),
    [
        (Bind("/usr", "/usr"), Step("place", ("b0", "/usr"))),
        (Bind("/etc/x", "/etc/y", still=True), Step("copy", ("/etc/x", "/etc/y"))),
        (Symlink("usr/bin", "/bin"), Step("link", ("usr/bin", "/bin"))),
        (File(b"x", "/etc/x", 0o444), Step("file", ("2", "/etc/x", "0444"))),
    ],
)
def test_the_launcher_makes_the_read_only_root(mount: Mount, step: Step) -> None:
    plan = make_plan(spec(mount), ANN)
    assert step in plan.steps
    assert bubblewrap(plan) == bubblewrap(make_plan(spec(), ANN))


def test_only_what_is_placed_in_the_root_is_marked_so() -> None:
    plan = make_plan(spec(Bind("/usr", "/usr"), Bind("/d", "/d", writable=True)), ANN)
    assert steps(plan, "take")[:2] == [("b0", "/usr", "rlp"), ("b1", "/d", "rl")]


@pytest.mark.parametrize(
    ("mount", "words"),
    [
        (Bind("/data", "/home/d"), "--tmpfs /home --ro-bind /run/cleanroom/b1 /home/d"),
        (Bind("/data", "/home/d", still=True), "--tmpfs /home --ro-bind /run/cleanroom/b1 /home/d"),
        (Bind("/data", "/home/d", writable=True), "--tmpfs /home --bind /run/cleanroom/b1 /home/d"),
        (Symlink("x", "/home/link"), "--tmpfs /home --symlink x /home/link"),
        (File(b"x", "/home/x"), "--tmpfs /home --perms 0644 --ro-bind-data 12 /home/x"),
        (Tmpfs("/home/t", 9), "--tmpfs /home --perms 0755 --size 9 --tmpfs /home/t"),
    ],
)
def test_what_lies_in_an_earlier_mount_comes_after_it(mount: Mount, words: str) -> None:
    """And never into the root: a file for a placed tree would be written into the host's."""
    plan = make_plan(spec(Tmpfs("/home", 1024), mount), ANN)
    assert words in bubblewrap(plan)
    assert not [
        step
        for step in plan.steps
        if step.op in ("dir", "link", "file", "place") and "/home/" in " ".join(step.arguments)
    ]


def test_files_are_passed_in_order() -> None:
    plan = make_plan(spec(File(b"one", "/1"), Tmpfs("/t", 1), File(b"two", "/t/2")), ANN)
    assert plan.files == (b"one", b"two")
    assert steps(plan, "file") == [("2", "/1", "0644")]
    assert "--ro-bind-data 13 /t/2" in bubblewrap(plan)


def test_a_read_only_overlay_has_an_empty_layer_above() -> None:
    (overlay,) = steps(make_plan(spec(Overlay(("/t",), ("/tools",))), ANN), "overlay")
    assert overlay[1].startswith("lowerdir=/run/cleanroom/empty:/run/cleanroom/l0.0,userxattr")


def test_what_the_sandboxs_user_owns_already_is_not_mapped() -> None:
    owner = dataclasses.replace(ROOT, host=Ids(1001, 1002))
    assert steps(make_plan(spec(WORKSPACE), owner), "idmap") == []


def test_folders_in_memory_leave_room_under_a_memory_limit() -> None:
    mounts = (Tmpfs("/tmp", 1 << 30), Tmpfs("/home", 100))  # noqa: S108
    words = bubblewrap(make_plan(spec(*mounts, limits=Limits(memory_bytes=4_000_000)), ANN))
    assert "--size 1000000 --tmpfs /tmp" in words
    assert "--size 100 --tmpfs /home" in words
    assert "--size 1000000 --tmpfs /dev/shm" in words


def test_folders_in_memory_are_no_way_around_a_disk_limit() -> None:
    mounts = (Tmpfs("/tmp", 1 << 30), Tmpfs("/home", 100))  # noqa: S108
    words = bubblewrap(make_plan(spec(*mounts, limits=Limits(disk_bytes=2_000_000)), ANN))
    assert "--size 2000000 --tmpfs /tmp" in words
    assert "--size 100 --tmpfs /home" in words
    assert "--size 2000000 --tmpfs /dev/shm" in words
    both = Limits(disk_bytes=2_000_000, memory_bytes=4_000_000)
    assert "--size 1000000 --tmpfs /tmp" in bubblewrap(make_plan(spec(*mounts, limits=both), ANN))


def test_a_refresh_takes_the_old_views_away_before_it_makes_the_new() -> None:
    refresh = make_refresh(spec(Bind("/usr", "/usr"), WORKSPACE), ANN)
    assert [step.op for step in refresh] == [
        *("enter", "mountns", "take", "take", "take", "stage", "detach", "overlay"),
        *("attach", "attach", "done"),
    ]
    assert Step("detach", ("/workspace", "/home/ann/project")) in refresh
    assert Step("attach", ("o1", "/home/ann/project")) in refresh
    assert make_refresh(spec(WORKSPACE), ROOT)[0].op == "mountns"


def test_without_an_overlay_that_follows_there_is_nothing_to_refresh() -> None:
    assert make_refresh(spec(Overlay(("/t",), ("/tools",))), ANN) == ()


def test_a_read_only_overlay_that_follows_the_host_is_refreshed_too() -> None:
    follows = Overlay(("/data",), ("/state/mask", "/data"), follows=True)
    volume = Overlay(("/v",), ("/empty",), "/v/upper", "/v/work")
    refresh = make_refresh(spec(follows, volume, Overlay(("/t",), ("/tools",))), ANN)
    assert Step("detach", ("/data",)) in refresh
    assert [step.arguments[1] for step in refresh if step.op == "attach"] == ["/data"]
