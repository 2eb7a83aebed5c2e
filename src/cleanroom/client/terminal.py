"""The caller's terminal while a command has it: raw, its size told, and always given back.

In: the descriptors of a terminal. Out: what is typed, new sizes. Never: a terminal left raw, or in
the state of a full-screen program, whatever ends this process.

A guard, a forked copy of this process without its connection, waits at the end of a pipe: when the
pipe ends without the word that all is well, this process was killed, and the guard puts the
terminal back. It leaves the modes alone if somebody else, such as the shell, has set others since.
"""

import fcntl
import os
import signal
import struct
import termios
import time
from contextlib import suppress
from itertools import pairwise
from types import FrameType, TracebackType
from typing import Any, Final, NoReturn, Self

from cleanroom.client.detach import HOLD_S, DetachKeys

FALLBACK: Final = (24, 80)  # of a terminal that does not know its size
MOST_CELLS: Final = 10_000  # of api/message.py
ALL_IS_WELL: Final = b"\n"
SHAKE_S: Final = 0.1
_FLAGS: Final = 4  # the first of termios.tcgetattr: input, output, control, local
_KEPT_FROM_GUARD: Final = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)

Attributes = list[Any]  # as termios gives them


def size_of(descriptor: int) -> tuple[int, int]:
    """Return (rows, columns) of a terminal."""
    try:
        packed = fcntl.ioctl(descriptor, termios.TIOCGWINSZ, bytes(8))
    except OSError:
        return FALLBACK
    rows, columns, _, _ = struct.unpack("HHHH", packed)
    return (min(rows or FALLBACK[0], MOST_CELLS), min(columns or FALLBACK[1], MOST_CELLS))


class Terminal:
    """A context manager around the time in which keys go to a command.

    `keyboard` None: nothing is typed, so it stays as it is, and only sizes are told.
    """

    def __init__(self, keyboard: int | None, screen: int, keys: bytes, *, redraw: bool) -> None:
        """`redraw`: tell another size first, so that a program draws its screen again."""
        self._keyboard = keyboard
        self._screen = screen
        self._keys = DetachKeys(keys)
        self._redraw = redraw
        self._told: tuple[int, int] | None = None
        self._release_at = 0.0
        self._size_at = 0.0
        self._before: Attributes = []
        self._raw: Attributes = []
        self._undo = b""
        self._guard = _Guard()
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._handle(signal.SIGWINCH, self._ignore)
        if self._keyboard is not None:
            self._before = termios.tcgetattr(self._keyboard)
            self._raw = _raw(self._before)
            self._guard.start(self._keyboard, self._screen, self._before)
            self._handle(signal.SIGTSTP, self._on_stop)
            self._handle(signal.SIGCONT, self._on_continue)
            termios.tcsetattr(self._keyboard, termios.TCSADRAIN, self._raw)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        if self._keyboard is not None:
            put_back(self._keyboard, self._screen, self._before, self._undo)
            self._guard.dismiss()
        elif self._undo:
            with suppress(OSError):
                os.write(self._screen, self._undo)

    @property
    def size(self) -> tuple[int, int]:
        """Its rows and columns now."""
        return size_of(self._screen)

    def remember(self, undo: bytes) -> None:
        """Note what makes the screen as it was before the command."""
        if undo != self._undo:
            self._undo = undo
            self._guard.tell(undo)

    def typed(self, data: bytes) -> tuple[bytes, bool]:
        """Return what to send of what was typed, and whether the keys to leave came after it."""
        self._release_at = time.monotonic() + HOLD_S
        return self._keys.typed(data)

    def late_keys(self) -> bytes:
        """Return the beginning of the keys to leave, if its time is over."""
        over = self._keys.held and time.monotonic() >= self._release_at
        return self._keys.give_up() if over else b""

    def new_size(self) -> tuple[int, int] | None:
        """Return (rows, columns) if the command does not know them yet."""
        size = size_of(self._screen)
        now = time.monotonic()
        if size == self._told or now < self._size_at:
            return None
        if self._redraw:
            self._redraw = False
            self._size_at = now + SHAKE_S
            self._told = (size[0], max(1, size[1] - 1))
        else:
            self._told = size
        return self._told

    def wait_ms(self) -> int | None:
        """Return after how many milliseconds to ask again for keys and sizes; None: no need."""
        now = time.monotonic()
        times = [self._release_at - now] if self._keys.held else []
        if self._size_at > now:
            times.append(self._size_at - now)
        return max(0, int(min(times) * 1000) + 1) if times else None

    def _handle(self, number: int, handler: Any) -> None:  # noqa: ANN401 -- as signal.signal takes
        self._handlers[number] = signal.signal(number, handler)

    def _ignore(self, _number: int, _frame: FrameType | None) -> None:
        """The signal wakes the poll (client/interrupts.py); `new_size` asks the terminal."""

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        """Somebody stops this process: the terminal is theirs meanwhile."""
        if self._keyboard is not None:
            put_back(self._keyboard, self._screen, self._before, self._undo)
        os.kill(os.getpid(), signal.SIGSTOP)

    def _on_continue(self, _number: int, _frame: FrameType | None) -> None:
        if self._keyboard is not None:
            termios.tcsetattr(self._keyboard, termios.TCSADRAIN, self._raw)
        self._redraw = True
        self._told = None


def put_back(keyboard: int, screen: int, before: Attributes, undo: bytes) -> None:
    """Make the terminal as it was. Answers of the terminal that nobody read are thrown away."""
    with suppress(OSError, termios.error):  # it hung up: there is nothing to put back
        if undo:
            os.write(screen, undo)
        termios.tcsetattr(keyboard, termios.TCSAFLUSH, before)


def _raw(before: Attributes) -> Attributes:
    """Return the modes in which every key is a byte for the command and none is a signal."""
    iflag, oflag, cflag, lflag, ispeed, ospeed, characters = before
    iflag &= ~(
        termios.BRKINT | termios.ICRNL | termios.INLCR | termios.IGNCR
        | termios.INPCK | termios.ISTRIP | termios.IXON | termios.PARMRK
    )  # fmt: skip
    oflag &= ~termios.OPOST
    cflag = cflag & ~(termios.CSIZE | termios.PARENB) | termios.CS8
    lflag &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.IEXTEN | termios.ISIG)
    characters = list(characters)
    characters[termios.VMIN], characters[termios.VTIME] = 1, 0
    return [iflag, oflag, cflag, lflag, ispeed, ospeed, characters]


class _Guard:
    """The process that puts the terminal back if this one cannot. It hears of every `undo`."""

    def __init__(self) -> None:
        self._pipe = -1
        self._pid = 0

    def start(self, keyboard: int, screen: int, before: Attributes) -> None:
        """Fork it. To be called while the terminal is as it was."""
        reader, writer = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            watch(reader, keyboard, screen, before)
        os.close(reader)
        self._pipe = writer

    def tell(self, undo: bytes) -> None:
        """Say what to write to the screen; the last word counts."""
        if self._pipe >= 0:
            self._send(len(undo).to_bytes(4, "big") + undo)

    def dismiss(self) -> None:
        """Say that all is well, and wait until it has gone."""
        self._send(len(ALL_IS_WELL).to_bytes(4, "big") + ALL_IS_WELL)
        os.close(self._pipe)
        os.waitpid(self._pid, 0)

    def _send(self, message: bytes) -> None:
        with suppress(OSError):  # the guard was killed: this process puts the terminal back itself
            os.write(self._pipe, message)


def watch(reader: int, keyboard: int, screen: int, before: Attributes) -> NoReturn:
    """Be the guard: hold nothing but the pipe and the terminal, and wait for the pipe's end."""
    for number in (*_KEPT_FROM_GUARD, signal.SIGTTOU, signal.SIGTSTP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    signal.set_wakeup_fd(-1)
    os.setpgid(0, 0)
    # SECURITY: the connection too: the daemon must see its end when the client is killed (C12).
    keep = sorted({reader, keyboard, screen})
    edges = [-1, *keep, os.sysconf("SC_OPEN_MAX")]
    for low, high in pairwise(edges):
        if low + 1 < high:  # Python 3.11 takes closerange(0, 0) for everything
            os.closerange(low + 1, high)
    try:
        undo = last_word(reader)
        if undo != ALL_IS_WELL:
            restore(keyboard, screen, before, undo)
    finally:
        os._exit(0)


def last_word(reader: int) -> bytes:
    """Read messages until the end of the pipe; return the last whole one."""
    said, last = b"", b""
    while data := os.read(reader, 65536):
        said += data
        while len(said) >= 4 and len(said) - 4 >= (size := int.from_bytes(said[:4], "big")):
            last, said = said[4 : 4 + size], said[4 + size :]
    return last


def restore(keyboard: int, screen: int, before: Attributes, undo: bytes) -> None:
    """Put a terminal back whose owner was killed, unless the shell was faster."""
    try:
        now = termios.tcgetattr(keyboard)
    except termios.error:
        return
    if now[:_FLAGS] == _raw(before)[:_FLAGS]:
        put_back(keyboard, screen, before, undo)
    else:
        with suppress(OSError):
            os.write(screen, undo)
