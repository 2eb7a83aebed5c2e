"""Hostile programs against the limits of a sandbox: promises I13 and I14.

Each limit bites, says so in the record, and a later command in the same sandbox works. As root
control groups limit memory, processes and processor time; without them a policy that asks for
memory or processor time is refused, by name.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom.backends import cgroups
from tests.escape.control import (
    Json,
    Served,
    document,
    groups_named,
    pid_of,
    resident_kib,
    somebody,
    until,
)
from tests.people import Running, descendants

pytestmark = [pytest.mark.escape, pytest.mark.slow]

GIB = 1 << 30
LEVEL_KIB = 24 * 1024  # how much a process may grow while a GiB passes it
GROUPS = cgroups.find() is not None

EAT = """
import sys
held = []
for _ in range(40):
    held.append(b"x" * (16 << 20))
print("ate everything")
"""
BURN = """
import time
began, used = time.monotonic(), time.process_time()
while time.monotonic() - began < 1.5:
    pass
print((time.process_time() - used) / (time.monotonic() - began))
"""
FORK = """
import os, time
made = 0
try:
    while made < 5000:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        made += 1
except OSError as error:
    print(made, error.strerror)
"""
FILES = """
import os
held = []
try:
    while True:
        held.append(os.open("/dev/null", os.O_RDONLY))
except OSError as error:
    print(len(held), error.strerror)
"""


@pytest.fixture(scope="module")
def served(programs: Path) -> Iterator[Served]:
    assert programs.is_dir()
    with somebody() as made:
        yield made


class Limited:
    """A sandbox of a policy with resources; commands in it."""

    def __init__(self, served: Served, resources: str) -> None:
        self.api = served.api
        lines = "".join(f"    {each}\n" for each in resources.split("; ") if each)
        section = f"  resources:\n{lines}" if lines else "  network:\n    default: deny\n"
        policy = {"path": "cleanroom.yaml", "text": f"version: 1\nsandbox:\n{section}"}
        body = {"workspace": self.api.workspace, "policy": policy}
        self.status, self.record = self.api.ask("POST", "/v1/sandboxes", body)

    def run(self, *command: str) -> tuple[Json, str]:
        """Run a command to its end; return its record and what it said."""
        status, made = self.api.start(self.record["id"], *command)
        assert status == 201, made
        ended = self.api.ended(made)
        place = f"/v1/sandboxes/{self.record['id']}/executions/{made['id']}/output"
        _, said = self.api.ask("GET", place)
        lines = said.splitlines() if isinstance(said, bytes) else []
        text = [line for line in map(document, lines) if line.get("type") == "output"]
        return ended, "".join(line["text"] for line in text)

    def still_works(self) -> bool:
        """Whether a later command does what it should."""
        ended, said = self.run("echo still here")
        return bool(ended["exit_code"] == 0 and said == "still here\n")

    def ended(self) -> Json:
        """Return its record once it has ended by itself."""
        place = f"/v1/sandboxes/{self.record['id']}"
        until(
            lambda: self.api.ask("GET", place)[1]["state"] in ("failed", "stopped"), 10, "it ends"
        )
        return self.api.ask("GET", place)[1]

    def stop(self) -> None:
        """End it."""
        assert self.api.ask("POST", f"/v1/sandboxes/{self.record['id']}/stop")[0] == 200


def python(program: str) -> tuple[str, ...]:
    """A Python program as a command."""
    return ("/usr/bin/python3", "-ISc", program)


def refused(sandbox: Limited, what: str) -> None:
    """Assert that a host without control groups refuses to start, and names the reason."""
    assert sandbox.status in (400, 403, 422, 501, 503), sandbox.record
    assert sandbox.record["code"] == "backend_capability_mismatch"
    assert what in sandbox.record["detail"]
    assert f"sandbox.resources.{what.removeprefix('limit_')}" in sandbox.record["detail"]


def test_root_has_control_groups_here() -> None:
    """The machine's own truth, from outside cleanroom: who may make a group may use it."""
    folders = [Path("/sys/fs/cgroup", name) for name in ("memory", "")]
    assert any(os.access(each / "cgroup.procs", os.W_OK) for each in folders) is GROUPS


def test_memory_is_limited_and_a_later_command_works(served: Served) -> None:
    sandbox = Limited(served, "memory: 160MiB")
    if not GROUPS:
        refused(sandbox, "limit_memory")
        return
    assert sandbox.record["limits"]["memory"].startswith("cgroup")
    ended, said = sandbox.run(*python(EAT))
    assert (ended["exit_code"], ended["signal"]) == (137, 9), said
    assert sandbox.still_works()
    sandbox.stop()
    assert groups_named(sandbox.record["id"]) == []


def test_a_file_in_memory_counts_as_memory(served: Served) -> None:
    """No folder in memory is a way around the limit."""
    if not GROUPS:
        refused(Limited(served, "memory: 160MiB"), "limit_memory")
        return
    sandbox = Limited(served, "memory: 160MiB")
    ended, said = sandbox.run(
        "for d in /dev/shm /tmp $HOME; do dd if=/dev/zero of=$d/big bs=1M count=8000 2>&1; done;"
        " rm -f /dev/shm/big /tmp/big $HOME/big; df -m --output=size /dev/shm /tmp $HOME | tail -3"
    )
    assert "denied" in said or "No space left" in said or ended["signal"] == 9, said
    assert sandbox.still_works()
    sandbox.stop()


@pytest.mark.parametrize(
    ("resources", "most"),
    [("pids: 40", 40), pytest.param("", 4096, marks=pytest.mark.nightly)],
)
def test_processes_are_limited_and_a_later_command_works(
    served: Served, resources: str, most: int
) -> None:
    """With and without the policy asking: there is always a limit."""
    sandbox = Limited(served, resources)
    ended, said = sandbox.run(*python(FORK))
    made = int(said.split()[0])
    assert most * 0.5 <= made <= most, said
    assert "temporarily unavailable" in said
    assert ended["exit_code"] == 0
    until(sandbox.still_works, 10, "a later command works")
    sandbox.stop()
    assert not [1 for words in descendants(served.daemon).values() if "time.sleep(60)" in words]


def test_processor_time_is_limited(served: Served) -> None:
    sandbox = Limited(served, "cpus: 0.25")
    if not GROUPS:
        refused(sandbox, "limit_cpu")
        return
    _, said = sandbox.run(*python(BURN))
    assert 0.05 < float(said) < 0.40
    sandbox.stop()
    free = Limited(served, "")
    _, said = free.run(*python(BURN))
    assert float(said) > 0.10  # the control runs beside whatever else this machine does
    free.stop()


def test_open_files_are_limited_and_a_later_command_works(served: Served) -> None:
    sandbox = Limited(served, "open_files: 100")
    ended, said = sandbox.run(*python(FILES))
    assert ended["exit_code"] == 0
    count, _, why = said.partition(" ")
    assert 90 <= int(count) < 100
    assert why == "Too many open files\n"
    assert sandbox.still_works()
    sandbox.stop()


@pytest.mark.parametrize(
    "program",
    [
        "for i in $(seq 40); do dd if=/dev/zero of=part$i bs=1M count=10; done",
        "mkdir d; cd d; seq 8000 | split -l 1 -a 5",
    ],
)
def test_a_sandbox_that_writes_too_much_is_ended_for_that_reason(
    served: Served, program: str
) -> None:
    """Many parts, many tiny files."""
    sandbox = Limited(served, "disk: 16MiB")
    ended, _ = sandbox.run(f"{program} 2>&1; sleep 20")
    assert ended["state"] == "failed"
    assert ended["failure"]["code"] == "resource_limit"
    assert "sandbox.resources.disk" in ended["failure"]["hint"]
    assert sandbox.ended()["failure"]["code"] == "resource_limit"
    assert served.api.ask("GET", "/v1/health")[0] == 200


def test_no_file_and_no_folder_in_memory_passes_the_disk_limit(served: Served) -> None:
    """The write fails; the sandbox goes on."""
    sandbox = Limited(served, "disk: 64MiB")
    ended, _ = sandbox.run("dd if=/dev/zero of=big bs=1M count=400; said=$?; rm big; exit $said")
    assert ended["exit_code"] == 128 + signal.SIGXFSZ
    fill = "i=0; while dd if=/dev/zero of=p$i bs=1M count=9; do i=$((i+1)); done"
    for folder in ("/tmp", "/dev/shm", "$HOME"):  # noqa: S108 -- the sandbox's own
        ended, said = sandbox.run(f"cd {folder}; ({fill}) 2>/dev/null; du -smx .; rm -f p*")
        assert ended["exit_code"] == 0
        assert 40 < int(said.split()[0]) <= 65, said
    assert sandbox.still_works()
    sandbox.stop()


def test_output_is_limited_and_a_later_command_works(served: Served) -> None:
    sandbox = Limited(served, "output: 1MiB")
    ended, _ = sandbox.run("yes")
    assert ended["state"] == "failed"
    assert ended["failure"]["code"] == "resource_limit"
    assert sandbox.still_works()
    sandbox.stop()


@pytest.mark.parametrize(
    "program",
    ["yes", "cat /dev/zero", "head -c 100 /dev/urandom; while :; do printf '\\377\\376'; done"],
)
def test_a_flood_that_nobody_reads_costs_no_memory(served: Served, program: str) -> None:
    """I14: lines, no line end at all, invalid UTF-8; the newest part is kept."""
    sandbox = Limited(served, "")
    before = resident_kib(served.daemon)
    _, made = served.api.start(sandbox.record["id"], program, timeout_s=1.5)
    ended = served.api.ended(made)
    assert ended["state"] == "timed_out"
    assert resident_kib(served.daemon) - before < 3 * LEVEL_KIB
    assert sandbox.still_works()
    sandbox.stop()


@pytest.mark.timeout(120)
def test_a_gib_of_output_passes_with_level_memory(served: Served) -> None:
    """I14: through the command line, every byte, none of the three processes growing."""
    words = ["exec", "--", f"echo go; head -c {GIB} /dev/zero; echo end >&2"]
    client = Running(
        [sys.executable, "-m", "cleanroom", *words],
        cwd=served.person.work, env=served.person.environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    with client:
        assert client.stdout
        assert client.stderr
        assert client.stdout.read(3) == b"go\n"
        agent = pid_of(served.daemon, "/.cleanroom/agent 10")
        watched = (client.pid, served.daemon, agent)
        most = dict.fromkeys(watched, 0)
        count = 0
        first: dict[int, int] = {}
        while data := client.stdout.read(8 << 20):
            count += len(data)
            if count == GIB:
                continue
            now = {pid: resident_kib(pid) for pid in watched}
            first = first or now
            most = {pid: max(most[pid], now[pid]) for pid in watched}
        assert count == GIB
        assert b"end\n" in client.stderr.read()
        assert client.wait(timeout=10) == 0
    grown = {pid: most[pid] - first[pid] for pid in watched}
    assert all(each < LEVEL_KIB for each in grown.values()), grown
