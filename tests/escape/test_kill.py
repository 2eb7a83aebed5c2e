"""kill -9 of daemon, gateway, agent and client under a running command: nothing stays or opens."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Home
from tests.people import Person, Running, descendants

POINTS_S = (0.0, 0.03, 0.09)  # before, while and after the sandbox starts
ORPHANS_GONE_S = 10.0
READY_S = 5.0
WORK = "echo started; exec sleep 60"

pytestmark = [pytest.mark.escape, pytest.mark.slow, pytest.mark.timeout(120)]


def named(pid: int, program: str) -> list[int]:
    """Return the processes below one that run a program (a path's end) or a module (`-m NAME`)."""
    return [
        child
        for child, words in descendants(pid).items()
        if words.split(" ")[0].endswith(program) or f"-m {program} " in words
    ]


def until(holds: Callable[[], bool], limit_s: float) -> float:
    """Call until true; return how long it took. Fails after `limit_s`."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < limit_s, "it never came true"
        os.sched_yield()
    return time.monotonic() - began


def mounts() -> int:
    """Return how many mounts this namespace has."""
    return len(Path("/proc/self/mountinfo").read_text().splitlines())


def start_work(person: Person, point_s: float) -> "Running[str]":
    """Start a long command and wait for a point of its way."""
    client = person.starts("exec", "--", WORK)
    time.sleep(point_s)  # a random point, not a synchronisation
    return client


def end(client: "Running[str]") -> None:
    """Read what a client still says, and reap it."""
    with client:
        client.kill()


def alive(pids: set[int]) -> set[int]:
    """Return those of some processes that still run."""
    return {pid for pid in pids if _runs(pid)}


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.parametrize("point_s", POINTS_S)
def test_a_killed_daemon_is_back_and_leaves_no_orphan(
    home: Home, programs: Path, point_s: float
) -> None:
    assert programs.is_dir()
    person = Person(home)
    before = mounts()
    daemon = person.serve()
    client = start_work(person, point_s)
    family = set(descendants(daemon.pid))
    daemon.kill()
    daemon.wait()
    end(client)

    began = time.monotonic()
    with person.serving():
        assert time.monotonic() - began < READY_S
        until(lambda: not alive(family), ORPHANS_GONE_S)
        assert mounts() == before
        assert person.types("exec", "--", "echo well").stdout == "well\n"
        assert person.types("audit", "verify").returncode == 0
        runs = person.types("status", "--json").stdout
        assert '"exit_code": 0' in runs
    assert not list((person.state / "cleanroom" / "sandboxes").glob("*/merged"))


@pytest.mark.parametrize("point_s", POINTS_S[1:])
@pytest.mark.parametrize("victim", ["cleanroom.gateway_main", "bwrap", "/.cleanroom/agent"])
def test_a_killed_part_ends_its_run_and_the_next_one_works(
    home: Home, programs: Path, victim: str, point_s: float
) -> None:
    assert programs.is_dir()
    person = Person(home)
    with person.serving() as daemon:
        client = start_work(person, point_s)
        assert client.stdout
        if victim != "cleanroom.gateway_main":
            assert client.stdout.readline() == "started\n"
        until(lambda: bool(named(daemon.pid, victim)), 5.0)
        for pid in named(daemon.pid, victim):
            os.kill(pid, signal.SIGKILL)
        if victim == "cleanroom.gateway_main":
            client.send_signal(signal.SIGINT)
        assert client.wait(timeout=10) not in (0, None)
        client.stdout.close()
        until(lambda: not named(daemon.pid, "sleep"), ORPHANS_GONE_S)
        assert person.types("exec", "--", "echo well").stdout == "well\n"
        assert person.types("audit", "verify").returncode == 0


@pytest.mark.parametrize("point_s", POINTS_S)
def test_a_killed_client_ends_its_command(home: Home, programs: Path, point_s: float) -> None:
    assert programs.is_dir()
    person = Person(home)
    # A client that dies between its request and its attachment is waited for this long.
    person.environment["CLEANROOM_DAEMON_ATTACH_WAIT"] = "2s"
    with person.serving() as daemon:
        assert person.types("exec", "--", "true").returncode == 0
        client = start_work(person, point_s)
        end(client)
        until(lambda: not named(daemon.pid, "bwrap"), ORPHANS_GONE_S)
        assert person.types("exec", "--", "echo well").stdout == "well\n"


def test_a_run_that_was_cut_is_remembered_as_unknown(home: Home, programs: Path) -> None:
    assert programs.is_dir()
    person = Person(home)
    daemon = person.serve()
    client = person.starts("exec", "--", WORK)
    assert client.stdout
    assert client.stdout.readline() == "started\n"
    run_id = person.last_run()["id"]
    daemon.kill()
    daemon.wait()
    end(client)
    with person.serving():
        told = person.types("status", "--run-id", run_id, "--json").stdout
        assert "outcome_unknown" in told
