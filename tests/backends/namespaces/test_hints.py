import errno
from pathlib import Path

import pytest

from cleanroom.backends.base import Probe
from cleanroom.backends.launcher import LaunchError
from cleanroom.backends.namespaces import hints
from cleanroom.errors import CleanroomError, Code, Refused
from cleanroom.policy.demands import Capability

READY = Probe(
    ready=True,
    runtime="x",
    capabilities=frozenset({Capability.LIMIT_PIDS}),
    missing={"limit_memory": "no groups"},
)


def explained(
    tmp_path: Path, step: str, number: int = 0, text: str = "", *, rootless: bool = True
) -> CleanroomError:
    return hints.explain(
        LaunchError(step, text, number), rootless=rootless, restricted=tmp_path / "absent"
    )


@pytest.mark.parametrize(
    ("step", "number", "text", "hint"),
    [
        ("userns", errno.EPERM, "unshare", "docker run --security-opt seccomp=unconfined"),
        ("userns", errno.ENOSPC, "unshare", "user.max_user_namespaces"),
        ("userns", errno.EUSERS, "unshare", "user.max_user_namespaces"),
        ("nft_tproxy", errno.ENOENT, "refused", "modprobe -a nf_tables nft_tproxy"),
        ("exec", errno.ENOENT, "/usr/bin/bwrap", "apt-get install bubblewrap"),
        ("bubblewrap", 0, "setting up uid map: Permission denied", "systempaths=unconfined"),
        ("bubblewrap", 0, "Can't mount proc on /newroot/proc", "systempaths=unconfined"),
        ("idmap", errno.EINVAL, "mount_setattr", "on a volume"),
        ("overlay", errno.EINVAL, "lowerdir", "on a volume"),
    ],
)
def test_what_the_host_cannot_do_is_unavailable_with_its_repair(
    tmp_path: Path, step: str, number: int, text: str, hint: str
) -> None:
    error = explained(tmp_path, step, number, text)
    assert error.code is Code.BACKEND_UNAVAILABLE
    assert text in error.message
    assert hint in error.hint


def test_a_root_daemon_in_a_container_needs_capabilities_too(tmp_path: Path) -> None:
    error = explained(tmp_path, "netns", errno.EPERM, "unshare", rootless=False)
    assert "--cap-add SYS_ADMIN --cap-add NET_ADMIN" in error.hint


def test_where_apparmor_restricts_the_repair_is_a_profile(tmp_path: Path) -> None:
    restricted = tmp_path / "restricted"
    restricted.write_text("1\n")
    failure = LaunchError("userns", "unshare", errno.EACCES)
    assert "doctor --fix" in hints.explain(failure, rootless=True, restricted=restricted).hint
    restricted.write_text("0\n")
    assert "docker run" in hints.explain(failure, rootless=True, restricted=restricted).hint


@pytest.mark.parametrize(("step", "text"), [("mount", "/x: No such file"), ("bubblewrap", "odd")])
def test_anything_else_is_a_failed_launch(tmp_path: Path, step: str, text: str) -> None:
    error = explained(tmp_path, step, 2, text)
    assert error.code is Code.RUNTIME_LAUNCH_FAILED
    assert error.message == f"cannot start the sandbox ({step}): {text}"


def test_a_launcher_that_just_ended_says_so(tmp_path: Path) -> None:
    assert explained(tmp_path, "start").message.endswith(": it ended")


def test_what_is_proven_passes() -> None:
    hints.refuse_unproven(frozenset({Capability.LIMIT_PIDS}), READY)


def test_what_is_not_proven_is_named_with_its_reason() -> None:
    needs = frozenset({Capability.LIMIT_MEMORY, Capability.ISOLATION_VM, Capability.LIMIT_PIDS})
    with pytest.raises(Refused) as caught:
        hints.refuse_unproven(needs, READY)
    assert caught.value.message == (
        "cannot enforce isolation_vm (not proven), limit_memory (no groups)"
    )


def test_a_host_that_is_not_ready_is_unavailable() -> None:
    probe = Probe(ready=False, runtime="", capabilities=frozenset(), missing={"userns": "no; do x"})
    with pytest.raises(hints.NotReady, match="no; do x") as caught:
        hints.refuse_unproven(frozenset(), probe)
    assert caught.value.step == "userns"
    assert caught.value.code is Code.BACKEND_UNAVAILABLE
