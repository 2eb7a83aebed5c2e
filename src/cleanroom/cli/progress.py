"""One line that says what is waited for: after a second, on a terminal, gone when it is over.

In: the name of a call. Out: a line on stderr, drawn again as time passes, then nothing. Never: a
byte of it in a file or a pipe, a thread, or a line beside the workload's own output.
"""

import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final

from cleanroom.cli.render import Screen
from cleanroom.client.connect import START

AFTER_S: Final = 1.0
EVERY_S: Final = 0.5
CLEAR: Final = "\r\x1b[K"
ELSE: Final = "waiting for the daemon"
WAITS: Final[Mapping[str, str]] = {
    START: "starting the daemon",
    "create_run": "starting the sandbox",
    "create_sandbox": "starting the sandbox",
    "stop_sandbox": "ending the sandbox",
    "cancel_execution": "ending the command",
    "get_execution": "waiting for the command",
    "get_changes": "looking for changes",
    "get_patch": "looking for changes",
    "apply_changes": "applying the changes",
    "verify_cache": "reading the content cache",
    "prune_cache": "removing files of the content cache",
    "verify_audit": "checking the audit log",
}


class Progress:
    """Called with the name of a call, it is a context around the wait for its answer."""

    def __init__(self, screen: Screen, environ: Mapping[str, str]) -> None:
        self._screen = screen
        self._possible = os.isatty(2) and environ.get("TERM", "dumb") != "dumb"
        self.says = dict(WAITS)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Show the line if what is done within takes long."""
        if not self._possible or self._screen.quiet:
            yield
            return
        line = _Line(self.says.get(name, ELSE))
        before = signal.signal(signal.SIGALRM, line.draw)
        signal.setitimer(signal.ITIMER_REAL, AFTER_S, EVERY_S)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
            line.remove()


class _Line:
    """What is drawn, and since when."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._since = time.monotonic()
        self._drawn = False

    def draw(self, _number: int, _frame: FrameType | None) -> None:
        """Draw it anew: the timer's signal."""
        text = f"cleanroom: {self._what}, {int(time.monotonic() - self._since)} s"
        with suppress(OSError):  # a terminal that hung up
            self._drawn = True
            columns = os.get_terminal_size(2).columns or 80  # 0: it does not know
            os.write(2, f"{CLEAR}{text[: columns - 1]}".encode())

    def remove(self) -> None:
        """Leave the line as it was before."""
        if self._drawn:
            with suppress(OSError):
                os.write(2, CLEAR.encode())
