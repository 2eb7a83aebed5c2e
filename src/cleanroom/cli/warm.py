"""`cleanroom cache warm`: everything that lock files pin, fetched once, as a sandbox would.

In: the workspace's policy. Out: counts; 1 if something could not be fetched. Never: a request that
is not judged by that policy: a small program asks inside a sandbox of its own (warm_inside.py).
"""

import argparse
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cleanroom.cli.approval import approved_policy, create_run
from cleanroom.cli.attached import Streams, Way, attach, how_back, say_failure
from cleanroom.cli.exec_output import counted, denied_summary
from cleanroom.cli.exit_status import LEFT
from cleanroom.cli.parser import Parser
from cleanroom.cli.render import plain
from cleanroom.cli.secrets import add_secret_flag, secret_options
from cleanroom.cli.shell import Shell, add_daemon_flags
from cleanroom.cli.sizes import size_text
from cleanroom.client.attach import Left
from cleanroom.client.calls import Call
from cleanroom.client.facts import client_facts
from cleanroom.client.interrupts import Interrupts
from cleanroom.client.reply import Reply
from cleanroom.client.sources import given_secrets

_SHOWN: Final = 20  # failures
_LINE: Final = 64 * 1024  # of what the program says; it runs among hostile files
_NO_PYTHON: Final = 127
_MANAGERS: Final = ("npm", "pypi", "cargo", "go", "git")  # that the program knows
_PROGRAM: Final = Path(__file__).with_name("warm_inside.py")  # read, not imported: it is for inside


def warm_parser() -> Parser:
    """Return the parser of `cache warm`."""
    parser = Parser(
        "cache warm",
        "Fetch all that the lock files pin, so that runs can be offline.",
        "cleanroom cache warm && cleanroom exec --offline -- npm ci",
    )
    parser.value("-C", "DIR", "the folder whose policy and lock files are meant")
    parser.switch("--every", "also files for other systems and Pythons")
    parser.switch("--no-input", "never ask; a question fails and names its flag")
    parser.switch("--json", "one JSON object on stdout")
    add_secret_flag(parser)
    add_daemon_flags(parser)
    return parser


def warm(options: argparse.Namespace, shell: Shell) -> int:
    """Fetch it, say what came and what did not."""
    workspace = shell.workspace(options.C)
    policy = shell.policy(workspace, options)
    report = WarmReport(shell)
    with shell.connect(options) as connection, Interrupts() as interrupts:
        pinned = connection.call(Call("pinned_artifacts", body={"policy": policy}))
        wanted = _wanted(pinned, shell)
        if not any(registry["artifacts"] for registry in wanted):
            shell.screen.say(
                "there is nothing to fetch: cleanroom.yaml enables no registry with a lock file"
                " that pins (docs/registries.md; `cleanroom init --print` writes one)"
            )
            return 0
        request: dict[str, object] = {
            "workspace": workspace.root,
            "command": ["python3", "-I", "-c", _PROGRAM.read_text("utf-8")],
            "policy": policy,
            "options": {
                "stdin": True,
                "approved_policy": approved_policy(shell),
                "secrets": secret_options(given_secrets(options.secret)),
            },
            "facts": client_facts(shell.environ, shell.home),
        }
        run = create_run(connection, request, options, shell)
        path = {"sandbox_id": run.text("sandbox_id"), "execution_id": run.text("execution_id")}
        way = Way(connection, Call("attach_execution", path), interrupts)
        try:
            with _input({"registries": wanted, "every": options.every}) as descriptor:
                ended = attach(way, Streams(descriptor), report, shell.screen)
        except Left as left:
            ids = (path["sandbox_id"], path["execution_id"])
            shell.screen.say(how_back(*ids, canceled=left.canceled))
            return LEFT
    run = ended.message.item("run")
    report.ended(run, 0)
    report.show(options)
    say_failure(run, shell.screen, asked=ended.signalled)
    is_whole = report.is_done and not report.failures and "failure" not in run
    if run.maybe_number("exit_code") == _NO_PYTHON:
        shell.screen.warn("cleanroom: cannot warm the cache: there is no python3 inside")
    return 0 if is_whole else 1


def _wanted(pinned: Reply, shell: Shell) -> list[dict[str, object]]:
    """Return the registries that the program can ask; name the others."""
    wanted = []
    for registry in pinned.items("registries"):
        manager = registry.text("manager")
        if manager == "git" and registry.items("artifacts") and not registry.flag("held"):
            # Branches are where their host has them then, so what clients ask for is not known.
            mode = "lockfile_enforcement has mode: deny_unknown"
            shell.screen.warn(f"cleanroom: git is warmed where {mode}: skipped")
        elif manager in _MANAGERS:
            wanted.append(registry.fields)
        elif registry.items("artifacts"):
            shell.screen.warn(f"cleanroom: {manager} is not warmed yet: skipped")
    return wanted


@contextmanager
def _input(wanted: dict[str, object]) -> Iterator[int]:
    """A nameless file with what the program reads, at its begin."""
    with os.fdopen(os.memfd_create("warm", os.MFD_CLOEXEC), "wb+") as file:
        file.write(json.dumps(wanted).encode())
        file.seek(0)  # flushes too
        yield file.fileno()


class WarmReport:
    """Implements Report of exec_output.py: counts what the program inside says."""

    def __init__(self, shell: Shell) -> None:
        self.is_done = False
        self.failures: list[tuple[str, str]] = []
        self._screen = shell.screen
        self._on_terminal = os.isatty(2) and shell.environ.get("TERM", "dumb") != "dumb"
        self._rest = b""
        self._packages = self._through = self._files = self._bytes = 0

    def started(self, run: Reply) -> None:
        """Nothing is said of the run itself."""

    def output(self, stream: int, data: bytes) -> None:
        """Take lines of the program."""
        if stream == 1:
            *lines, self._rest = (self._rest + data).split(b"\n")
            self._rest = self._rest[:_LINE]
            for line in lines:
                self._take(line)
            self._progress()
        else:
            self._screen.say(plain(data.decode(errors="replace").rstrip("\n")))

    def news(self, message: Reply) -> None:
        """Refusals are summed up at the end."""

    def canceling(self, number: int) -> None:
        """It ends soon anyway."""

    def left(self, way_back: str) -> None:
        """Nobody detaches from it."""

    def ended(self, run: Reply, status: int) -> None:
        """Say the notes and what was denied."""
        self._clear()
        for note in run.texts("notes"):
            self._screen.say(f"cleanroom: {note}")
        if denied := run.items("denied"):
            self._screen.warn(denied_summary(denied))

    def show(self, options: argparse.Namespace) -> None:
        """Show the counts."""
        if options.json:
            failed = [{"what": what, "why": why} for what, why in self.failures]
            self._screen.json({"files": self._files, "bytes": self._bytes, "failed": failed})
            return
        for what, why in self.failures[:_SHOWN]:
            self._screen.warn(f"cleanroom: not fetched: {plain(what)}: {plain(why)}")
        if (rest := len(self.failures) - _SHOWN) > 0:
            self._screen.warn(f"cleanroom: not fetched: {rest} more")
        files, size = counted(self._files, "file"), size_text(self._bytes)
        self._screen.out(f"{counted(self._through, 'package')}: {files}, {size}")

    def _take(self, line: bytes) -> None:
        try:
            said = json.loads(line)
        except ValueError:
            return  # nothing that the program writes
        if not isinstance(said, dict):
            return
        self.is_done = self.is_done or said.get("done") is True
        self._packages = _number(said, "packages") or self._packages
        self._through += "through" in said
        self._files += "fetched" in said
        self._bytes += _number(said, "bytes")
        if "failed" in said:
            self.failures.append((str(said["failed"]), str(said.get("why", ""))))

    def _progress(self) -> None:
        if self._on_terminal and not self._screen.quiet:
            size = size_text(self._bytes)
            text = f"{self._through} of {self._packages} packages, {size}"
            os.write(2, f"\r\x1b[K{text}".encode())

    def _clear(self) -> None:
        if self._on_terminal and not self._screen.quiet:
            os.write(2, b"\r\x1b[K")


def _number(said: dict[str, object], name: str) -> int:
    value = said.get(name)
    return value if isinstance(value, int) else 0
