"""The line that says what is waited for."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cleanroom.cli import progress as module
from cleanroom.cli.progress import CLEAR, Progress
from cleanroom.cli.render import Screen
from tests.cli.conftest import CommandLine
from tests.cli.typist import PATIENCE_S, Typist
from tests.client.scripted import RUN, Answer, Peer


class Late(Answer):
    """An answer that waits until somebody saw the line."""

    seen = threading.Event()

    def bytes(self) -> bytes:
        """Wait, then answer."""
        assert self.seen.wait(PATIENCE_S)
        return super().bytes()


@contextmanager
def waiting(cli: CommandLine, *words: str, term: str = "xterm") -> Iterator[Typist]:
    """A person whose sandbox takes its time to start."""
    late = Late(RUN, 201)
    late.seen = threading.Event()
    cli.script.answers["POST /v1/runs"] = late
    environ = {**os.environ, "TERM": term, "PATH": "/usr/bin:/bin"}
    typist = Typist([sys.executable, "-P", "-m", "cleanroom", *words], environ, cli.folder)
    try:
        yield typist
        late.seen.set()
        assert typist.end() == 0
    finally:
        late.seen.set()
        typist.close()


def test_a_long_start_is_said_and_the_line_is_gone_when_it_is_over(cli: CommandLine) -> None:
    def attached(peer: Peer) -> None:
        peer.output(1, b"out\n")
        peer.exit()

    cli.script.attached = attached
    with waiting(cli, "exec", "true") as person:
        person.see(b"cleanroom: starting the sandbox, ")
        person.shown = b""
        person.see(b"cleanroom: starting the sandbox, ")  # drawn again, as time passes
    assert f"s{CLEAR}out".encode() in person.shown


def test_the_first_start_with_mise_says_what_takes_so_long(cli: CommandLine) -> None:
    (cli.folder / "mise.toml").touch()
    with waiting(cli, "exec", "true") as person:
        person.see(b"starting the sandbox with the tools of mise, ")


def test_a_poor_terminal_and_quiet_have_no_line(cli: CommandLine) -> None:
    for words, term in ((("exec", "true"), "dumb"), (("exec", "-q", "true"), "xterm")):
        with waiting(cli, *words, term=term) as person:
            pass  # what is drawn is drawn by a timer, and that is not even set
        assert b"starting" not in person.shown
        assert b"\x1b[K" not in person.shown


def test_without_a_terminal_nothing_is_set(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "AFTER_S", 1e-6)
    with Progress(Screen({}), {"TERM": "xterm"})("create_run"):
        pass
    assert capfd.readouterr().err == ""


def test_it_fits_the_terminal_and_survives_its_end(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "isatty", lambda descriptor: True)
    monkeypatch.setattr(os, "get_terminal_size", lambda descriptor: os.terminal_size((12, 24)))
    line = module._Line("starting")
    line.draw(0, None)
    line.remove()
    assert capfd.readouterr().err == f"{CLEAR}cleanroom: {CLEAR}"

    def gone(descriptor: int) -> os.terminal_size:
        raise OSError(5, "it hung up")

    monkeypatch.setattr(os, "get_terminal_size", gone)
    line.draw(0, None)
    line.remove()
