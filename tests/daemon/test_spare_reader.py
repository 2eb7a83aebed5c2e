"""One reader of lock files waits for its texts, and never without a daemon."""

import asyncio
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cleanroom.backends.process import Child, Launch, start
from cleanroom.daemon import lock_reader
from cleanroom.daemon.lock_reader import QUICK, Readers
from cleanroom.errors import Code, Fault
from cleanroom.lockfile.lines import Outcome
from cleanroom.lockfile.model import LockfileError, Reading
from tests.daemon.daemons import Setting, running

PATH = "requirements.txt"
TEXT = f"foo==1.0 --hash=sha256:{'a' * 64}\n"
REGISTRY = """version: 1
registries:
  pypi:
    enable: true
    allowed_hosts: [index.example]
    lockfile_enforcement: {enabled: true, lockfiles: [requirements.txt]}
"""
PATIENCE_S = 60.0


class Started:
    """The readers that were started, each with what becomes readable at its end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ends: dict[int, int] = {}

        def started(launch: Launch) -> Child:
            child = start(launch)
            if "cleanroom.lockfile_main" in launch.argv:
                self.ends[child.pid] = os.pidfd_open(child.pid)
            return child

        monkeypatch.setattr("cleanroom.backends.process.start", started)

    def living(self) -> list[int]:
        """Return those that have not ended."""
        return [pid for pid, end in self.ends.items() if not select.select([end], [], [], 0)[0]]

    def close(self) -> None:
        """Let go of them."""
        for end in self.ends.values():
            os.close(end)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[Started]:
    """Return the readers of a test; none of them outlives it."""
    seen = Started(monkeypatch)
    yield seen
    left = seen.living()
    seen.close()
    assert left == []


@asynccontextmanager
async def opened() -> AsyncIterator[Readers]:
    """Readers with a spare one."""
    readers = Readers()
    readers.open()
    readers.prepare()
    try:
        yield readers
    finally:
        await readers.close()


async def read(readers: Readers, text: str = TEXT) -> Outcome:
    """Return what a quick look at one text finds."""
    found = await readers.read_quickly({PATH: text})
    assert found is not None
    return found[PATH]


def test_texts_are_read_by_the_one_that_waits_and_by_no_second_one(started: Started) -> None:
    async def work() -> None:
        async with opened() as readers:
            [spare] = started.living()
            readers.prepare()
            assert started.living() == [spare]
            first = await read(readers)
            assert isinstance(first, Reading)
            assert [pin.name for pin in first.pins] == ["foo"]
            assert list(started.ends) == [spare]
            assert started.living() == []
            second = await read(readers, "--what")
            assert isinstance(second, LockfileError)
            assert len(started.ends) == 2

    asyncio.run(work())


def test_before_it_is_opened_none_waits(started: Started) -> None:
    Readers().prepare()
    assert started.ends == {}


def test_one_that_was_killed_is_replaced(started: Started) -> None:
    async def work() -> None:
        async with opened() as readers:
            [spare] = started.living()
            os.kill(spare, signal.SIGKILL)
            assert select.select([started.ends[spare]], [], [], PATIENCE_S)[0]
            assert isinstance(await read(readers), Reading)
            assert len(started.ends) == 2

    asyncio.run(work())


def test_one_that_nobody_needed_for_long_is_ended(started: Started) -> None:
    async def work() -> None:
        async with opened() as readers:
            await readers.tidy()
            assert len(started.living()) == 1
            await readers.tidy()
            assert started.living() == []
            assert isinstance(await read(readers), Reading)

    asyncio.run(work())


def test_one_that_cannot_be_started_is_no_matter_before_there_are_texts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nobody(*_: object) -> None:
        raise Fault(Code.RUNTIME_LAUNCH_FAILED, "cannot start it")

    async def work() -> None:
        async with opened() as readers:
            with pytest.raises(Fault, match="cannot start it"):
                await read(readers)

    monkeypatch.setattr("cleanroom.backends.process.start", nobody)
    asyncio.run(work())


def test_a_slow_text_is_given_up_by_it_as_by_any_other(
    monkeypatch: pytest.MonkeyPatch, started: Started
) -> None:
    monkeypatch.setattr(lock_reader, "QUICK", QUICK._replace(memory=256 << 20))

    async def work() -> None:
        async with opened() as readers:
            large = {"uv.lock": "a = [" + "[1]," * 2_000_000 + "]"}
            assert await readers.read_quickly(large) is None
            assert len(started.ends) == 1

    asyncio.run(work())


def confined(pid: int) -> dict[str, str]:
    """Return what the kernel says of a process once it has a filter."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        if status["Seccomp"] == "2":
            return status
        time.sleep(0.01)
    pytest.fail("it is not confined")


def test_it_has_given_up_its_rights_before_there_are_texts(started: Started) -> None:
    async def work() -> None:
        async with opened():
            [spare] = started.living()
            status = confined(spare)
            assert status["NoNewPrivs"] == "1"
            who = "1879048190" if os.geteuid() == 0 else str(os.geteuid())
            assert set(status["Uid"].split()) == {who}
            assert status["CapEff"] == "0" * 16

    asyncio.run(work())


KILLED = """
import os, signal
from cleanroom.backends import process
from cleanroom.daemon.lock_reader import Readers
from tests.daemon.test_spare_reader import confined
start = process.start
def started(launch):
    child = start(launch)
    confined(child.pid)
    print(child.pid, flush=True)
    return child
process.start = started
readers = Readers()
readers.open()
readers.prepare()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_it_ends_with_a_daemon_that_is_killed() -> None:
    command = [sys.executable, "-c", KILLED]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    daemon = subprocess.run(
        command, env=environment, capture_output=True, timeout=PATIENCE_S, check=False
    )
    assert daemon.returncode == -signal.SIGKILL, daemon.stderr
    try:
        spare = os.pidfd_open(int(daemon.stdout))
    except ProcessLookupError:
        return  # it has ended already
    try:
        assert select.select([spare], [], [], PATIENCE_S)[0]
    finally:
        os.close(spare)


def test_a_daemon_keeps_one_while_lock_files_are_in_use(short_path: Path, started: Started) -> None:
    async def work() -> None:
        async with running(Setting(short_path)) as daemon:
            body = {"policy": {"path": "cleanroom.yaml", "text": "version: 1\n"}}
            assert (await daemon.ask("POST", "/v1/policy/lockfiles", body))[0] == 200
            assert started.ends == {}
            body["policy"]["text"] = REGISTRY
            assert (await daemon.ask("POST", "/v1/policy/lockfiles", body))[0] == 200
            [first] = started.living()
            with_texts = {"policy": {**body["policy"], "lockfiles": {PATH: TEXT}}}
            assert (await daemon.ask("POST", "/v1/policy/validate", with_texts))[0] == 200
            [second] = started.living()
            assert first != second

    asyncio.run(work())
