"""The caller's terminal: raw while a command has it, and given back whatever happens."""

import fcntl
import os
import pty
import signal
import struct
import termios
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from cleanroom.client.detach import HOLD_S
from cleanroom.client.terminal import FALLBACK, Terminal, last_word, restore, size_of

# Forking is what the guard is for; threads of other tests do no harm to a child that runs no code
# of theirs.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

WAIT_S = 30


@dataclass
class Pair:
    """A terminal, and the side of it that a person sees."""

    person: int
    end: int

    @property
    def modes(self) -> list[Any]:
        """Its attributes."""
        return termios.tcgetattr(self.end)

    @property
    def echoes(self) -> bool:
        """Whether keys are shown and lines edited."""
        wanted = termios.ECHO | termios.ICANON | termios.ISIG
        return bool(self.modes[3] & wanted == wanted and self.modes[1] & termios.OPOST)

    def resize(self, rows: int, columns: int) -> None:
        """Give it a size."""
        fcntl.ioctl(self.end, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def shown(self, size: int) -> bytes:
        """Read this many bytes of what was written to it."""
        got = b""
        while len(got) < size:
            got += os.read(self.person, size - len(got))
        return got


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A terminal of 24 rows and 80 columns."""
    made = Pair(*pty.openpty())
    made.resize(24, 80)
    yield made
    os.close(made.person)
    os.close(made.end)


def on(pair: Pair, keys: bytes = b"", *, redraw: bool = False) -> Terminal:
    return Terminal(pair.end, pair.end, keys, redraw=redraw)


def until_echo(pair: Pair) -> None:
    """Wait until the guard has put it back."""
    until = time.monotonic() + WAIT_S
    while not pair.echoes:
        assert time.monotonic() < until, "it stayed raw"
        time.sleep(0.01)


def test_it_is_raw_meanwhile_and_as_before_afterwards(pair: Pair) -> None:
    before = pair.modes
    with on(pair):
        assert not pair.echoes
    assert pair.modes == before


def test_it_is_put_back_after_an_error(pair: Pair) -> None:
    with pytest.raises(ZeroDivisionError), on(pair):
        raise ZeroDivisionError
    assert pair.echoes


def test_what_the_program_switched_on_is_switched_off(pair: Pair) -> None:
    with on(pair) as terminal:
        terminal.remember(b"\x1b[?1049l")
        terminal.remember(b"\x1b[0m")
    assert pair.shown(4) == b"\x1b[0m"


def test_the_guard_is_gone_afterwards(pair: Pair) -> None:
    with on(pair) as terminal:
        guard = terminal._guard._pid
        os.kill(guard, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(guard, 0)


def test_a_killed_guard_is_survived(pair: Pair) -> None:
    with on(pair) as terminal:
        os.kill(terminal._guard._pid, signal.SIGKILL)
        os.waitid(os.P_PID, terminal._guard._pid, os.WEXITED | os.WNOWAIT)
        terminal.remember(b"\x1b[0m")
    assert pair.echoes


def killed_owner(pair: Pair, undo: bytes) -> int:
    """Start an owner of the terminal in another process, and kill it."""
    reader, writer = os.pipe()
    owner = os.fork()
    if owner == 0:
        try:
            with on(pair) as terminal:
                terminal.remember(undo)
                os.write(writer, b"x")
                time.sleep(600)
        finally:
            os._exit(1)
    assert os.read(reader, 1) == b"x"
    os.close(reader)
    os.close(writer)
    assert not pair.echoes
    os.kill(owner, signal.SIGKILL)
    os.waitpid(owner, 0)
    return owner


def test_a_killed_owner_leaves_a_sane_terminal(pair: Pair) -> None:
    before = pair.modes
    killed_owner(pair, b"\x1b[?1049l")
    until_echo(pair)
    assert pair.modes == before
    assert pair.shown(8) == b"\x1b[?1049l"


def test_modes_that_a_shell_set_since_are_left_alone(pair: Pair) -> None:
    with on(pair) as terminal:
        before = terminal._before
        shells_own = pair.modes
        shells_own[3] |= termios.ISIG
        termios.tcsetattr(pair.end, termios.TCSANOW, shells_own)
        restore(pair.end, pair.end, before, b"\x1b[0m")
        assert not pair.echoes
        assert pair.shown(4) == b"\x1b[0m"


def test_the_guard_hears_the_last_word_whatever_the_cut() -> None:
    reader, writer = os.pipe()
    words = (b"first", b"", b"last")
    for byte in b"".join(len(word).to_bytes(4, "big") + word for word in words) + b"\0\0\0\x05cut":
        os.write(writer, bytes((byte,)))
    os.close(writer)
    assert last_word(reader) == b"last"
    os.close(reader)


def test_each_size_is_told_once(pair: Pair) -> None:
    with on(pair) as terminal:
        assert terminal.new_size() == (24, 80)
        assert terminal.new_size() is None
        pair.resize(10, 20)
        assert terminal.new_size() == (10, 20)
        assert terminal.new_size() is None


def test_a_redraw_is_asked_for_by_a_size_that_changes(pair: Pair) -> None:
    with on(pair, redraw=True) as terminal:
        assert terminal.new_size() == (24, 79)
        until = time.monotonic() + WAIT_S
        while (size := terminal.new_size()) is None:
            assert time.monotonic() < until
            time.sleep((terminal.wait_ms() or 0) / 1000)
        assert size == (24, 80)
        assert terminal.wait_ms() is None


def test_odd_sizes_are_made_possible(pair: Pair) -> None:
    pair.resize(0, 0)
    assert size_of(pair.end) == FALLBACK
    pair.resize(65535, 20)
    assert size_of(pair.end) == (10_000, 20)
    reader, writer = os.pipe()
    assert size_of(reader) == FALLBACK
    os.close(reader)
    os.close(writer)


def test_a_beginning_of_the_keys_is_sent_when_its_time_is_over(pair: Pair) -> None:
    with on(pair, b"\x10\x11") as terminal:
        assert terminal.wait_ms() is None
        assert terminal.typed(b"a\x10") == (b"a", False)
        assert 0 < (terminal.wait_ms() or 0) <= HOLD_S * 1000 + 1
        until = time.monotonic() + WAIT_S
        while not (late := terminal.late_keys()):
            assert time.monotonic() < until
            time.sleep((terminal.wait_ms() or 0) / 1000)
        assert late == b"\x10"
        assert terminal.wait_ms() is None


def test_without_a_keyboard_only_sizes_are_told(pair: Pair) -> None:
    before = pair.modes
    with Terminal(None, pair.end, b"", redraw=False) as terminal:
        assert pair.modes == before
        terminal.remember(b"\x1b[0m")
        assert terminal.new_size() == (24, 80)
    assert pair.shown(4) == b"\x1b[0m"


def test_a_stopped_process_lends_the_terminal_out(pair: Pair) -> None:
    """SIGTSTP from outside: sane while stopped, raw again afterwards."""
    reader, writer = os.pipe()
    owner = os.fork()
    if owner == 0:
        try:
            with on(pair) as terminal:
                assert terminal.new_size() == (24, 80)
                os.write(writer, b"x")
                while terminal.new_size() is None:
                    time.sleep(0.01)
                os.write(writer, b"y")
        finally:
            os._exit(0)
    assert os.read(reader, 1) == b"x"
    os.kill(owner, signal.SIGTSTP)
    assert os.WIFSTOPPED(os.waitpid(owner, os.WUNTRACED)[1])
    assert pair.echoes
    os.kill(owner, signal.SIGCONT)
    assert os.read(reader, 1) == b"y"
    os.waitpid(owner, 0)
    with suppress(OSError):
        os.close(reader)
    os.close(writer)
    assert pair.echoes
