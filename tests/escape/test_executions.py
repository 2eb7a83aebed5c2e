"""Detached commands in real sandboxes: nothing lost, nothing without a bound (I14, C12)."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.escape.control import Served, resident_kib, somebody, until

pytestmark = pytest.mark.escape

LEVEL_KIB = 48 * 1024
ON_DISK = 64 * 1024 * 1024  # limits.output_on_disk, its default


@pytest.fixture(scope="module")
def served(programs: Path) -> Iterator[Served]:
    """A daemon that the tests of this file share."""
    assert programs.is_dir()
    with somebody() as one:
        yield one


def detached(served: Served, *command: str) -> tuple[str, str]:
    """Start a command and leave; return its sandbox and execution."""
    done = served.person.types("exec", "-d", "--json", "--", *command)
    assert done.returncode == 0, done.stderr
    started = json.loads(done.stdout)
    return started["sandbox_id"], started["execution_id"]


def kept(served: Served, execution: str) -> int:
    """Return how many bytes of its output are on disk."""
    folder = served.person.state / "cleanroom" / "outputs" / execution
    return sum(entry.stat().st_size for entry in os.scandir(folder))


def test_a_detached_command_is_read_and_its_status_is_known(served: Served) -> None:
    ids = detached(served, "echo made > made.txt; echo out; echo err >&2; exit 9")
    followed = served.person.types("logs", "-f", *ids)
    assert (followed.stdout, followed.stderr) == ("out\n", "err\n")
    assert served.person.types("wait", *ids).returncode == 9
    shown = json.loads(served.person.types("executions", "get", *ids, "--json").stdout)
    assert (shown["stdout_bytes"], shown["stderr_bytes"]) == (4, 4)
    until(lambda: state(served, ids[0]) == "stopped", 30, "its sandbox ends with it")
    assert "made.txt" in served.person.types("diff", "--run-id", shown["run_id"]).stdout
    last = served.person.types("logs", *ids, "--tail", "1")
    assert last.stdout + last.stderr in ("out\n", "err\n")


def state(served: Served, sandbox: str) -> str:
    """Return what a sandbox's record says of its state."""
    return str(served.api.ask("GET", f"/v1/sandboxes/{sandbox}")[1]["state"])


@pytest.mark.parametrize("lines", [20_000, pytest.param(1_000_000, marks=pytest.mark.nightly)])
def test_short_lines_come_back_whole(served: Served, lines: int) -> None:
    ids = detached(served, f"seq {lines}")
    assert served.person.types("wait", *ids).returncode == 0
    shown = served.person.types("logs", *ids)
    assert shown.stdout == "".join(f"{number}\n" for number in range(1, lines + 1))
    tail = served.person.types("logs", *ids, "--tail", "3").stdout
    assert tail == f"{lines - 2}\n{lines - 1}\n{lines}\n"
    middle = served.person.types("logs", *ids, "--stdout-from", "100").stdout
    assert middle == shown.stdout[100:]


@pytest.mark.nightly
@pytest.mark.timeout(300)
def test_a_gib_that_nobody_follows_stays_within_its_bounds(served: Served) -> None:
    ids = detached(served, f"head -c {1 << 30} /dev/zero | tr '\\0' 'x'; echo; echo end")
    before = resident_kib(served.daemon)
    most = before
    while served.api.ask("GET", execution_path(*ids))[1]["state"] == "running":
        most = max(most, resident_kib(served.daemon))
    assert most - before < LEVEL_KIB
    assert ON_DISK * 3 // 4 < kept(served, ids[1]) <= ON_DISK
    shown = json.loads(served.person.types("executions", "get", *ids, "--json").stdout)
    assert shown["stdout_bytes"] == (1 << 30) + 5
    assert served.person.types("logs", *ids, "--tail", "1").stdout == "end\n"


def execution_path(sandbox: str, execution: str) -> str:
    """Return where the API shows an execution."""
    return f"/v1/sandboxes/{sandbox}/executions/{execution}"


def test_a_shell_is_left_and_found_again(served: Served) -> None:
    """It is on a terminal with nobody there, and waits for who attaches."""
    done = served.person.types("exec", "-d", "-it", "--", "sh", "-c", "read a; tty; exit $a")
    assert done.returncode == 0, done.stderr
    reader, writer = os.pipe()
    os.write(writer, b"5\n")
    os.close(writer)
    joined = served.person.types("attach", *done.stdout.split(), stdin=reader)
    os.close(reader)
    assert joined.returncode == 5
    assert joined.stdout.startswith("5\n/dev/pts/")  # the terminal's own echo
