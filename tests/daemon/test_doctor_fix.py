"""Repairs: planned as data, carried out one by one."""

import asyncio
from pathlib import Path

from cleanroom.daemon.doctor_fix import Machine, carry_out, plan, profiled_programs, run_as_root

LAUNCHER = "/opt/cleanroom/bin/cleanroom-launch"
HEALTHY = Machine(bubblewrap="/usr/bin/bwrap", launcher=LAUNCHER, restricted=False)
UBUNTU = Machine(bubblewrap="/usr/bin/bwrap", launcher=LAUNCHER, restricted=True)


def test_a_healthy_machine_needs_nothing() -> None:
    assert plan(HEALTHY) == ()


def test_missing_bubblewrap_is_installed_as_a_package() -> None:
    [step] = plan(Machine(bubblewrap="", launcher=LAUNCHER, restricted=False))
    assert step.argv == ("apt-get", "install", "-y", "--no-install-recommends", "bubblewrap")
    assert step.file is None
    assert step.repair.command.startswith("sudo /")
    assert " doctor --fix " in step.repair.command


def test_the_restriction_gets_a_profile_for_exactly_our_two_programs(tmp_path: Path) -> None:
    launch, bwrap = plan(UBUNTU, tmp_path)
    assert launch.file == tmp_path / "cleanroom-launch"
    assert launch.argv == ("apparmor_parser", "-r", str(launch.file))
    assert f'profile cleanroom-launch "{LAUNCHER}" flags=(unconfined) {{' in launch.content
    assert 'profile cleanroom-bwrap "/usr/bin/bwrap" flags=(unconfined) {' in bwrap.content
    for step in (launch, bwrap):
        assert "sysctl" not in step.content
        assert step.content.count("userns") == 1


def test_a_program_that_has_a_profile_does_not_get_a_second_one(tmp_path: Path) -> None:
    (tmp_path / "bwrap-userns-restrict").write_text(
        "abi <abi/4.0>,\nprofile bwrap /usr/bin/bwrap flags=(attach_disconnected) {\n}\n"
    )
    (tmp_path / "old").write_text("/usr/sbin/old {\n}\n")
    (tmp_path / "local").mkdir()
    profiled = profiled_programs(tmp_path)
    assert profiled == {"/usr/bin/bwrap", "/usr/sbin/old"}
    [step] = plan(Machine("/usr/bin/bwrap", LAUNCHER, restricted=True, profiled=profiled), tmp_path)
    assert step.title.startswith(f"let {LAUNCHER} make user namespaces")


def test_every_step_is_tried_and_a_failure_is_told(tmp_path: Path) -> None:
    tried: list[tuple[str, ...]] = []

    async def run(argv: tuple[str, ...]) -> str:
        tried.append(argv)
        return "the kernel has no AppArmor" if argv[-1].endswith("launch") else ""

    launch, bwrap = asyncio.run(carry_out(plan(UBUNTU, tmp_path), run))
    assert [argv[0] for argv in tried] == ["apparmor_parser", "apparmor_parser"]
    assert (launch.done, launch.failure) == (False, "the kernel has no AppArmor")
    assert (bwrap.done, bwrap.failure) == (True, "")
    assert (tmp_path / "cleanroom-bwrap").read_text().startswith("# Written by `cleanroom doctor")


def test_a_profile_that_cannot_be_written_is_not_loaded(tmp_path: Path) -> None:
    async def run(argv: tuple[str, ...]) -> str:
        raise AssertionError(argv)

    outcomes = asyncio.run(carry_out(plan(UBUNTU, tmp_path / "missing"), run))
    assert all("cannot write" in outcome.failure for outcome in outcomes)


def test_a_command_of_the_system_reports_its_last_complaint() -> None:
    assert asyncio.run(run_as_root(("true",))) == ""
    assert "no-such-folder" in asyncio.run(run_as_root(("ls", "/no-such-folder")))
    assert asyncio.run(run_as_root(("false",))) == "status 1"
    assert asyncio.run(run_as_root(("no-such-program",))) == (
        "there is no no-such-program on this machine"
    )
