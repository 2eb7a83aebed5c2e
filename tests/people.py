"""Somebody with an empty home, a repository, and a daemon that nobody else uses.

In: a Home. Out: Person: types command lines, starts, kills daemons. Never: the user's own daemon.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from tests.conftest import Home

CLEANROOM = (sys.executable, "-m", "cleanroom")
Running = subprocess.Popen  # noqa: TID251 -- tests may start the program they test


class Person:
    """One person; `daemon` is their daemon while `serving` holds."""

    def __init__(self, home: Home) -> None:
        self.work = home.home / "repository"
        self.work.mkdir()
        self.state = home.state
        self.socket = home.runtime / "cleanroom" / "cleanroom.sock"
        self.environment = home.environment | {
            "CLEANROOM_HOST": f"unix://{self.socket}",
            "CLEANROOM_APPROVALS": "notice",  # tests of approval itself say otherwise
        }
        git = shutil.which("git")
        assert git
        subprocess.run([git, "init", "-q", str(self.work)], check=True)

    def policy(self, text: str) -> None:
        """Write cleanroom.yaml."""
        (self.work / "cleanroom.yaml").write_text(text)

    def types(
        self, *arguments: str, stdin: int = subprocess.DEVNULL, within_s: float = 25
    ) -> "subprocess.CompletedProcess[str]":
        """Run one command line to its end."""
        return subprocess.run(
            [*CLEANROOM, *arguments],
            cwd=self.work, env=self.environment, stdin=stdin,
            capture_output=True, text=True, check=False, timeout=within_s,
        )  # fmt: skip

    def starts(self, *arguments: str) -> "Running[str]":
        """Start one command line; its output can be read line by line."""
        return Running(
            [*CLEANROOM, *arguments],
            cwd=self.work, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip

    def last_run(self) -> dict[str, Any]:
        """Return the newest run."""
        run: dict[str, Any] = json.loads(self.types("status", "--json").stdout)
        return run

    def serve(self, stderr: TextIO | None = None) -> "Running[bytes]":
        """Start the daemon in the foreground and wait until it answers, ten seconds at most."""
        daemon = Running(
            [*CLEANROOM, "serve", "--listen", f"unix://{self.socket}"],
            env=self.environment, stdin=subprocess.DEVNULL, stderr=stderr,
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while self.types("sandboxes", "list").returncode != 0:
            assert time.monotonic() < deadline, "the daemon does not answer"
            assert daemon.poll() is None, "the daemon ended"
        return daemon

    @contextmanager
    def serving(self, stderr: TextIO | None = None) -> Iterator["Running[bytes]"]:
        """Have a daemon for a while; it must end well."""
        daemon = self.serve(stderr)
        try:
            yield daemon
        finally:
            daemon.terminate()
            assert daemon.wait(timeout=20) == 0


def processes_of(folder: Path) -> set[int]:
    """Return the processes whose command line names a folder."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if str(folder).encode() in words:
                found.add(int(entry.name))
    return found


def descendants(pid: int) -> dict[int, str]:
    """Return all processes below one, with their command lines."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            except OSError:
                continue
            parents.setdefault(int(parent), []).append(int(entry.name))
    found: dict[int, str] = {}
    waiting = list(parents.get(pid, ()))
    while waiting:
        one = waiting.pop()
        try:
            words = Path(f"/proc/{one}/cmdline").read_bytes().replace(b"\0", b" ")
        except OSError:
            continue
        found[one] = words.decode("utf-8", "replace")
        waiting += parents.get(one, ())
    return found
