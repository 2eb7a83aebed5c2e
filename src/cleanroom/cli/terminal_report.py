"""What a person sees of a command that has their terminal.

In: the terminal's bytes, news. Out: bytes on the screen, news between them. Never: a line of
cleanroom's inside a full-screen program, a question to the terminal asked again out of the past.
"""

import re
from typing import Final

from cleanroom.cli.exec_output import PlainReport, write_all
from cleanroom.cli.render import Screen
from cleanroom.client.escapes import EscapeFilter
from cleanroom.client.reply import Reply
from cleanroom.client.terminal import Terminal

SHOWN_AGAIN: Final = 16 * 1024  # bytes of what was on the screen, for who comes later
# Sequences that a terminal answers, and all that moves what is outside of the text.
_ANSWERED: Final = re.compile(
    rb"\x1b\[[0-?]*[ -/]*[cnpqux]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1bZ"
)


class TerminalReport(PlainReport):
    """For a person whose terminal is the command's."""

    def __init__(self, screen: Screen, terminal: Terminal, *, verbose: bool) -> None:
        super().__init__(screen, verbose=verbose)
        self._terminal = terminal
        self._filter = EscapeFilter(everything=screen.escapes)
        self._waiting: list[Reply] = []
        self._past = 0  # bytes that were written before this client came
        self._again = b""
        self._in_line = False

    def output(self, stream: int, data: bytes) -> None:
        """Show bytes, of the past only the end."""
        past, present = data[: self._past], data[self._past :]
        if past:
            self._past -= len(past)
            self._again = (self._again + self._filter.feed(past))[-2 * SHOWN_AGAIN :]
            self._show_past()
        if present:
            shown = self._filter.feed(present)
            self._terminal.remember(self._filter.modes.undo())
            self._write(shown)
        if self._waiting and not self._filter.modes.full_screen:
            waiting, self._waiting = self._waiting, []
            for message in waiting:
                self.news(message)

    def news(self, message: Reply) -> None:
        """Say it where it disturbs nothing: on a line of its own, or after a full screen."""
        match message.text("type"):
            case "position":
                self._past = message.number("stdout") - message.number("stdout_from")
            case "gap":
                self._past = max(0, self._past - message.number("missing"))
                self._show_past()
            case "denied" | "note" if self._filter.modes.full_screen:
                self._waiting.append(message)
            case "denied" | "note":
                if self._in_line:
                    self._write(b"\r\n")
                super().news(message)
            case _:
                pass

    def left(self, way_back: str) -> None:
        """Say how to come back, below the line that the cursor was in."""
        if self._in_line:
            self._write(b"\n")
        super().left(way_back)

    def ended(self, run: Reply, status: int) -> None:
        """Say what is left to say. The terminal is the person's again."""
        for message in self._waiting:
            super().news(message)
        super().ended(run, status)

    def _show_past(self) -> None:
        """Once all of the past is there, show its end in the modes that it left."""
        if self._past:
            return
        modes, again = self._filter.modes, self._again
        self._again = b""
        self._terminal.remember(modes.undo())
        if len(again) > SHOWN_AGAIN:
            again = again[-SHOWN_AGAIN:].partition(b"\n")[2]
        text = b"" if modes.full_screen else _ANSWERED.sub(b"", again)
        self._write(text + modes.redo())

    def _write(self, data: bytes) -> None:
        if data:
            self._in_line = not data.endswith((b"\n", b"\r"))
            write_all(1, data)
