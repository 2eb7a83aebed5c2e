"""The command line as a process, against a whole daemon of fakes on a real socket."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest

from cleanroom.policy.demands import Capability
from tests.conftest import Home
from tests.daemon.daemons import DaemonThread, Setting
from tests.fakes import FakeBackend

Process: TypeAlias = subprocess.Popen[bytes]  # noqa: TID251 -- a test's own process


@dataclass(frozen=True)
class Done:
    """What a process left."""

    status: int
    out: str
    err: str


class Person:
    """Somebody in a repository, with a daemon of fakes at their service."""

    def __init__(self, home: Home, daemon: DaemonThread) -> None:
        self.folder = home.home / "repo"
        self.daemon = daemon
        self.setting = daemon.setting
        self.environment = {**home.environment, "CLEANROOM_HOST": daemon.url}
        (self.folder / ".git").mkdir(parents=True)

    @property
    def program(self) -> list[str]:
        """How the command line is started."""
        return [sys.executable, "-m", "cleanroom"]

    def start(self, *words: str, stdin: int = subprocess.PIPE) -> Process:
        """Start it and go on; its streams are pipes."""
        return Process(
            [*self.program, *words],
            cwd=self.folder,
            env=self.environment,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def types(self, *words: str, stdin: bytes = b"") -> Done:
        """Run it to its end."""
        with self.start(*words) as process:
            out, err = process.communicate(stdin, timeout=25)
        return Done(process.returncode, out.decode(), err.decode())

    def policy(self, *hosts: str) -> Path:
        """Write a policy that allows these hosts on 443."""
        rules = "".join(f"      - host: {host}\n        ports: [443]\n" for host in hosts)
        path = self.folder / "cleanroom.yaml"
        path.write_text(
            "version: 1\n# ours\nsandbox:\n  network:\n    default: deny\n    allow:\n" + rules
        )
        return path


@pytest.fixture
def person(home: Home, short_path: Path) -> Iterator[Person]:
    """Somebody with a daemon of fakes."""
    folder = short_path / "daemon"
    folder.mkdir(mode=0o700)
    with DaemonThread(Setting(folder)) as daemon:
        yield Person(home, daemon)


@pytest.fixture
def equipped(home: Home, short_path: Path) -> Iterator[Person]:
    """Somebody whose daemon enforces all that a policy can say."""
    folder = short_path / "daemon"
    folder.mkdir(mode=0o700)
    with DaemonThread(Setting(folder, FakeBackend(proven=frozenset(Capability)))) as daemon:
        yield Person(home, daemon)


def press(process: Process, number: int = signal.SIGINT) -> None:
    """Send a signal to the client."""
    os.kill(process.pid, number)
