"""argv to command, error to status."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cleanroom import __version__
from cleanroom.cli.help_page import LINES
from cleanroom.cli.main import COMMANDS, EVERYWHERE, load, main
from tests.cli.conftest import CommandLine
from tests.client.scripted import problem


@pytest.mark.parametrize("words", [[], ["help"], ["--help"], ["-h"]])
def test_help_lists_every_command(cli: CommandLine, words: list[str]) -> None:
    done = cli(*words)
    assert done.status == 0
    # Those that do not fit one screen are named together (cli/help_page.py).
    assert set(COMMANDS) <= set(re.findall(r"[a-z]+", done.out))
    assert done.out.count("\n") <= LINES


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_its_help_without_a_daemon(cli: CommandLine, name: str) -> None:
    for words in ([name, "--help"], ["help", name]):
        done = cli(*words)
        assert done.status == 0
        assert f"cleanroom {name}" in done.out
    for parser in load(name).parsers():
        assert parser.prog.startswith(f"cleanroom {name}")
        assert parser.summary in cli(*parser.prog.split()[1:], "-h").out
    assert not cli.daemon.requests


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("sandbox", "sandboxes"), ("events", "sandboxes events"), ("aprove", "policy approve"),
     ("list", "sandboxes list"), ("hlep me", "help"), ("run", "exec"),
     ("shell", "exec -it -- bash")],
)  # fmt: skip
def test_an_unknown_command_suggests_the_nearest(cli: CommandLine, typed: str, meant: str) -> None:
    done = cli(typed)
    assert done.status == 2
    assert f"next: cleanroom {meant}\n" in done.err


def test_a_flag_before_the_command_is_told_its_place(cli: CommandLine) -> None:
    done = cli("--host", "unix:///run/d.sock", "ps")
    assert done.status == 2
    assert "next: a flag comes behind its command: cleanroom COMMAND --host\n" in done.err


def test_an_unknown_subcommand_and_none_at_all(cli: CommandLine) -> None:
    assert cli("policy", "validatee").status == 2
    done = cli("policy")
    assert done.status == 2
    assert "validate" in done.out


def test_version_is_a_flag_too(cli: CommandLine) -> None:
    assert cli("--version").out.startswith(f"cleanroom {__version__}\n")


def test_aliases_are_exact(cli: CommandLine) -> None:
    for words, method in (
        (("ps",), "GET /v1/sandboxes"),
        (("stop", "dev"), "POST /v1/sandboxes/dev/stop"),
        (("rm", "dev"), "DELETE /v1/sandboxes/dev"),
        (("sandboxes", "terminate", "dev"), "POST /v1/sandboxes/dev/stop"),
        (("logs", "dev", "e"), "GET /v1/sandboxes/dev/executions/e/output"),
        (("attach", "dev", "e"), "GET /v1/sandboxes/dev/executions/e"),
        (("wait", "dev", "e"), "GET /v1/sandboxes/dev/executions/e"),
    ):
        cli.script.answers[method] = problem("sandbox_not_found", "cannot find it", 404)
        done = cli(*words)
        carried = words[0] in ("attach", "wait")
        assert (done.status, "cannot find it" in done.err) == (125 if carried else 1, True)


def test_no_daemon_where_one_was_named_is_an_error(cli: CommandLine) -> None:
    done = cli("status", "--host", "unix:///nonexistent/d.sock")
    assert done.status == 1
    assert "cleanroom serve --listen unix:///nonexistent/d.sock" in done.err
    assert cli("exec", "--host", "unix:///nonexistent/d.sock", "true").status == 125


@pytest.mark.parametrize("name", COMMANDS)
def test_elsewhere_than_on_linux_one_sentence_says_so(
    cli: CommandLine, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    done = cli(name)
    if name in EVERYWHERE:
        assert done.status == 0
    else:
        assert done.status == 125
        assert "cleanroom needs Linux" in done.err


def test_ctrl_c_before_anything_ran_is_130(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cleanroom.cli.cmd_status.status_parser", interrupted)
    assert main(["status"]) == 130


WHILE_IMPORTING = """
import os, signal, sys

class Interrupting:
    def find_spec(self, name, path, target=None):
        if name == "cleanroom.cli.main":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
signal.signal(signal.SIGINT, signal.SIG_IGN if sys.argv[1:] else signal.default_int_handler)
before = signal.getsignal(signal.SIGINT)
import cleanroom.__main__
assert signal.getsignal(signal.SIGINT) is before
"""


@pytest.mark.parametrize(("words", "status"), [((), -signal.SIGINT), (("ignored",), 0)])
def test_an_interrupt_while_python_loads_it_is_no_traceback(
    words: tuple[str, ...], status: int
) -> None:
    command = [sys.executable, "-c", WHILE_IMPORTING, *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (status, "")


LEAVING = """
import atexit, sys
from cleanroom.__main__ import run
atexit.register(print, "python's own ending")
sys.argv = ["cleanroom", *sys.argv[1:]]
run()
"""


@pytest.mark.parametrize(("word", "ends"), [("version", False), ("serve", True)])
def test_only_the_daemon_waits_for_pythons_own_ending(word: str, *, ends: bool) -> None:
    command = [sys.executable, "-c", LEAVING, word, "--help"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert f"cleanroom {word}" in done.stdout
    assert ("python's own ending" in done.stdout) is ends


@pytest.mark.parametrize("closed", ["1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_closed_standard_streams_are_no_mistake(closed: str, tmp_path: Path) -> None:
    script = f'"$0" -m cleanroom explain conflict {closed} || echo "status $?" >> "$1"'
    said = tmp_path / "said"
    command = ["/bin/sh", "-c", script, sys.executable, str(said)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert not said.exists()
    assert done.stderr == ""
    assert ("conflict" in done.stdout) is ("1>" not in closed)
