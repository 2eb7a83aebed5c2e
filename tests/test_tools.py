"""The scripts that prepare a machine, run on a machine that lacks things."""

import inspect
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import conftest

ROOT = Path(__file__).resolve().parent.parent
NEEDED = ("sh", "dirname", "uname", "awk", "id", "sed", "git", "cc", "as", "ld", "python3", "echo")


def run_on(folder: Path, tool: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a tool where `folder` holds every program there is."""
    return subprocess.run(
        ["/bin/sh", str(ROOT / "tools" / tool), *arguments],
        check=False, capture_output=True, text=True,
        env={"PATH": str(folder), "HOME": str(folder)},
    )  # fmt: skip


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder of programs without bubblewrap, npm, curl and apt-get."""
    for name in NEEDED:
        program = shutil.which(name, path="/usr/bin:/bin")
        assert program, f"{name} is part of every machine that builds C"
        (tmp_path / name).symlink_to(program)
    return tmp_path


def install(machine: Path, name: str, text: str) -> None:
    """Add a program that only prints."""
    program = machine / name
    program.write_text(f"#!/bin/sh\necho '{text}'\n")
    program.chmod(0o755)


def test_everything_missing_is_named_at_once_with_one_line(machine: Path) -> None:
    done = run_on(machine, "check-system", "test")
    assert done.returncode == 1
    for reason in ("bubblewrap 0.8 or newer", "Node and npm", "curl"):
        assert reason in done.stderr
    assert (
        done.stderr.rstrip()
        .splitlines()[-1]
        .endswith("(your package manager) install bubblewrap nodejs npm curl")
    )


@pytest.mark.parametrize(("version", "good"), [("0.7.0", False), ("0.8.0", True), ("1.0", True)])
def test_bubblewrap_is_judged_by_its_version(*, machine: Path, version: str, good: bool) -> None:
    install(machine, "bwrap", f"bubblewrap {version}")
    done = run_on(machine, "check-system")
    assert (done.returncode == 0) == good, done.stderr


def test_a_machine_that_has_it_all_is_told_nothing(machine: Path) -> None:
    install(machine, "bwrap", "bubblewrap 0.12.0")
    done = run_on(machine, "check-system")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_python_is_new_enough_and_whole(machine: Path) -> None:
    done = run_on(machine, "find-python")
    assert done.returncode == 0
    path = Path(done.stdout.strip())
    assert path.is_absolute()
    assert os.access(path, os.X_OK)
    old = machine / "python-old"
    install(machine, old.name, "I am not a Python")
    (machine / "python3").unlink()
    (machine / "python3").symlink_to(old)
    chosen = run_on(machine, "find-python").stdout.strip()
    assert chosen != str(machine / "python3")


def test_not_linux_is_one_sentence(machine: Path) -> None:
    (machine / "uname").unlink()
    install(machine, "uname", "Darwin")
    done = run_on(machine, "check-system")
    assert done.returncode == 1
    assert "Linux only" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.fixture
def failed_run(tmp_path: Path) -> Path:
    """A checkout whose last run failed in one test; its Python says how that test ends now."""
    for folder in ("tools", ".venv/bin", ".pytest_cache/v/cache", ".pytest_cache/v/cleanroom"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(ROOT / "tools" / "try-again", tmp_path / "tools")
    leave(tmp_path, failed=1, status=1)
    stand_in(tmp_path, "exit 0")
    return tmp_path


def leave(checkout: Path, failed: int, status: int) -> None:
    """Write what pytest leaves of a run."""
    cache = checkout / ".pytest_cache" / "v"
    names = {f"tests/test_a.py::test_{number}": True for number in range(failed)}
    (cache / "cache" / "lastfailed").write_text(json.dumps(names))
    (cache / "cleanroom" / "exitstatus").write_text(str(status))


def stand_in(checkout: Path, ending: str) -> None:
    """Let the checkout's Python count its calls and end so."""
    python = checkout / ".venv" / "bin" / "python"
    python.write_text(f"#!/bin/sh\necho call >>{checkout}/calls\n{ending}\n")
    python.chmod(0o755)


def try_again(checkout: Path) -> "subprocess.CompletedProcess[str]":
    """Run the judgement there."""
    command = ["/usr/bin/python3", str(checkout / "tools" / "try-again")]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_a_test_that_failed_once_must_pass_five_times_and_is_named(failed_run: Path) -> None:
    done = try_again(failed_run)
    assert (done.returncode, (failed_run / "calls").read_text().count("call")) == (0, 5)
    assert "UNSTABLE tests/test_a.py::test_0:" in done.stdout


def test_a_test_that_fails_again_stays_failed(failed_run: Path) -> None:
    stand_in(failed_run, f'[ "$(wc -l <{failed_run}/calls)" -lt 5 ]')
    done = try_again(failed_run)
    assert (done.returncode, "UNSTABLE" in done.stdout) == (1, False)


@pytest.mark.parametrize(("failed", "status"), [(5, 1), (0, 1), (1, 2), (1, 3), (1, 0)])
def test_no_second_look_at_many_failures_or_half_a_run(
    *, failed_run: Path, failed: int, status: int
) -> None:
    leave(failed_run, failed, status)
    done = try_again(failed_run)
    assert (done.returncode, (failed_run / "calls").exists()) == (1, False)


@pytest.mark.parametrize(("holds", "status"), [("LEFT.exists()", 0), ("False", 1)])
def test_the_second_look_runs_the_real_tests(*, failed_run: Path, holds: str, status: int) -> None:
    """With pytest itself and what this project's conftest.py leaves for the judgement."""
    (failed_run / "tests").mkdir()
    hook = inspect.getsource(conftest.pytest_sessionfinish)
    (failed_run / "conftest.py").write_text(f"import pytest\n\n{hook}")
    (failed_run / "tests" / "test_a.py").write_text(
        "from pathlib import Path\nLEFT = Path(__file__).with_suffix('.ran')\n\n"
        f"def test_0():\n    holds = {holds}\n    LEFT.touch()\n    assert holds\n"
    )
    stand_in(failed_run, f'exec {sys.executable} "$@"')
    command = [str(failed_run / ".venv/bin/python"), "-m", "pytest", "-q", "-p", "no:randomly"]
    assert subprocess.run(command, check=False, cwd=failed_run).returncode == 1
    done = try_again(failed_run)
    assert (done.returncode, "UNSTABLE" in done.stdout) == (status, status == 0), done.stdout
