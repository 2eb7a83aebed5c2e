"""On a terminal: colour, Ctrl-C by key, and a keyboard that nobody waits for."""

import os
import pty
import select
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.flow.conftest import Person, Process


class Terminal:
    """A client on a terminal of its own."""

    def __init__(self, person: Person, *words: str, **environ: str) -> None:
        self.keyboard, end = pty.openpty()
        self.shown = b""
        self.process = Process(
            [*person.program, *words],
            cwd=person.folder,
            env={**person.environment, "TERM": "xterm", **environ},
            stdin=end,
            stdout=end,
            stderr=end,
            start_new_session=True,
            preexec_fn=take_terminal,
        )
        os.close(end)

    def see(self, text: bytes) -> None:
        """Read until this is shown."""
        until = time.monotonic() + 20
        while text not in self.shown:
            assert time.monotonic() < until, self.shown
            self.more()

    def more(self) -> bool:
        """Read what is shown next; False at the end."""
        if not select.select([self.keyboard], [], [], 20)[0]:
            return False
        try:
            piece = os.read(self.keyboard, 65536)
        except OSError:  # how Linux says that nobody has the terminal any more
            return False
        self.shown += piece
        return bool(piece)

    def end(self) -> int:
        """Read to the end; return the status."""
        while self.more():
            pass
        return self.process.wait(20)

    def close(self) -> None:
        """Let go."""
        os.close(self.keyboard)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def take_terminal() -> None:
    """Make the terminal on descriptor 0 the controlling one, so that its keys are signals."""
    import fcntl  # noqa: PLC0415 -- between fork and exec
    import termios  # noqa: PLC0415

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.fixture
def terminals(person: Person) -> Iterator[list[Terminal]]:
    """Terminals that are closed at the end."""
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()


def test_refusals_have_colour_there_and_nowhere_else(
    person: Person, terminals: list[Terminal]
) -> None:
    for environ, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        terminal = Terminal(person, "exec", "deny evil.test 443", **environ)
        terminals.append(terminal)
        assert terminal.end() == 0
        assert (b"\x1b[33mcleanroom: denied evil.test" in terminal.shown) is coloured
    assert "\x1b" not in person.types("exec", "deny evil.test 443").err


def test_a_keyboard_is_no_input(person: Person, terminals: list[Terminal]) -> None:
    terminals.append(Terminal(person, "exec", "cat"))
    assert terminals[0].end() == 0


def test_ctrl_c_by_key_cancels(person: Person, terminals: list[Terminal]) -> None:
    terminal = Terminal(person, "exec", "-v", "sleep")
    terminals.append(terminal)
    terminal.see(b"run run_")
    os.write(terminal.keyboard, b"\x03")
    assert terminal.end() == 130
    assert b"Ctrl-C again" in terminal.shown


def test_a_hang_up_ends_the_command(person: Person) -> None:
    terminal = Terminal(person, "exec", "-v", "sleep")
    terminal.see(b"run run_")
    os.close(terminal.keyboard)
    assert terminal.process.wait(20) in (129, 141)
    state = person.types("status").out
    assert "canceled" in state


def test_a_pipe_on_one_side_and_a_terminal_on_the_other(
    person: Person, terminals: list[Terminal]
) -> None:
    keyboard, end = pty.openpty()
    with Process(
        [*person.program, "exec", "deny evil.test 443"],
        cwd=person.folder,
        env={**person.environment, "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=end,
        stderr=subprocess.PIPE,
    ) as process:
        os.close(end)
        _, err = process.communicate(timeout=20)
    os.close(keyboard)
    assert b"\x1b" not in err
