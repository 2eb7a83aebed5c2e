"""A daemon of the benchmark's own, spoken to with nothing but http.client.

In: the Python of an installed wheel. Out: requests and their answers. Never: the user's daemon.
"""

import http.client
import json
import os
import shutil
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_SHORT = "/tmp"  # noqa: S108 -- a socket's path has a limit, and the folder has a name of its own


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self._path)


class Daemon:
    """`cleanroom serve` with folders of its own; use it as a context manager."""

    def __init__(self, cleanroom: Path, within: str = "", settings: str = "") -> None:
        self.cleanroom = cleanroom
        self.folder = Path(tempfile.mkdtemp(prefix="crb", dir=within or _SHORT))
        self.socket = self.folder / "r" / "s"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "CLEANROOM_HOST": f"unix://{self.socket}",
            "XDG_RUNTIME_DIR": str(self.folder / "r"),
            "XDG_STATE_HOME": str(self.folder / "s"),
            "XDG_CACHE_HOME": str(self.folder / "c"),
            "XDG_CONFIG_HOME": str(self.folder / "x"),
        }
        for name in "rscx":
            (self.folder / name).mkdir(mode=0o700)
        if settings:
            (self.folder / "x" / "cleanroom").mkdir(mode=0o700)
            (self.folder / "x" / "cleanroom" / "config.yaml").write_text(settings)

    def __enter__(self) -> "Daemon":
        self._process = subprocess.Popen(
            [str(self.cleanroom), "serve", "--listen", f"unix://{self.socket}"],
            env=self.environment, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 10
        while not self._answers():
            if time.monotonic() > deadline:
                message = "the daemon does not answer"
                raise RuntimeError(message)
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)
        for parent, names, _files in os.walk(self.folder):
            for name in names:
                child = Path(parent) / name
                if not child.is_symlink():
                    child.chmod(stat.S_IRWXU)
        shutil.rmtree(self.folder)

    @property
    def pid(self) -> int:
        """The daemon's own process."""
        return self._process.pid

    def _answers(self) -> bool:
        try:
            return bool(self.call("GET", "/v1/health"))
        except OSError:
            return False

    def repository(self, name: str = "w") -> Path:
        """Return a new git repository without a policy."""
        folder = Path(tempfile.mkdtemp(prefix=name, dir=self.folder))
        git = shutil.which("git") or "/usr/bin/git"
        subprocess.run([git, "init", "-q", str(folder)], check=True)
        return folder

    def call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Make one request on a connection of its own; raise for anything but success."""
        connection = UnixConnection(str(self.socket))
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"content-type": "application/json"})
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status >= 300:
            message = f"{method} {path}: {answer.status} {content!r}"
            raise RuntimeError(message)
        document: dict[str, Any] = json.loads(content) if content else {}
        return document

    def lines(self, path: str) -> Iterator[dict[str, Any]]:
        """Yield the lines of an NDJSON stream as they come."""
        connection = UnixConnection(str(self.socket))
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            while line := answer.readline():
                yield json.loads(line)
        finally:
            connection.close()

    def first_output(self, sandbox: str, execution: str) -> None:
        """Return when the first byte of a command's output has arrived."""
        path = f"/v1/sandboxes/{sandbox}/executions/{execution}/output?follow=true"
        for line in self.lines(path):
            if line["type"] == "output":
                return
        message = "the command ended without output"
        raise RuntimeError(message)
