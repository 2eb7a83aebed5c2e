"""The control plane as somebody hostile sees it: raw requests, and a census of what is left.

In: a Person. Out: answers of the API; processes, groups, descriptors that exist. Never: a process
of anybody else in a census.
"""

import contextlib
import ctypes
import http.client
import json
import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from tests.conftest import new_home, remove_tree
from tests.people import Person, descendants

Json: TypeAlias = Any  # a document of the API, as json.loads gives it

PR_SET_CHILD_SUBREAPER = 36
NOTHING_ALLOWED = "version: 1\nsandbox:\n  network:\n    default: deny\n"


class Api:
    """Requests of a person to their daemon, each on a connection of its own."""

    def __init__(self, person: Person) -> None:
        self.socket = person.socket
        self.workspace = str(person.work)

    def connect(self) -> socket.socket:
        """Return a connected socket."""
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(20)
        try:
            connection.connect(str(self.socket))
        except OSError:
            connection.close()
            raise
        return connection

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Json]:
        """Send a request; return status and document."""
        raw = b"" if body is None else json.dumps(body).encode()
        return self.send(method, path, raw)

    def send(self, method: str, path: str, raw: bytes = b"") -> tuple[int, Json]:
        """Send a request with these bytes as its body; return status and document."""
        connection = http.client.HTTPConnection("daemon")
        connection.sock = self.connect()
        with contextlib.closing(connection):
            headers = {"Content-Type": "application/json"} if raw else {}
            connection.putrequest(method, path, skip_host=False)
            for name, value in {**headers, "Content-Length": str(len(raw))}.items():
                connection.putheader(name, value)
            with contextlib.suppress(BrokenPipeError):  # refused before it was read
                connection.endheaders(raw)
            answer = connection.getresponse()
            return answer.status, document(answer.read())

    def sandbox(self, **options: object) -> str:
        """Make a sandbox that allows nothing; return its id."""
        policy = {"path": "cleanroom.yaml", "text": NOTHING_ALLOWED}
        body = {"workspace": self.workspace, "policy": policy, "options": options}
        status, made = self.ask("POST", "/v1/sandboxes", body)
        assert status == 201, made
        return str(made["id"])

    def start(self, sandbox: str, *command: str, **options: object) -> tuple[int, Json]:
        """Ask for a command in a sandbox; return the answer."""
        body = {"command": command, "options": {"detach": True, **options}}
        return self.ask("POST", f"/v1/sandboxes/{sandbox}/executions", body)

    def ended(self, execution: Json) -> Json:
        """Wait for the end of an execution; return what is said of it then."""
        place = f"/v1/sandboxes/{execution['sandbox_id']}/executions/{execution['id']}"
        found: Json = {"state": "queued"}
        for _ in range(6):  # a busy machine starts slowly
            status, found = self.ask("GET", f"{place}?wait_s=18")
            assert status == 200, found
            if found["state"] not in {"queued", "running"}:
                break
        return found


def document(data: bytes) -> Json:
    """Return JSON as a document, anything else as it is."""
    try:
        return json.loads(data)
    except ValueError:
        return data


@dataclass(frozen=True)
class Served:
    """A person, their daemon's process, and its API."""

    person: Person
    daemon: int
    api: Api


@contextlib.contextmanager
def somebody() -> Iterator[Served]:
    """A person whose daemon a whole file of tests shares."""
    folder = Path(tempfile.mkdtemp(prefix="cr", dir="/tmp"))
    person = Person(new_home(folder))
    person.policy(NOTHING_ALLOWED)
    try:
        with person.serving() as daemon:
            yield Served(person, daemon.pid, Api(person))
    finally:
        remove_tree(folder)


def until(holds: Callable[[], object], limit_s: float, what: str) -> float:
    """Look until it holds; return how long that took. Fails after `limit_s`."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < limit_s, what
        time.sleep(0.01)  # between two looks at another process, whose end sends us nothing
    return time.monotonic() - began


class Orphans:
    """Whatever outlives its parent becomes a child of this process, until `end`."""

    def __init__(self) -> None:
        assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
        self._spared = {os.getpid(), *descendants(os.getpid())}

    def alive(self, *known: int) -> dict[int, str]:
        """Return the new processes below this one, but not below `known`; bury the dead ones."""
        spared = self._spared.union(known, *(descendants(pid) for pid in known))
        found = {}
        for pid, words in descendants(os.getpid()).items():
            if pid in spared:
                continue
            if state_of(pid) in "RSDTt":
                found[pid] = words
            else:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
        return found

    def _left(self) -> set[int]:
        self.alive()
        return set(descendants(os.getpid())) - self._spared

    def end(self) -> None:
        """Kill and bury all of them, adopt no more."""
        for pid in self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until(lambda: not self._left(), 10, "all are buried")
        assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) == 0


def state_of(pid: int) -> str:
    """Return the state letter of a process; X if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


def groups_named(*words: str) -> list[str]:
    """Return the control groups that have one of these words in their name."""
    found = []
    for place, folders, _ in os.walk("/sys/fs/cgroup"):
        found += [f"{place}/{each}" for each in folders if any(word in each for word in words)]
    return found


def resident_kib(pid: int) -> int:
    """Return the memory of a process that is its own: resident, without files and shared pages."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    message = f"process {pid} has no memory"
    raise AssertionError(message)


def peak_kib(pid: int) -> int:
    """Return the most memory that a process has had at once."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def open_files(pid: int) -> int:
    """Return how many descriptors a process has."""
    return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 -- a listing, not paths


def pid_of(daemon: int, word: str) -> int:
    """Return the process below the daemon whose command line begins so."""
    return next(pid for pid, words in descendants(daemon).items() if words.startswith(word))
