"""Everything a person or a program reads of the command line: the only print.

In: sentences, tables, JSON values, errors. Out: lines on stdout (results) or stderr (all else).
Never: prose on stdout beside JSON, colour where nobody asked for it, or a control character that
came from a sandbox.
"""

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final, TextIO

from cleanroom.errors import CleanroomError

SCHEMA_VERSION: Final = 1
RED: Final = "31"
YELLOW: Final = "33"
DIM: Final = "2"
GAP: Final = "  "  # between the columns of a table
_CONTROLS: Final = re.compile("[\x7f-\x9f]")
LEAST: Final = 12  # characters of a last column that is cut


def wants_colour(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Tell whether to colour: FORCE_COLOR, NO_COLOR, CLICOLOR_FORCE, else a terminal."""
    if environ.get("FORCE_COLOR", "") not in ("", "0"):
        return True
    if environ.get("NO_COLOR"):
        return False
    if environ.get("CLICOLOR_FORCE", "") not in ("", "0"):
        return True
    return stream.isatty() and environ.get("TERM", "dumb") != "dumb"


def plain(text: str) -> str:
    """Return `text` with control and direction-changing characters made visible."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def table_lines(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]], columns: int) -> list[str]:
    """Return a table for this width (0: any): its last column cut, or one cell a line."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    room = columns - sum(widths[:-1]) - len(GAP) * (len(widths) - 1) if columns else widths[-1]
    if room < min(widths[-1], LEAST):
        width = max(map(len, heads))
        blocks = [
            [f"{head.ljust(width)}{GAP}{cell}" for head, cell in zip(heads, row, strict=True)]
            for row in rows
        ]
        return [line for block in blocks for line in (*block, "")][:-1]
    widths[-1] = min(widths[-1], room)

    def one_line(cells: tuple[str, ...]) -> str:
        shown = (*cells[:-1], _cut(cells[-1], room))
        return GAP.join(map(str.ljust, shown, widths)).rstrip()

    return [one_line(cells) for cells in (heads, *rows)]


def _cut(text: str, room: int) -> str:
    """Shorten: of a path its end says more, of a command its begin."""
    if len(text) <= room:
        return text
    return f"…{text[1 - room :]}" if text.startswith("/") else f"{text[: room - 1]}…"


class Screen:
    """Where a command writes. `quiet` leaves results and errors."""

    def __init__(self, environ: Mapping[str, str], *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.line_end = "\n"  # "\r\n" while the terminal is raw
        self.escapes = environ.get("CLEANROOM_TERMINAL_ESCAPES", "") not in ("", "0")
        self._colour = wants_colour(sys.stderr, environ)

    def out(self, text: str = "") -> None:
        """Write a line of the result."""
        print(text, flush=True)

    def raw(self, text: str) -> None:
        """Write a result that has its own line ends (a file, a patch)."""
        print(text, end="", flush=True)

    def say(self, text: str) -> None:
        """Tell the person something."""
        if not self.quiet:
            self._err(text, "")

    def warn(self, text: str) -> None:
        """Tell the person something they should act on."""
        if not self.quiet:
            self._err(text, YELLOW)

    def say_next(self, hint: str) -> None:
        """Tell the person what to do about the line above, where that is known."""
        if hint:
            self.say(f"  next: {hint.removeprefix('run: ')}")

    def json(self, fields: Mapping[str, object]) -> None:
        """Write one JSON object with the version of its shape."""
        own = {"version": SCHEMA_VERSION}
        text = json.dumps(own | dict(fields) | own, ensure_ascii=False)
        # SECURITY: to a terminal these are controls too, and JSON leaves them as they are.
        self.out(_CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text))

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Write rows in columns; nothing but the heads if there are none."""
        shown = [tuple(plain(cell) for cell in row) for row in rows]
        for line in table_lines(tuple(heads), shown, self.columns()):
            self.out(line)

    def columns(self) -> int:
        """Return the width of the terminal that shows results, 0 if they go elsewhere."""
        try:
            return os.get_terminal_size(sys.stdout.fileno()).columns
        except (OSError, ValueError):  # ValueError: it is no file at all
            return 0

    def error(self, error: CleanroomError) -> None:
        """Write what failed, where, why, its code and the next command."""
        self._err(f"cleanroom: {error.message}", RED)
        for placed in getattr(error, "placed", ()):
            where = f"{placed.path}:{placed.line}:{placed.column}: " if placed.line else ""
            if f"{where}{placed.message}" == error.message:
                continue  # the only one: the message says it already
            self._err(f"  {where}{placed.message}", "")
            if placed.hint:
                self._err(f"    {placed.hint}", DIM)
        if error.hint:
            self._err(f"  next: {error.hint.removeprefix('run: ')}", "")
        self._err(f"  code: {error.code} (cleanroom explain {error.code})", DIM)

    def _err(self, text: str, colour: str) -> None:
        line = plain(text)
        if self._colour and colour:
            line = f"\x1b[{colour}m{line}\x1b[0m"
        with suppress(OSError):  # a terminal that hung up: nobody is there to be told
            print(line, end=self.line_end, file=sys.stderr, flush=True)
