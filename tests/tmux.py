"""A real terminal emulator (tmux), typed at and looked at as a person does.

In: the environment of a person, a folder. Out: Screen: one window of one tmux server.
Never: the tmux of the person who runs the tests; a server that outlives its test.
"""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PATIENCE_S = 60
PROMPT = "host$ "
COLUMNS, ROWS = 100, 30
# Programs may set the clipboard and the title here: what does not arrive was not passed on.
SETTINGS = "set -s set-clipboard on\nset -g status off\n"


class Screen:
    """One window, with a plain shell in it that leaves the terminal as it finds it."""

    def __init__(self, socket: Path, program: str, environ: dict[str, str]) -> None:
        self._socket = socket
        self._tmux = [program, "-S", str(socket)]
        self._environ = environ | {"TERM": "dumb"}

    def open(self, folder: Path) -> None:
        """Start the server with its window."""
        settings = self._socket.with_suffix(".conf")
        settings.write_text(SETTINGS)
        size = ("-x", str(COLUMNS), "-y", str(ROWS))
        self.tell("-f", str(settings), "new-session", "-d", *size, "-c", str(folder), "/bin/sh")
        self.until(lambda shown: bool(shown.strip()), "a first prompt")
        self.type(f"PS1='{PROMPT}'; clear", prompt=PROMPT)

    def tell(self, *words: str) -> str:
        """Run one tmux command; return what it prints."""
        done = subprocess.run(
            [*self._tmux, *words],
            env=self._environ, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, timeout=PATIENCE_S,
        )  # fmt: skip
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    def type(self, line: str, *, prompt: str = "") -> str:
        """Type a line at a prompt, then Enter; wait until this prompt is shown."""
        self.tell("send-keys", "-l", line)
        self.until(lambda shown: shown.rstrip().endswith(line), line, "-J")
        self.press("Enter")
        return self.at(prompt) if prompt else ""

    def press(self, *keys: str) -> None:
        """Press keys by their names, as C-c."""
        self.tell("send-keys", *keys)

    def look(self, *flags: str) -> str:
        """Return what is on the screen; `-e`: with its colours, `-J`: lines that wrap as one."""
        return self.tell("capture-pane", "-p", *flags)

    def see(self, text: str) -> str:
        """Wait until this is on the screen; return all of it."""
        return self.until(lambda shown: text in shown, text)

    def at(self, prompt: str) -> str:
        """Wait until the last line is a prompt and nothing else."""
        return self.until(lambda shown: last_line(shown) == prompt.strip(), prompt)

    def until(self, holds: Callable[[str], bool], what: str, *flags: str) -> str:
        """Wait until the screen is so; return it."""
        end = time.monotonic() + PATIENCE_S
        while not holds(shown := self.look(*flags)):
            assert time.monotonic() < end, f"no {what!r} on the screen:\n{shown}"
            time.sleep(0.05)  # between two looks at a server that sends us nothing
        return shown

    def resize(self, columns: int, rows: int) -> None:
        """Give the window another size."""
        self.tell("resize-window", "-x", str(columns), "-y", str(rows))

    def value(self, name: str) -> str:
        """Return one of tmux's own variables, as pane_title."""
        return self.tell("display-message", "-p", f"#{{{name}}}").rstrip("\n")

    def clipboard(self) -> str:
        """Return the newest thing that a program put into the clipboard; "" if none did."""
        if not self.tell("list-buffers"):
            return ""
        return self.tell("show-buffer")


def last_line(shown: str) -> str:
    """Return the last line that is not empty."""
    lines = shown.rstrip().splitlines()
    return lines[-1].strip() if lines else ""


@contextmanager
def screen(socket: Path, environ: dict[str, str], folder: Path) -> Iterator[Screen]:
    """Have a tmux server with one window for a while."""
    program = shutil.which("tmux")
    if program is None:
        pytest.skip("this machine lacks tmux")
    made = Screen(socket, program, environ)
    try:
        made.open(folder)
        yield made
    finally:
        made.tell("kill-server")
