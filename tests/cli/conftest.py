"""The command line called in this process, against a daemon that says what a test scripts."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cleanroom.cli.main import main
from tests.client.scripted import Script, ScriptedDaemon
from tests.conftest import Home


@dataclass(frozen=True)
class Done:
    """What a call left."""

    status: int
    out: str
    err: str


class CommandLine:
    """A person in an empty repository. `script` is what the daemon says."""

    def __init__(
        self, daemon: ScriptedDaemon, folder: Path, capture: pytest.CaptureFixture[str]
    ) -> None:
        self.daemon = daemon
        self.script = daemon.script
        self.folder = folder
        self._capture = capture

    def __call__(self, *words: str) -> Done:
        """Call it; return status and output."""
        self._capture.readouterr()
        status = main(words)
        sys.stdout.flush()
        out, err = self._capture.readouterr()
        return Done(status, out, err)

    def policy(self, text: str = "version: 1\n") -> Path:
        """Write the repository's policy."""
        path = self.folder / "cleanroom.yaml"
        path.write_text(text)
        return path


@pytest.fixture
def cli(
    home: Home, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[CommandLine]:
    """The command line of a person in an empty repository."""
    folder = home.home / "repo"
    (folder / ".git").mkdir(parents=True)
    monkeypatch.chdir(folder)
    for name in list(os.environ):
        monkeypatch.delenv(name)
    excepthook = sys.excepthook
    with ScriptedDaemon(home.runtime / "d.sock", Script()) as daemon:
        for name, value in {**home.environment, "CLEANROOM_HOST": daemon.url}.items():
            monkeypatch.setenv(name, value)
        yield CommandLine(daemon, folder, capfd)
    sys.excepthook = excepthook
