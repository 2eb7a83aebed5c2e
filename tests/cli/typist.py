"""A program on a terminal of its own, typed at and looked at as a person does."""

import os
import pty
import select
import time
from pathlib import Path
from subprocess import Popen as Process  # noqa: TID251 -- a person's program, not one of ours

PATIENCE_S = 60


class Typist:
    """A shell on a terminal, and what it has shown."""

    def __init__(self, words: list[str], environ: dict[str, str], folder: Path) -> None:
        self._keyboard, end = pty.openpty()
        self.shown = b""
        self._process = Process(
            words,
            cwd=folder,
            env=environ,
            stdin=end,
            stdout=end,
            stderr=end,
            start_new_session=True,
        )
        os.close(end)

    def type(self, text: bytes, until: bytes) -> None:
        """Type, and wait until this is shown after it."""
        self.shown = b""
        os.write(self._keyboard, text)
        self.see(until)

    def see(self, text: bytes) -> None:
        """Wait until this is shown."""
        end = time.monotonic() + PATIENCE_S
        while text not in self.shown:
            assert select.select([self._keyboard], [], [], end - time.monotonic())[0], self.shown
            self.shown += os.read(self._keyboard, 65536)

    def end(self) -> int:
        """Read to the end; return the status."""
        while select.select([self._keyboard], [], [], PATIENCE_S)[0]:
            try:
                piece = os.read(self._keyboard, 65536)
            except OSError:  # how Linux says that nobody has the terminal any more
                break
            self.shown += piece
        return self._process.wait(PATIENCE_S)

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        os.close(self._keyboard)
