"""On a terminal: colour, Ctrl-C by key, and a keyboard that nobody waits for."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator

import pytest

from tests.fake_process import FakeProcess
from tests.flow.conftest import Person, Process


class Terminal:
    """A client on a terminal of its own."""

    def __init__(self, person: Person, *words: str, shell: str = "", **environ: str) -> None:
        """`shell`: a script of a shell that starts it, as "$@", and has the terminal."""
        around = ["/bin/sh", "-c", shell, "sh"] if shell else []
        self.keyboard, end = pty.openpty()
        self.shown = b""
        self.process = Process(
            [*around, *person.program, *words],
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


# The shell owns the session, as in life: where its owner ends, a terminal hangs up. It says the
# number of the client's process, and stays.
UNDER_A_SHELL = 'sh -c \'echo "pid $$."; exec "$@"\' sh "$@"; exec sleep 60'
EVIL = b"\x1b]52;c;ZXZpbA==\x07\x1b]0;title\x07"


async def ready(process: FakeProcess) -> int:
    """Say so, then repeat what is typed."""
    await process.say(b"ready\r\n")
    while data := await process.read():
        await process.say(data)
    return 0


async def evil(process: FakeProcess) -> int:
    """Write to the clipboard, and leave the terminal bold."""
    await process.say(b"before" + EVIL + b"\x1b[1mafter")
    return 0


def process_of(person: Person) -> FakeProcess:
    """Return the one command that was started."""
    ((process,),) = (sandbox.processes for sandbox in person.setting.backend.sandboxes)
    return process


def until(holds: Callable[[], object]) -> None:
    """Wait until it is true."""
    end = time.monotonic() + 25
    while not holds():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


def until_value(value: Callable[[], list[int]]) -> list[int]:
    """Wait until there is one."""
    until(value)
    return value()


def echoes(terminal: int) -> bool:
    """Say whether keys are shown there."""
    return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)


def resize(terminal: int, rows: int, columns: int) -> None:
    """Give a terminal a size, as its window would."""
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def take_terminal() -> None:
    """Make the terminal on descriptor 0 the controlling one, so that its keys are signals."""
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


def test_with_i_the_keyboard_is_sent(person: Person, terminals: list[Terminal]) -> None:
    terminal = Terminal(person, "exec", "-i", "cat")
    terminals.append(terminal)
    os.write(terminal.keyboard, b"typed\n")
    while terminal.shown.count(b"typed\r\n") < 2:  # the terminal's echo, and the command's
        assert terminal.more(), terminal.shown
    os.write(terminal.keyboard, b"\x04")
    assert terminal.end() == 0


def test_a_terminal_is_raw_for_the_command_and_told_its_size(
    person: Person, terminals: list[Terminal]
) -> None:
    person.setting.backend.programs["ready"] = ready
    terminal = Terminal(person, "exec", "-it", "ready")
    terminals.append(terminal)
    terminal.see(b"ready\r\n")
    os.write(terminal.keyboard, b"\x03\x1a\r\x0ftyped")
    terminal.see(b"\x03\x1a\r\x0ftyped")  # as it is, once: nothing echoes, no key is a signal
    resize(terminal.keyboard, 33, 44)
    until(lambda: bool(process_of(person).sizes) and process_of(person).sizes[-1] == (33, 44))
    assert process_of(person).command.tty
    os.write(terminal.keyboard, b"\x10\x11")
    assert terminal.end() == 130
    assert b"cleanroom attach sbx_" in terminal.shown
    assert echoes(terminal.keyboard)
    assert process_of(person).signals == []


def test_a_killed_client_leaves_a_sane_terminal(person: Person, terminals: list[Terminal]) -> None:
    person.setting.backend.programs["ready"] = ready
    terminal = Terminal(person, "exec", "-it", "ready", shell=UNDER_A_SHELL)
    terminals.append(terminal)
    terminal.see(b"ready\r\n")
    os.write(terminal.keyboard, b"\x1b[?1049h\x1b[31m")
    terminal.see(b"\x1b[31m")
    assert not echoes(terminal.keyboard)
    os.kill(int(terminal.shown.partition(b"pid ")[2].partition(b".")[0]), signal.SIGKILL)
    terminal.see(b"\x1b[0m\x1b[?1049l")
    until(lambda: echoes(terminal.keyboard))
    assert signal.SIGHUP in until_value(lambda: process_of(person).signals)


def test_hostile_sequences_do_not_reach_a_terminal_unless_asked_for(
    person: Person, terminals: list[Terminal]
) -> None:
    person.setting.backend.programs["evil"] = evil
    for flags, comes in (((), False), (("-t",), False), (("-t", "--terminal-escapes"), True)):
        terminal = Terminal(person, "exec", *flags, "evil")
        terminals.append(terminal)
        assert terminal.end() == 0
        assert b"before\x1b[1mafter" in terminal.shown.replace(EVIL, b"")
        assert (EVIL in terminal.shown) is comes
        assert b"\x1b[0m" in terminal.shown
    with person.start("exec", "evil") as process:
        out, _ = process.communicate(timeout=25)
    assert out == b"before" + EVIL + b"\x1b[1mafter"  # a pipe gets what was written


@pytest.mark.parametrize("flags", [("-t",), ("-it",), ("-t", "--json"), ("--detach-keys", "xy")])
def test_a_terminal_that_cannot_be_given_is_refused(person: Person, flags: tuple[str, ...]) -> None:
    done = person.types("exec", *flags, "cat")
    assert done.status == 2
    assert "cannot" in done.err
    assert not person.setting.backend.sandboxes


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
