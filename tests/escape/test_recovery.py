"""kill -9 at random points, seeded: promises C6, C7 and C10.

The test's own process adopts whatever a killed daemon leaves, so nothing can hide from its census:
a process that is neither dead nor below the new daemon is an orphan.
"""

import contextlib
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cleanroom.daemon.recent import MOST
from tests.conftest import Home
from tests.escape.control import (
    Api,
    Json,
    Orphans,
    groups_named,
    open_files,
    pid_of,
    resident_kib,
    until,
)
from tests.escape.egress_world import eventually
from tests.people import CLEANROOM, Person, Running, descendants, processes_of
from tests.seeds import NIGHTLY

pytestmark = [pytest.mark.escape, pytest.mark.slow, pytest.mark.timeout(1200 if NIGHTLY else 400)]

ROUNDS = 100 if NIGHTLY else 10
CHURN = 500 if NIGHTLY else 100
# Pools and caches fill first, and the daemon's memory of finished runs, which is bounded
# (recent.MOST) and would hide a slope.
WARM_UP = 3 * MOST
SEED = 20_251_125
READY_S = 5.0
ORPHANS_GONE_S = 10.0
LIMITED = "version: 1\nsandbox:\n  resources:\n    pids: 100\n"
VICTIMS = ("daemon", "gateway", "agent", "client")
WORK = "echo up; echo changed > file; (setsid sleep 600 &); sleep 600"


@pytest.fixture
def person(home: Home, programs: Path) -> Person:
    """Somebody whose sandboxes have control groups, where this user may have any."""
    assert programs.is_dir()
    someone = Person(home)
    someone.policy(LIMITED)
    return someone


@pytest.fixture
def orphans() -> Iterator[Orphans]:
    """Whatever outlives a daemon of this test becomes a child of this process."""
    adopted = Orphans()
    yield adopted
    adopted.end()


def start(person: Person) -> "Running[bytes]":
    """Start the daemon; it answers within the promised time."""
    began = time.monotonic()
    daemon = Running(
        [*CLEANROOM, "serve", "--listen", f"unix://{person.socket}"],
        env=person.environment, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    until(lambda: _answers(person), READY_S, "the daemon is ready again")
    assert time.monotonic() - began < READY_S
    return daemon


def _answers(person: Person) -> bool:
    try:
        return Api(person).ask("GET", "/v1/health")[0] == 200
    except OSError:
        return False


def kill(victim: str, daemon: "Running[bytes]", client: "Running[str]") -> None:
    """Send SIGKILL; a victim that does not exist at this point is not killed."""
    words = {"gateway": "gateway_main", "agent": "/.cleanroom/agent"}
    pids = {"daemon": [daemon.pid], "client": [client.pid]}.get(victim) or [
        pid for pid, said in descendants(daemon.pid).items() if words[victim] in said
    ]
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def everything(api: Api) -> tuple[list[Json], list[Json]]:
    """Return all sandboxes and all runs the daemon knows."""
    sandboxes = api.ask("GET", "/v1/sandboxes?all=true&limit=500")[1]["sandboxes"]
    return sandboxes, api.ask("GET", "/v1/runs?limit=500")[1]["runs"]


def mounts() -> list[str]:
    """Return the mounts of this namespace."""
    return Path("/proc/self/mountinfo").read_text().splitlines()


def test_nothing_survives_a_kill_at_a_random_point(person: Person, orphans: Orphans) -> None:
    """C6: daemon, gateway, agent and client in turn, each at a point of its own."""
    choose = random.Random(SEED)  # noqa: S311 -- a seed makes it the same again
    before = mounts()
    daemon = start(person)
    for number in range(ROUNDS):
        victim = VICTIMS[number % len(VICTIMS)]
        client = person.starts("exec", "--", WORK)
        if number // len(VICTIMS) % 2:  # each victim in turn while the command surely runs
            assert client.stdout is not None
            assert client.stdout.readline() == "up\n"
        time.sleep(choose.uniform(0.05, 0.6))  # the random point, not a synchronisation
        daemon = strike(person, victim, daemon, client)
        all_is_over(person, orphans, daemon, victim)
        assert mounts() == before
    codes = [(run["failure"] or {}).get("code") for run in everything(Api(person))[1]]
    assert "outcome_unknown" in codes, "no kill hit a running command: badly chosen points"
    assert person.types("exec", "--", "echo well").stdout == "well\n"
    known = {each["id"] for each in everything(Api(person))[0]}
    kept = {path.name for path in (person.state / "cleanroom" / "sandboxes").iterdir()}
    assert kept <= known, "a folder that nobody knows of"
    daemon.terminate()
    assert daemon.wait(timeout=20) == 0
    assert orphans.alive() == {}


def strike(
    person: Person, victim: str, daemon: "Running[bytes]", client: "Running[str]"
) -> "Running[bytes]":
    """Kill the victim, wait for what follows from it; return the daemon then in force."""
    kill(victim, daemon, client)
    if victim == "daemon":
        daemon.wait()
    with client:
        if victim == "gateway":  # a sandbox without network goes on until somebody ends it
            client.send_signal(signal.SIGTERM)
    return start(person) if victim == "daemon" else daemon


def all_is_over(person: Person, orphans: Orphans, daemon: "Running[bytes]", victim: str) -> None:
    """Assert that no part of any sandbox is left, and that every record says so."""
    until(lambda: not orphans.alive(daemon.pid), ORPHANS_GONE_S, f"no orphan: {victim}")
    until(lambda: _only_gateway(daemon.pid), ORPHANS_GONE_S, f"all ended: {victim}")
    until(lambda: not unfinished(person), ORPHANS_GONE_S, f"all recorded: {victim}")
    sandboxes, _ = everything(Api(person))
    assert groups_named(*(each["id"] for each in sandboxes)) == []
    assert person.types("audit", "verify").returncode == 0


def unfinished(person: Person) -> list[Json]:
    """Return the sandboxes and runs that have not ended, on paper."""
    sandboxes, runs = everything(Api(person))
    return [
        each
        for each in (*sandboxes, *runs)
        if each["state"] not in ("stopped", "failed", "succeeded", "canceled", "timed_out")
    ]


def _only_gateway(daemon: int) -> bool:
    return all("gateway_main" in words for words in descendants(daemon).values())


def test_a_kill_during_the_start_of_the_daemon_leaves_nothing(
    person: Person, orphans: Orphans
) -> None:
    """C6: while it probes, recovers or listens; its probes are sandboxes and groups too."""
    choose = random.Random(SEED)  # noqa: S311
    for _ in range(ROUNDS // 2):
        daemon = Running(
            [*CLEANROOM, "serve", "--listen", f"unix://{person.socket}"],
            env=person.environment, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        client = person.starts("exec", "--", "true")
        time.sleep(choose.uniform(0.1, 0.7))
        daemon.kill()
        daemon.wait()
        with client:
            client.kill()
        until(lambda: not orphans.alive(), ORPHANS_GONE_S, "no orphan")
    daemon = start(person)
    assert person.types("exec", "--", "echo well").stdout == "well\n"
    sandboxes, _ = everything(Api(person))
    known = {each["id"] for each in sandboxes}
    folder = person.state / "cleanroom" / "sandboxes"
    until(lambda: {path.name for path in folder.iterdir()} <= known, 5, "probes are removed")
    assert groups_named(*known) == []
    daemon.terminate()
    assert daemon.wait(timeout=20) == 0


def test_what_a_killed_probe_left_is_removed_by_the_next(person: Person) -> None:
    """C6: between two steps of a probe there is a folder that no record names."""
    left = person.state / "cleanroom" / "sandboxes" / "probe-left"
    (left / "work" / "work").mkdir(parents=True)
    (left / "work" / "work").chmod(0)
    with person.serving():
        assert person.types("exec", "--", "echo well").stdout == "well\n"
        assert not left.exists()


def run_once(api: Api, number: int) -> None:
    """One ephemeral run from request to result, detached."""
    policy = {"path": "cleanroom.yaml", "text": LIMITED}
    body = {
        "workspace": api.workspace, "policy": policy, "options": {"detach": True},
        "command": [f"echo {number} > f; (setsid sleep 600 >/dev/null 2>&1 &); exit {number % 7}"],
    }  # fmt: skip
    status, run = api.ask("POST", "/v1/runs", body)
    assert status == 201, run
    ended = api.ended({"sandbox_id": run["sandbox_id"], "id": run["execution_id"]})
    assert ended["exit_code"] == number % 7, ended


def threads_of(daemon: int) -> int:
    """Return how many threads the daemon has."""
    return len(os.listdir(f"/proc/{daemon}/task"))  # noqa: PTH208 -- a listing, not paths


def fill_pool(api: Api, daemon: int) -> None:
    """Run many at once until the daemon's pool of workers has grown to its bound.

    concurrent.futures adds a worker whenever none is idle, up to 4 + the processors: one that came
    late would look like a leak.
    """
    whole = 2 + (os.cpu_count() or 1) + 4  # with the loop's own, and the content cache's
    for _ in range(30):
        with ThreadPoolExecutor(12) as many:
            list(many.map(lambda number: run_once(api, number), range(12)))
        if threads_of(daemon) >= whole:
            return
    pytest.fail(f"{threads_of(daemon)} threads, {whole} awaited")


def census(daemon: int) -> dict[str, int]:
    """Count what must not grow."""
    gateway = Path(f"/proc/{pid_of(daemon, sys.executable)}/status").read_text()
    return {
        "daemon's descriptors": open_files(daemon),
        # nobody but root may list those of the gateway; the kernel tells how long its table is
        "gateway's descriptors": int(gateway.partition("FDSize:")[2].split()[0]),
        "threads": threads_of(daemon),
        "processes": len(descendants(daemon)),
        "mounts": len(mounts()),
    }


def test_many_sandboxes_in_a_row_leave_no_growth(person: Person, orphans: Orphans) -> None:
    """C10: 100 at each change, 500 at night."""
    daemon = start(person)
    api = Api(person)
    for number in range(WARM_UP):
        run_once(api, number)
    fill_pool(api, daemon.pid)
    until(lambda: _only_gateway(daemon.pid), 5, "all have ended")
    before, memory = census(daemon.pid), resident_kib(daemon.pid)
    for number in range(CHURN):
        run_once(api, number)
    until(lambda: _only_gateway(daemon.pid), 5, "all have ended")
    # A connection that was answered may still be closing.
    eventually(lambda: census(daemon.pid) == before, 30)
    assert census(daemon.pid) == before
    grown = resident_kib(daemon.pid) - memory
    # 10 KiB a sandbox, and a margin for the allocator's own steps
    assert grown <= 10 * CHURN + 4096, f"{grown} KiB more"
    sandboxes, _ = everything(api)
    assert groups_named(*(each["id"] for each in sandboxes)) == []
    assert orphans.alive(daemon.pid) == {}
    daemon.terminate()
    assert daemon.wait(timeout=20) == 0


def clipped(person: Person) -> None:
    with (person.state / "cleanroom" / "state.db").open("r+b") as file:
        file.truncate(1000)


def emptied(person: Person) -> None:
    (person.state / "cleanroom" / "state.db").write_bytes(b"")


def zeroed(person: Person) -> None:
    path = person.state / "cleanroom" / "state.db"
    path.write_bytes(bytes(path.stat().st_size))


def scrambled(person: Person) -> None:
    path = person.state / "cleanroom" / "state.db"
    data = bytearray(path.read_bytes())
    data[4096:] = bytes(len(data) - 4096)
    path.write_bytes(data)


def newer(person: Person) -> None:
    with contextlib.closing(sqlite3.connect(person.state / "cleanroom" / "state.db")) as store:
        store.execute("PRAGMA user_version = 9999")
        store.commit()


@pytest.mark.parametrize("damage", [clipped, emptied, zeroed, scrambled, newer])
def test_a_damaged_state_is_refused_with_one_sentence(
    person: Person, damage: Callable[[Person], None]
) -> None:
    """C7: nothing is invented, nothing is deleted, and there is no traceback."""
    with person.serving():
        assert person.types("exec", "--", "echo well").stdout == "well\n"
    damage(person)
    left = (person.state / "cleanroom" / "state.db").read_bytes()
    done = person.types("serve", "--listen", f"unix://{person.socket}")
    assert done.returncode == 125, done.stderr
    assert "state.db" in done.stderr
    assert "Traceback" not in done.stderr
    assert (person.state / "cleanroom" / "state.db").read_bytes() == left


@pytest.mark.parametrize("lost", ["state.db-wal", "state.db-shm"])
def test_a_lost_write_ahead_log_is_survived(person: Person, lost: str) -> None:
    """C7: what was written back is there; the rest is not invented."""
    daemon = start(person)
    assert person.types("exec", "--", "echo one").returncode == 0
    daemon.kill()
    daemon.wait()
    (person.state / "cleanroom" / lost).unlink(missing_ok=True)
    with person.serving():
        assert person.types("exec", "--", "echo well").stdout == "well\n"
        assert person.types("audit", "verify").returncode == 0


def test_a_full_disk_stops_new_work_before_it_starts(person: Person) -> None:
    """C7: no audit line, no command. For this daemon alone, writes fail as on a full disk."""
    proof = person.work / "ran"
    with person.serving() as daemon:
        assert person.types("exec", "--", "echo well").stdout == "well\n"
        limits = resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (1, limits[1]))
        done = person.types("exec", "--", f"touch {proof}; echo ran")
        assert done.returncode == 125, done.stderr
        assert "ran" not in done.stdout
        assert "cannot" in done.stderr
        assert "Traceback" not in done.stderr
        assert Api(person).ask("GET", "/v1/health")[0] == 200
        until(lambda: _only_gateway(daemon.pid), 5, "nothing runs")
        resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, limits)
        assert person.types("exec", "--", "echo again").stdout == "again\n"
        assert person.types("audit", "verify").returncode == 0


def test_a_daemon_without_its_audit_refuses_to_serve(person: Person) -> None:
    """C7: a folder that is a file cannot be written, by root neither."""
    audit = person.state / "cleanroom" / "audit"
    audit.parent.mkdir(mode=0o700)
    audit.write_text("in the way")
    done = person.types("serve", "--listen", f"unix://{person.socket}")
    assert done.returncode == 125
    assert "cannot open the audit log" in done.stderr
    assert not processes_of(person.socket)
