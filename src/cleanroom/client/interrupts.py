"""Signals that ask for the end of a run, heard from before it exists until after its end.

In: INT, TERM and HUP, unless they were ignored when we started. Out: a call for each, and a
descriptor that wakes a poll. Never: a signal lost between two steps of a start.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Final, Self

ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def breakable() -> Iterator[None]:
    """Have the first of these signals raise KeyboardInterrupt: nothing has begun.

    For waits for a person or for a program of theirs, also within Interrupts.
    """
    before = {number: signal.getsignal(number) for number in ENDING}
    heard = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in heard:
        signal.signal(number, _broken)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, before[number])


def _broken(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


class Interrupts:
    """A context manager. Until `listen`, one signal is remembered and a second one raises
    KeyboardInterrupt: whoever presses Ctrl-C twice does not want to wait for an answer.
    """

    def __init__(self) -> None:
        self.wake = -1  # readable after a signal
        self._writer = -1
        self._pending = 0
        self._heard: Callable[[int], None] | None = None
        self._before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}
        self._wake_before = -1

    def __enter__(self) -> Self:
        self.wake, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._wake_before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in ENDING:
            # Started by nohup or in the background of a script: what was ignored stays ignored.
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        signal.set_wakeup_fd(self._wake_before)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self.wake)
        os.close(self._writer)

    def listen(self, heard: Callable[[int], None]) -> None:
        """Call `heard` with each signal from now on, and with one that came before."""
        self._heard = heard
        if self._pending:
            heard(self._pending)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._heard is not None:
            self._heard(number)
        elif self._pending:
            raise KeyboardInterrupt
        else:
            self._pending = number
