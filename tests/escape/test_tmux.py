"""What a person sees in a real terminal emulator: shells, editors, and nothing of an attacker's."""

import os
import re
import shlex
import shutil
import signal
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.escape.control import Served, somebody
from tests.people import descendants
from tests.tmux import PROMPT, Screen, screen

pytestmark = pytest.mark.escape

INSIDE = "inside$ "
BASH = f"cleanroom exec -it --env PS1='{INSIDE}' -- bash --norc --noprofile"
EDITED = "".join(f"line {number} äöü 日本\n" for number in range(1, 60))
EVIL = r"printf '\033]52;c;ZXZpbA==\007\033]0;evil title\007\033Pevil\033\\shown\n'"


@pytest.fixture(scope="module")
def served(programs: Path) -> Iterator[Served]:
    """A daemon that the tests of this file share, and files to look at."""
    assert programs.is_dir()
    with somebody() as one:
        (one.person.work / "text").write_text(EDITED)
        command = one.person.work.parent / "bin"
        command.mkdir()
        (command / "cleanroom").write_text(f'#!/bin/sh\nexec {sys.executable} -m cleanroom "$@"\n')
        (command / "cleanroom").chmod(0o755)
        yield one


@contextmanager
def window(served: Served, folder: Path) -> Iterator[Screen]:
    """A terminal in the workspace, where `cleanroom` can be typed."""
    environ = served.person.environment
    commands = served.person.work.parent / "bin"
    environ = environ | {"PATH": f"{commands}:{environ['PATH']}"}
    with screen(folder / "tmux", environ, served.person.work) as made:
        yield made


@pytest.fixture
def shown(served: Served, short_path: Path) -> Iterator[Screen]:
    """The terminal of a test."""
    with window(served, short_path) as made:
        yield made


@pytest.fixture
def on_host(served: Served, short_path: Path) -> Iterator[Screen]:
    """Another one, to compare."""
    (short_path / "h").mkdir()
    with window(served, short_path / "h") as made:
        yield made


def client_of(shown: Screen) -> int:
    """Return the process of the client that the shell of this terminal runs."""
    below = descendants(int(shown.value("pane_pid")))
    return min(pid for pid, words in below.items() if " -m cleanroom exec " in words)


def run_on(shown: Screen, command: str, before: str = "") -> None:
    """Start a command at a shell, `before` in front; return when it runs."""
    shown.type(f"{before} sh -c 'echo now $$; exec {command}'")
    shown.until(lambda text: re.search(r"^now [0-9]+$", text, re.MULTILINE) is not None, "a start")


def test_a_shell_inside_follows_the_window_and_has_its_keys(shown: Screen) -> None:
    shown.type(BASH)
    shown.at(INSIDE)
    assert "\n30 100\n" in shown.type("stty size", prompt=INSIDE)
    shown.resize(77, 19)
    assert "\n19 77\n" in shown.type("stty size", prompt=INSIDE)
    run_on(shown, "sleep 1000")
    shown.press("C-c")
    shown.at(INSIDE)  # the sleep ended, bash did not
    assert "\nstatus 130\n" in shown.type("echo status $?", prompt=INSIDE)
    run_on(shown, "cat")
    shown.press("C-z")
    assert "Stopped" in shown.at(INSIDE)
    shown.type("disown -a", prompt=INSIDE)
    shown.type("exit 7", prompt=PROMPT)
    assert "\nstatus 7\n" in shown.type("echo status $?", prompt=PROMPT)


def leave(shown: Screen) -> str:
    """Press the keys that leave; return the command that is said to come back."""
    shown.press("C-p", "C-q")
    shown.at(PROMPT)
    text = shown.look("-J")
    shown.type("clear", prompt=PROMPT)
    return str(re.findall(r"cleanroom attach sbx_\w+ exe_\w+", text)[-1])


def test_a_shell_is_left_and_found_again(shown: Screen) -> None:
    shown.type(BASH)
    shown.at(INSIDE)
    shown.type("kept=$((40 + 2))", prompt=INSIDE)
    again = leave(shown)
    for command in (again.replace("attach", "executions attach"), "cleanroom attach"):
        shown.type(command)
        shown.at(INSIDE)  # the line that was left is shown again
        assert "\nkept 42\n" in shown.type("echo kept $kept", prompt=INSIDE)
        assert leave(shown) == again
    shown.type(again)
    shown.at(INSIDE)
    shown.type("exit 5", prompt=PROMPT)
    assert "\nstatus 5\n" in shown.type("echo status $?", prompt=PROMPT)


def editor() -> str:
    """Return the plain vi of this machine, which a sandbox has too."""
    found = shutil.which("vim.tiny") or shutil.which("vim.basic") or shutil.which("vim")
    if found is None:
        pytest.skip("this machine lacks vim")
    return f"{Path(found).resolve()} -N -u NONE -i NONE -n -c 'set ruler number' text"


def both_show(text: str, shown: Screen, on_host: Screen) -> None:
    """Wait until two windows show this and are the same picture, colours included."""
    shown.see(text)
    on_host.see(text)
    shown.until(lambda inside: inside == on_host.look("-e"), f"{text} as on the host", "-e")


def test_an_editor_is_drawn_as_it_is_on_the_host(
    served: Served, shown: Screen, on_host: Screen
) -> None:
    command = editor()
    shown.type("clear; cleanroom exec -it -- " + command)
    on_host.type("clear; " + command)
    both_show("  1 line 1 äöü 日本", shown, on_host)
    for keys, expected in (
        (("G",), " 59 line 59 äöü 日本"),
        (("o", "typed"), "-- INSERT --"),
        (("Escape",), "60,5"),
        (("g", "g", ":", "v", "s", "p", "Enter"), "1,1"),
        (("/", "e", " ", "4", "2", "Enter"), "42,4"),
    ):
        for window in (shown, on_host):
            window.press(*keys)
        both_show(expected, shown, on_host)
    for window in (shown, on_host):
        window.resize(60, 20)
        window.press("1", "7", "G", "z", "t")
    both_show("17,1", shown, on_host)
    for window in (shown, on_host):
        window.press(":", "q", "a", "!", "Enter")
        window.at(PROMPT)
    assert shown.value("alternate_on") == "0"
    assert (served.person.work / "text").read_text() == EDITED


def modes_of(shown: Screen) -> list[object]:
    """Return what `stty -a` would show of this terminal."""
    with Path(shown.value("pane_tty")).open("rb") as terminal:
        return [*termios.tcgetattr(terminal), termios.tcgetwinsize(terminal)]


@pytest.mark.parametrize("program", ["cat", "an editor"])
def test_a_client_that_is_killed_leaves_a_sane_terminal(shown: Screen, program: str) -> None:
    before = modes_of(shown)
    if program == "cat":
        run_on(shown, "cat", "cleanroom exec -it --")
    else:
        shown.type(f"cleanroom exec -it -- {editor()}")
        shown.see("  1 line 1 äöü 日本")
        assert shown.value("alternate_on") == "1"
    assert modes_of(shown) != before
    os.kill(client_of(shown), signal.SIGKILL)
    # The shell does not wait for whoever restores it: its first prompt may be on either screen.
    shown.until(lambda _: modes_of(shown) == before, "the modes as they were")
    shown.until(lambda _: shown.value("alternate_on") == "0", "the main screen")
    shown.press("e", "c", "h", "o", "Space", "s", "a", "n", "e", "$", "?", "Enter")
    shown.see("sane137")  # KILL was what ended it
    shown.type("clear", prompt=PROMPT)
    run_on(shown, "sleep 1000")
    shown.press("C-c")
    shown.at(PROMPT)


def test_nothing_inside_writes_the_clipboard_or_the_title(shown: Screen) -> None:
    title = shown.value("pane_title")
    shown.type(f"cleanroom exec -t -- {shlex.quote(EVIL)}")
    assert "\nshown\n" in shown.at(PROMPT)
    assert (shown.clipboard(), shown.value("pane_title")) == ("", title)
    shown.type(EVIL, prompt=PROMPT)  # what this terminal does if the host says the same
    shown.until(lambda _: shown.value("pane_title") == "evil title", "a title")
    assert shown.clipboard() == "evil"
